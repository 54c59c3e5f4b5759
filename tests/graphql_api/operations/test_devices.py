"""Devices of sign-ins through both doors: where they come from, and what is logged of them."""

from contextlib import closing

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from graphql_api.settings import GatewaySettings
from registration.storage.database import open_database
from registration.storage.tables import session
from tests.graphql_api.installation import Installation, installed
from tests.registration.forms import PASSWORD
from tests.registration.members import confirmed

ADA = {"email": "ada@example.org", "password": PASSWORD}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
SIGN_IN = "mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { __typename } }"
TOKENS = {"data": {"type": "access-tokens", "attributes": {"username": ADA["email"], "password": PASSWORD}}}
GRANT = {"grant_type": "password", "username": ADA["email"], "password": PASSWORD}


def sign_in_at(client: TestClient, door: str, headers: dict[str, str]) -> Response:
    match door:
        case "/graphql":
            answer = client.post(door, json={"query": SIGN_IN, "variables": {"input": ADA}}, headers=headers)
        case "/access-tokens":
            answer = client.post(door, json=TOKENS, headers={"content-type": "application/vnd.api+json", **headers})
        case _:
            answer = client.post(door, data=GRANT, headers=headers)
    assert answer.status_code in {200, 201}
    return answer


@pytest.mark.parametrize("door", ["/graphql", "/access-tokens", "/token"])
def test_every_door_marks_the_session(installation: Installation, door: str) -> None:
    """A sign-in at each door keeps the device that User-Agent names; the log has neither of them."""
    confirmed(installation.services)
    with capture_logs() as logs:
        sign_in_at(installation.client, door, {"user-agent": AGENT, "x-country": "DE"})
    (row,) = installation.rows(session)
    assert (row["device"], row["place"]) == ("Firefox (Linux)", None)
    assert "Firefox" not in repr(logs)


@pytest.mark.parametrize(("peer", "place"), [("10.0.0.1", "DE"), ("203.0.113.9", None)])
def test_a_place_comes_from_a_trusted_proxy(sqlite_url: str, peer: str, place: str | None) -> None:
    """The header of the setting is believed when a trusted proxy sends it, and of no other peer."""
    settings = GatewaySettings(trusted_proxies="10.0.0.0/8", place_header="X-Country")
    with closing(open_database(sqlite_url)) as database, installed(database, settings) as running:
        confirmed(running.services)
        client = TestClient(running.client.app, client=(peer, 50_000))
        sign_in_at(client, "/graphql", {"user-agent": AGENT, "x-country": "DE"})
        sign_in_at(client, "/graphql", {"user-agent": AGENT})
        assert sorted(str(row["place"]) for row in running.rows(session)) == sorted([str(place), "None"])
