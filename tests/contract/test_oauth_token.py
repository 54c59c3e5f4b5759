"""Section 9 of the contract: the plain OAuth endpoint."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.contract.shop import PASSWORD, Member, Shop, errors

FORM = "application/x-www-form-urlencoded"
UNKNOWN_GRANT = (
    "invalid_grant",
    "The provided authorization grant (e.g., authorization code, resource owner credentials) or refresh token is"
    " invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to"
    " another client.",
)
MALFORMED = (
    "invalid_request",
    "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than"
    " once, or is otherwise malformed.",
)
WRONG = ("invalid_grant", "The user credentials were incorrect.")
BAD_REFRESH = ("invalid_request", "The refresh token is invalid.")
UNKNOWN_CLIENT = ("invalid_client", "Client authentication failed")
UNKNOWN = {"grant_type": "password", "username": "unknown@spryker.com", "password": "x"}


@pytest.fixture(scope="module")
def own(shop: Shop) -> Member:
    return shop.member()


def _post(shop: Shop, form: Any, path: str = "/token", content_type: str = FORM, **headers: str) -> Any:
    content = form if isinstance(form, bytes) else urlencode(form).encode()
    return shop.ask("POST", path, content, content_type=content_type, **headers)


def _told(response: Any) -> tuple[str, str]:
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error", "error_description"}
    return response.json()["error"], response.json()["error_description"]


@pytest.mark.parametrize("path", ["/token", "/token/"])
@pytest.mark.parametrize(
    "more",
    [{}, {"client_id": "frontend"}, {"client_id": "", "client_secret": "", "scope": ""}, {"client_secret": "abc123"}],
)
def test_a_password_is_granted_tokens(shop: Shop, own: Member, path: str, more: dict[str, str]) -> None:
    """A password gets the tokens of /access-tokens as plain JSON with no-store (9)."""
    form = {"grant_type": "password", "username": own.email.title(), "password": PASSWORD, **more}
    response = _post(shop, form, path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 28800)
    assert shop.ask("GET", own.path, token=tokens["access_token"]).status_code == 200
    assert shop.refresh(tokens["refresh_token"]).status_code == 201


def test_a_refresh_token_is_granted_tokens(shop: Shop) -> None:
    """A refresh token of /access-tokens works here once (9)."""
    member = shop.member()
    response = _post(shop, {"grant_type": "refresh_token", "refresh_token": member.refresh_token})
    assert response.status_code == 200
    assert response.json()["refresh_token"] != member.refresh_token
    assert shop.ask("GET", member.path, token=response.json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, UNKNOWN_GRANT),
        ({"grant_type": ""}, UNKNOWN_GRANT),
        ({"grant_type": "client_credentials"}, UNKNOWN_GRANT),
        ({"grant_type": "Password", "username": "a@b.de", "password": "x"}, UNKNOWN_GRANT),
        ({"grant_type": "password"}, MALFORMED),
        ({"grant_type": "password", "username": "unknown@spryker.com"}, MALFORMED),
        ({"grant_type": "password", "password": "x"}, MALFORMED),
        ({**UNKNOWN, "password": ""}, MALFORMED),
        ({"grant_type": "refresh_token"}, MALFORMED),
        ({"grant_type": "refresh_token", "refresh_token": ""}, MALFORMED),
        (UNKNOWN, WRONG),
        ({**UNKNOWN, "username": "sonia"}, WRONG),
        ({**UNKNOWN, "username": "\u0000"}, WRONG),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, BAD_REFRESH),
        ({"grant_type": "refresh_token", "refresh_token": "def502" + "0" * 64}, BAD_REFRESH),
        ({**UNKNOWN, "client_id": "backend"}, UNKNOWN_CLIENT),
        ({"grant_type": "password", "client_id": "backend"}, UNKNOWN_CLIENT),
        ({**UNKNOWN, "client_id": "\u0000"}, UNKNOWN_CLIENT),
        ([*UNKNOWN.items(), ("grant_type", "password")], MALFORMED),
        ([*UNKNOWN.items(), ("username", "a@b.de")], MALFORMED),
        ([*UNKNOWN.items(), ("other", "1"), ("other", "2")], MALFORMED),
        (b"\xff\xfe", MALFORMED),
        (b"grant_type=password&username=%FF&password=x", MALFORMED),
        (b"grant_type=password&username=%ED%A0%80&password=x", MALFORMED),
        (b"grant_type=password;username=a", UNKNOWN_GRANT),
        (b"&&&===&", UNKNOWN_GRANT),
        (b"", UNKNOWN_GRANT),
    ],
)
def test_refusals_are_400_in_the_words_of_oauth(shop: Shop, form: Any, told: tuple[str, str]) -> None:
    """Grant, client, fields and credentials are checked in this order (9); repeated fields are malformed."""
    assert _told(_post(shop, form)) == told


def test_unconfirmed_customers_are_not_told_apart(shop: Shop, own: Member) -> None:
    """Wrong password, unknown and unconfirmed get the same bytes (9)."""
    answers = [
        _post(shop, {**UNKNOWN, "username": email, "password": password})
        for email, password in ((own.email, "wrong"), (shop.new_email(), PASSWORD), (shop.pending(), PASSWORD))
    ]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert _told(answers[0]) == WRONG


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type": "password"}'),
        ("application/vnd.api+json", b"{}"),
        ("text/plain", b"grant_type=password"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("", b"grant_type=password"),
    ],
)
def test_other_bodies_are_not_read(shop: Shop, content_type: str, body: bytes) -> None:
    """A body that is not a form counts as empty (9)."""
    assert _told(_post(shop, body, content_type=content_type)) == UNKNOWN_GRANT


def test_a_charset_is_no_other_content_type(shop: Shop) -> None:
    """A form with a charset is a form."""
    assert _told(_post(shop, UNKNOWN, content_type="Application/X-WWW-Form-Urlencoded; charset=UTF-8")) == WRONG


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.api+xml", ""])
def test_accept_decides_nothing(shop: Shop, accept: str) -> None:
    """The Accept header does not matter (9)."""
    assert _told(_post(shop, UNKNOWN | {"username": shop.new_email()}, accept=accept)) == WRONG


def test_encoded_bodies_are_refused(shop: Shop) -> None:
    """A body with a Content-Encoding is 415 in the form of RFC 6749, and the answer says that none is taken."""
    response = _post(shop, UNKNOWN, content_encoding="gzip")
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")
    assert response.json() == {
        "error": "invalid_request",
        "error_description": "The request body must have no Content-Encoding.",
    }


def test_large_bodies_are_refused(shop: Shop) -> None:
    """A body above the limit is 413 with the limit."""
    response = _post(shop, {**UNKNOWN, "password": "x" * 70_000})
    assert response.status_code == 413
    assert response.json() == {
        "error": "invalid_request",
        "error_description": "The request body is larger than 65536 bytes.",
    }


@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer", "Basic eDp4", ""])
def test_a_bad_authorization_is_told_in_plain_text(shop: Shop, authorization: str) -> None:
    """A bad Authorization header is 401 in plain text with a challenge (2.3, 9)."""
    response = _post(shop, UNKNOWN, authorization=authorization)
    assert (response.status_code, response.text) == (401, "Invalid access token.")
    assert response.headers["content-type"].startswith("text/plain")


def test_a_good_authorization_passes(shop: Shop, own: Member) -> None:
    """A valid access token does not matter."""
    form = {"grant_type": "password", "username": own.email, "password": PASSWORD}
    assert _post(shop, form, authorization=f"Bearer {own.access_token}").status_code == 200


def test_two_identities_are_refused(shop: Shop, own: Member) -> None:
    """A token with a guest's header is refused in plain text (2.2)."""
    authorization = f"Bearer {own.access_token}"
    response = _post(shop, UNKNOWN, authorization=authorization, x_anonymous_customer_unique_id="1")
    assert response.status_code == 400
    assert response.text.startswith("Headers request error.")


@pytest.mark.parametrize(("method", "path"), [("GET", "/token"), ("PUT", "/token/"), ("POST", "/token/x")])
def test_nothing_else_is_served(shop: Shop, method: str, path: str) -> None:
    """Other methods are the 404 document (9)."""
    assert errors(shop.ask(method, path)) == [(404, None, "Not Found")]


def test_a_preflight_is_answered(shop: Shop) -> None:
    """OPTIONS is answered as for every endpoint (2.7)."""
    response = shop.preflight("/token", access_control_request_method="POST")
    assert response.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert shop.ask("OPTIONS", "/token").status_code == 501


def test_failures_count_for_the_lock_out_of_both_endpoints(shop: Shop) -> None:
    """Failures here lock out at /access-tokens, too; here a locked-out sign-in looks like a wrong one (ruling 7)."""
    email = shop.confirmed()
    form = {"grant_type": "password", "username": email, "password": "wrong"}
    wrong = [_post(shop, form) for _ in range(9)]
    blocked = _post(shop, form | {"password": PASSWORD})
    assert blocked.content == wrong[0].content
    assert "retry-after" not in blocked.headers
    assert shop.sign_in(email).status_code == 429
