"""The refresh token in a cookie, where a setting asks for it: operations that set it, the header that it needs.

The JSON:API door has no such cookie.
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from graphql_api.http.event_stream import EVENT_STREAM
from graphql_api.server.refresh_cookie import NAME, PROOF, RefreshCookie
from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from tests.graphql_api.http.test_event_stream import events
from tests.graphql_api.installation import Installation, installed
from tests.graphql_api.operations.test_sessions import ADA, ME, REFRESH, REVOKE, SIGN_IN
from tests.registration.forms import PASSWORD
from tests.registration.members import confirmed

GIVEN = {PROOF: "1"}
SHOP = "https://shop.example"
TOKENS = {"data": {"type": "access-tokens", "attributes": {"username": ADA["email"], "password": PASSWORD}}}


@pytest.fixture
def running(database: Database) -> Iterator[Installation]:
    with installed(database, GatewaySettings(refresh_cookie="on", cors_origins=SHOP)) as running:
        confirmed(running.services)
        yield running


def cookie_of(answer: httpx2.Response) -> str:
    """The value that the answer sets, after a check that no script and no other site gets it."""
    (header,) = answer.headers.get_list("set-cookie")
    pair, *attributes = header.split("; ")
    name, _, value = pair.partition("=")
    assert name == NAME == "__Host-refresh"
    assert attributes == [
        "Path=/",
        "Max-Age=2628000" if value else "Max-Age=0",
        "HttpOnly",
        "Secure",
        "SameSite=Strict",
    ]
    return value


def ask(running: Installation, document: str, given: Any, cookie: str = "", **headers: str) -> httpx2.Response:
    sent = {"cookie": f"other=1; {NAME}={cookie}"} if cookie else {}
    return running.post(document, {"input": given}, **{**GIVEN, **sent, **headers})


def result(answer: httpx2.Response) -> Any:
    assert set(answer.json()) == {"data"}
    return answer.json()["data"]["result"]


def signed_in(running: Installation) -> tuple[dict[str, str], str]:
    """The header of an access token, and the cookie."""
    answer = ask(running, SIGN_IN, ADA)
    tokens = result(answer)["tokens"]
    assert tokens["refreshToken"] is None
    return {"authorization": f"Bearer {tokens['accessToken']}"}, cookie_of(answer)


def test_a_pair_has_its_refresh_token_in_the_cookie(running: Installation) -> None:
    """Signing in and refreshing answer with an access token in the body and the refresh token in the cookie alone."""
    _, first = signed_in(running)
    answer = ask(running, REFRESH, {}, first)
    assert result(answer)["tokens"]["refreshToken"] is None
    assert cookie_of(answer).startswith("def502")
    assert cookie_of(answer) != first
    assert first not in answer.text


def test_a_token_of_the_body_moves_into_the_cookie(running: Installation) -> None:
    """A client that has a refresh token from before the setting stays signed in."""
    _, token = signed_in(running)
    answer = ask(running, REFRESH, {"refreshToken": token})
    assert result(answer)["tokens"]["refreshToken"] is None
    assert cookie_of(answer)


def test_an_event_stream_has_the_cookie_too(running: Installation) -> None:
    """Signing in, refreshing and signing out set the cookie also where the answer is an event stream."""
    bearer, _ = signed_in(running)
    answer = ask(running, SIGN_IN, ADA, accept=EVENT_STREAM)
    [body] = events(answer)
    assert body["data"]["result"]["tokens"]["refreshToken"] is None
    first = cookie_of(answer)
    second = cookie_of(ask(running, REFRESH, {}, first, accept=EVENT_STREAM))
    assert second not in {"", first}
    assert cookie_of(ask(running, REVOKE, {"current": True}, second, accept=EVENT_STREAM, **bearer)) == ""
    assert cookie_of(ask(running, REFRESH, {}, second))


@pytest.mark.parametrize("cookie", ["", "garbage", "def502" + "0" * 64])
def test_a_refusal_leaves_the_cookie(running: Installation, cookie: str) -> None:
    """Without a good token the session is over; the cookie stays, because another tab may have a newer one."""
    answer = ask(running, REFRESH, {}, cookie)
    assert result(answer)["code"] == "REFRESH_TOKEN"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("which", ["current", "all"])
def test_signing_out_ends_the_cookie(running: Installation, which: str) -> None:
    """The session of the access token ends, and the browser drops its cookie."""
    bearer, cookie = signed_in(running)
    answer = ask(running, REVOKE, {which: True}, cookie, **bearer)
    assert result(answer)["__typename"] == "RevokeRefreshTokenSuccess"
    assert cookie_of(answer) == ""
    assert result(ask(running, REFRESH, {}, cookie))["code"] == "REFRESH_TOKEN"
    assert running.post(ME, **bearer).json()["errors"][0]["extensions"]["reason"] == "REVOKED"


def test_signing_out_another_session_leaves_the_cookie(running: Installation) -> None:
    """A refresh token that is named may be another session's, and `false` ends none."""
    bearer, cookie = signed_in(running)
    for given in ({"refreshToken": "garbage"}, {"current": False}):
        assert "set-cookie" not in ask(running, REVOKE, given, cookie, **bearer).headers
    assert cookie_of(ask(running, REFRESH, {}, cookie))


