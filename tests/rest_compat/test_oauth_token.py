from urllib.parse import urlencode

import pytest

from rest_compat.access_tokens import CREATE_ACCESS_TOKEN
from rest_compat.execution import Reply
from rest_compat.refresh_tokens import REFRESH_ACCESS_TOKEN
from tests.rest_compat.asking import Response, ask
from tests.rest_compat.executing import OUTAGE, SIGNED_IN, Gateway, application

FORM = {"content-type": "application/x-www-form-urlencoded"}
PASSWORD_GRANT = {"grant_type": "password", "username": "sonia@spryker.com", "password": "change 123&"}
REFRESH_GRANT = {"grant_type": "refresh_token", "refresh_token": "def502"}
TOKENS = {"tokenType": "Bearer", "accessToken": "a.b.c", "expiresIn": 28800, "refreshToken": "def502"}


def _post(gateway: Gateway, form: dict[str, str]) -> Response:
    return ask(application(gateway), "POST", "/token", FORM, urlencode(form).encode())


@pytest.mark.parametrize(
    ("form", "document", "given"),
    [
        (PASSWORD_GRANT, CREATE_ACCESS_TOKEN, {"email": "sonia@spryker.com", "password": "change 123&"}),
        (REFRESH_GRANT, REFRESH_ACCESS_TOKEN, {"refreshToken": "def502"}),
    ],
)
def test_grants_run_the_mutations_of_the_resources(
    form: dict[str, str], document: str, given: dict[str, object]
) -> None:
    """The fields of a grant become the input, and the tokens the members of OAuth."""
    gateway = Gateway(Reply({"anything": {"tokens": TOKENS}}))
    response = _post(gateway, {**form, "client_id": "frontend", "other": "x"})
    assert gateway.ran == [(document, {"input": given})]
    assert response.document == {
        "token_type": "Bearer",
        "expires_in": 28800,
        "access_token": "a.b.c",
        "refresh_token": "def502",
    }


def test_an_outage_is_temporary() -> None:
    """An outage is 503 temporarily_unavailable with Retry-After."""
    response = _post(Gateway(OUTAGE), PASSWORD_GRANT)
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert response.document["error"] == "temporarily_unavailable"


def test_an_outage_while_a_token_is_checked_is_plain_text() -> None:
    """An outage while the access token is checked is 503 in plain text."""
    response = ask(application(Gateway(OUTAGE, me=OUTAGE)), "POST", "/token", FORM | SIGNED_IN, b"grant_type=password")
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert response.headers["content-type"].startswith("text/plain")


def test_a_fault_is_the_servers() -> None:
    """A fault is 500 server_error."""
    response = _post(Gateway(Reply(None, [{"message": "m"}])), REFRESH_GRANT)
    assert response.status == 500
    assert response.document == {"error": "server_error", "error_description": "Internal Server Error"}


def test_a_form_with_too_many_fields_is_not_read() -> None:
    """More than a hundred fields are refused like any malformed form, before they are read."""
    gateway = Gateway(Reply({"anything": {"tokens": TOKENS}}))
    response = _post(gateway, PASSWORD_GRANT | {f"field{number}": "x" for number in range(100)})
    assert (response.status, response.document["error"]) == (400, "invalid_request")
    assert gateway.ran == []
