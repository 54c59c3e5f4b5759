"""The clock of one of two nodes jumps two hours ahead or behind, while both serve."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.gateway import Gateway
from harness.smtp import SmtpServer
from registration.keys.secret import Secret, load_secret
from registration.storage.database import Database, open_database
from tests.conftest import Serve
from tests.faults.test_connection_matrix import CONFIRM, CREATE, FORM, ME, post
from tests.faults.test_upgrade import key_for
from tests.graphql_api.test_nodes import NO_TLS
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

SIGN_IN = """mutation ($input: CreateAccessTokenInput!) { result: createAccessToken(input: $input) {
  ... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
REFRESH = """mutation ($input: RefreshAccessTokenInput!) { result: refreshAccessToken(input: $input) { __typename
  ... on RefreshAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
SIGN_OUT = "mutation ($input: RevokeRefreshTokenInput!) { result: revokeRefreshToken(input: $input) { __typename } }"


@pytest.fixture(scope="session")
def libfaketime() -> str:
    """The library that fakes the time of a process with threads."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("CLOCK JUMPS NOT TESTED: there is no libfaketime (Debian: apt-get install libfaketime)")
    return str(found[0])


def is_accepted(gateway: Gateway, access_token: str) -> bool:
    headers = {"authorization": f"Bearer {access_token}"}
    answer = httpx2.post(f"{gateway.base_url}/graphql", json={"query": ME}, headers=headers, timeout=60, verify=NO_TLS)
    document: dict[str, Any] = answer.json()
    return bool((document.get("data") or {}).get("result"))


def sign_in(gateway: Gateway) -> dict[str, str]:
    tokens = post(gateway, SIGN_IN, {name: FORM[name] for name in ("email", "password")})["tokens"]
    assert isinstance(tokens, dict)
    return tokens


def refresh(gateway: Gateway, token: str) -> str:
    """The new access token; empty when the session has ended."""
    tokens = post(gateway, REFRESH, {"refreshToken": token}).get("tokens", {"accessToken": ""})
    assert isinstance(tokens, dict)
    return str(tokens["accessToken"])


class Shop:
    """Two nodes, and a customer with one session that lives and one that has ended.

    The clock of `wrong` is ahead by what the file `clock` says. Access tokens are good for an hour.
    """

    def __init__(self, right: Gateway, wrong: Gateway, clock: Path) -> None:
        self.right, self.wrong, self._clock = right, wrong, clock

    def jump(self, to: str) -> None:
        self._clock.write_text(to)

    def begin(self, database: Database, secret: Secret) -> None:
        assert post(self.right, CREATE, FORM) == {"__typename": "CreateCustomerSuccess"}
        key = key_for(database, secret, str(FORM["email"]))
        assert post(self.right, CONFIRM, {"token": key}) == {"__typename": "ConfirmCustomerSuccess"}
        self.living, self.ended = sign_in(self.right), sign_in(self.right)
        token = self.ended["accessToken"]
        assert post(self.right, SIGN_OUT, {"refreshToken": self.ended["refreshToken"]}, token)

    def assert_ended_session_stays_ended(self) -> None:
        for node in (self.right, self.wrong):
            assert not is_accepted(node, self.ended["accessToken"])
            assert refresh(node, self.ended["refreshToken"]) == ""


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    """PostgreSQL only: nodes that share a file share a clock, too."""
    with closing(open_database(postgresql_url)) as database:
        yield database


@pytest.fixture
def settings(postgresql_url: str, keys_directory: Path, smtp: SmtpServer) -> dict[str, str]:
    return {
        "GATEWAY_DATABASE_URL": postgresql_url,
        "GATEWAY_KEYS_DIR": str(keys_directory),
        "GATEWAY_MAIL_URL": smtp.url,
        "GATEWAY_ACCESS_TOKEN_SECONDS": "3600",
    }


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that says by how much the clock of a node with `fake` is ahead."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    return clock


@pytest.fixture
def fake(clock: Path, libfaketime: str) -> dict[str, str]:
    return {
        "LD_PRELOAD": libfaketime,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        # As a jump of the real clock, which leaves the clock of waits alone.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.fixture
def shop(serve: Serve, clock: Path, database: Database, settings: dict[str, str], fake: dict[str, str]) -> Shop:
    shop = Shop(serve(**settings), serve(**settings, **fake), clock)
    shop.begin(database, load_secret(Path(settings["GATEWAY_KEYS_DIR"])))
    return shop


@pytest.mark.parametrize("jump", ["+2h", "-2h"])
def test_a_session_that_has_ended_stays_ended(shop: Shop, jump: str) -> None:
    """No node takes tokens of a session that was signed out, before, during and after a jump."""
    for offset in ("+0", jump, "+0"):
        shop.jump(offset)
        shop.assert_ended_session_stays_ended()
    assert is_accepted(shop.wrong, shop.living["accessToken"])


def test_tokens_of_a_node_that_is_ahead(shop: Shop) -> None:
    """Its access tokens are refused elsewhere until their time comes; their refresh tokens are good everywhere.

    It takes no access token that has expired by its own clock.
    """
    shop.jump("+2h")
    assert not is_accepted(shop.wrong, shop.living["accessToken"])
    future = sign_in(shop.wrong)
    assert is_accepted(shop.wrong, future["accessToken"])
    assert not is_accepted(shop.right, future["accessToken"])
    assert is_accepted(shop.right, refresh(shop.right, future["refreshToken"]))


def test_tokens_of_a_node_that_is_behind(shop: Shop) -> None:
    """Its access tokens have expired elsewhere, and it takes none of the others, which come from its future."""
    shop.jump("-2h")
    assert not is_accepted(shop.wrong, shop.living["accessToken"])
    past = sign_in(shop.wrong)
    assert is_accepted(shop.wrong, past["accessToken"])
    assert not is_accepted(shop.right, past["accessToken"])
    assert is_accepted(shop.right, refresh(shop.right, past["refreshToken"]))


@pytest.mark.parametrize("jump", ["+2h", "-2h"])
def test_mails_of_a_wrong_clock_leave(
    serve: Serve, settings: dict[str, str], fake: dict[str, str], smtp: SmtpServer, jump: str
) -> None:
    """The mail of a sign-up at a node with a wrong clock leaves when a relay looks, and its key is good."""
    wrong = serve(**settings, **fake, GATEWAY_RELAY="off")
    Path(fake["FAKETIME_TIMESTAMP_FILE"]).write_text(jump)
    assert post(wrong, CREATE, FORM) == {"__typename": "CreateCustomerSuccess"}
    right = serve(**settings)  # its relay looks at once, and then every few minutes
    eventually(lambda: smtp.messages)
    [key] = set(re.findall("token=([0-9a-f]+)", str(smtp.messages[0].get_body())))
    assert post(right, CONFIRM, {"token": key}) == {"__typename": "ConfirmCustomerSuccess"}
    assert len(smtp.messages) == 1