@pytest.mark.parametrize("document", [SIGN_IN, REFRESH, REVOKE], ids=["sign in", "refresh", "sign out"])
def test_the_cookie_needs_a_header(running: Installation, document: str) -> None:
    """Without a header that needs a preflight nothing is done: a page of another site could have sent the request."""
    bearer, cookie = signed_in(running)
    given = {SIGN_IN: ADA, REFRESH: {}, REVOKE: {"current": True}}[document]
    answer = ask(running, document, given, cookie, **{PROOF: "", **bearer})
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "PREFLIGHT_REQUIRED"}
    assert PROOF in error["message"]
    assert "set-cookie" not in answer.headers
    assert cookie_of(ask(running, REFRESH, {}, cookie))


def test_the_json_api_door_has_no_cookie(running: Installation) -> None:
    """The contract stays: the refresh token is in the document, and no cookie is set or read."""
    headers = {"content-type": "application/vnd.api+json"}
    answer = running.client.post("/access-tokens", json=TOKENS, headers=headers)
    assert answer.json()["data"]["attributes"]["refreshToken"].startswith("def502")
    assert "set-cookie" not in answer.headers
    _, cookie = signed_in(running)
    asked = {"data": {"type": "refresh-tokens", "attributes": {}}}
    refused = running.client.post("/refresh-tokens", json=asked, headers=headers | {"cookie": f"{NAME}={cookie}"})
    assert refused.status_code == 422


def test_named_origins_may_send_it(running: Installation) -> None:
    """Credentials are allowed to the origins of the setting, exactly, with the header that the cookie needs."""
    asked = {"access-control-request-method": "POST", "access-control-request-headers": f"content-type, {PROOF}"}
    for method, path, headers in (("OPTIONS", "/graphql", asked), ("POST", "/graphql", {})):
        answer = running.client.request(method, path, headers={"origin": SHOP, **headers})
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["access-control-allow-credentials"] == "true"
        other = running.client.request(method, path, headers={"origin": "https://evil.example", **headers})
        assert "access-control-allow-origin" not in other.headers
    allowed = running.client.options("/graphql", headers={"origin": SHOP, **asked})
    assert allowed.headers["access-control-allow-headers"] == asked["access-control-request-headers"]


def test_without_the_setting_there_is_no_cookie(installation: Installation) -> None:
    """By default the pair is in the body, no header is asked for, and a cookie of the name is not read."""
    confirmed(installation.services)
    answer = ask(installation, SIGN_IN, ADA, **{PROOF: ""})
    token = result(answer)["tokens"]["refreshToken"]
    assert token.startswith("def502")
    assert "set-cookie" not in answer.headers
    assert result(ask(installation, REFRESH, {}, token))["code"] == "REFRESH_TOKEN"
    assert result(ask(installation, REFRESH, {"refreshToken": None}, token))["code"] == "REFRESH_TOKEN"


def test_production_needs_https() -> None:
    """Where clients come by http, no browser would take the cookie, so the start stops."""
    with pytest.raises(ValidationError, match="GATEWAY_REFRESH_COOKIE is on"):
        GatewaySettings(refresh_cookie="on", public_url="http://shop.example")
    for fine in ({"public_url": "https://shop.example"}, {"public_url": "http://127.0.0.1", "mode": "development"}):
        assert GatewaySettings.model_validate({"refresh_cookie": "on", **fine})


def test_no_token_is_in_a_repr() -> None:
    """The repr of a cookie, which a fault can show, has no token."""
    cookie = RefreshCookie("secret", has_proof=True, seconds=1)
    cookie.keep("secret")
    assert "secret" not in repr(cookie)
