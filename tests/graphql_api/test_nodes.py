"""Several gateways, or several workers of one, that share a database and keys."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

import httpx2
import jwt
import pytest

from graphql_api.settings import GatewaySettings
from harness.gateway import COMMAND, Gateway
from harness.ports import HOST, free_port
from harness.valkey import Valkey
from registration.keys.secret import PREVIOUS_NAME
from registration.outcomes import Confirmed
from registration.services import Services
from registration.signing_up.confirmation import confirm
from registration.wiring import open_services
from tests.conftest import Serve
from tests.registration.forms import PASSWORD, request
from tests.registration.signing import sign_up
from tests.registration.stored import keys
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]
# For what no engine has a part in: counts in Valkey, key files, the log.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SIGN_IN = """mutation ($input: CreateAccessTokenInput!) { result: createAccessToken(input: $input) { __typename
  ... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
REFRESH = """mutation ($input: RefreshAccessTokenInput!) { result: refreshAccessToken(input: $input) { __typename
  ... on RefreshAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
ME = "{ result: me { email } }"
WRONG = {"email": "ada@example.org", "password": "wrong password"}
# Or httpx2 prepares for TLS with every call, for 20 ms.
NO_TLS = SSLContext(PROTOCOL_TLS_CLIENT)
RIGHT = {"email": "ada@example.org", "password": PASSWORD}


@pytest.fixture
def environment(database_url: str, keys_directory: Path) -> dict[str, str]:
    """The settings that all nodes share."""
    return {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEYS_DIR": str(keys_directory),
        "GATEWAY_RELAY": "off",
    }


@pytest.fixture
def ada(environment: dict[str, str]) -> None:
    """A confirmed customer."""
    services = open_services(
        GatewaySettings(
            database_url=environment["GATEWAY_DATABASE_URL"],
            keys_dir=environment["GATEWAY_KEYS_DIR"],
            hash_memory_kib=8,
            hash_time_cost=1,
        )
    )
    register(services)
    services.close()


def register(services: Services) -> None:
    sign_up(services, request())
    assert isinstance(confirm(services, keys(services.database, services.secret)[0]), Confirmed)


def ask(gateway: Gateway, document: str, token: str = "", **given: str) -> httpx2.Response:
    """The response on a connection of its own, so that any worker may answer."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = {"query": document, "variables": {"input": given} if given else {}}
    return httpx2.post(f"{gateway.base_url}/graphql", json=body, headers=headers, timeout=30, verify=NO_TLS)


def result(answer: httpx2.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["data"]["result"]
    return found


def lock_out(gateways: list[Gateway]) -> list[str]:
    """The answers to twelve attempts, each sent to the next gateway."""
    return [result(ask(gateways[turn % len(gateways)], SIGN_IN, **WRONG))["__typename"] for turn in range(12)]


LOCKED_OUT = ["BadCredentialsError"] * 9 + ["TooManyAttemptsError"] * 3


@pytest.mark.usefixtures("ada")
class TestLockOut:
    def test_counts_in_the_database(self, serve: Serve, environment: dict[str, str]) -> None:
        """Failed sign-ins count across two processes; then both refuse the right password."""
        gateways = [serve(**environment) for _ in range(2)]
        assert lock_out(gateways) == LOCKED_OUT
        assert {result(ask(gateway, SIGN_IN, **RIGHT))["__typename"] for gateway in gateways} == {
            "TooManyAttemptsError"
        }

    def test_counts_across_workers_at_the_same_moment(self, serve: Serve, environment: dict[str, str]) -> None:
        """Of forty simultaneous attempts at most nine are checked."""
        gateway = serve(**environment, GATEWAY_WORKERS="2", GATEWAY_QUEUE_SECONDS="60")
        with ThreadPoolExecutor(40) as threads:
            answers = list(threads.map(lambda _: result(ask(gateway, SIGN_IN, **WRONG))["__typename"], range(40)))
        assert sorted(answers) == ["BadCredentialsError"] * 9 + ["TooManyAttemptsError"] * 31

    @ON_SQLITE
    def test_counts_in_valkey(self, serve: Serve, environment: dict[str, str], tmp_path: Path) -> None:
        """With Valkey failed sign-ins count across processes."""
        with Valkey(tmp_path / "valkey") as valkey:
            gateways = [serve(**environment, GATEWAY_ATTEMPTS_URL=valkey.url) for _ in range(2)]
            assert lock_out(gateways) == LOCKED_OUT

    @ON_SQLITE
    def test_falls_back_on_nothing(self, serve: Serve, environment: dict[str, str]) -> None:
        """Without Valkey no customer can sign in; sessions go on."""
        here = serve(**environment)
        tokens = result(ask(here, SIGN_IN, **RIGHT))["tokens"]
        there = serve(**environment, GATEWAY_ATTEMPTS_URL=f"redis://:pass-word@{HOST}:{free_port()}/0")
        answer = ask(there, SIGN_IN, **RIGHT)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert result(ask(there, ME, tokens["accessToken"])) == {"email": "ada@example.org"}
        assert result(ask(there, REFRESH, refreshToken=tokens["refreshToken"]))["tokens"]
        assert "pass-word" not in there.log.read_text()


@pytest.mark.usefixtures("ada")
def test_refreshing_at_two_nodes(serve: Serve, environment: dict[str, str]) -> None:
    """Of many refreshes at once with one token, at different nodes, two get tokens and both stay signed in."""
    gateways = [serve(**environment) for _ in range(2)]
    tokens = result(ask(gateways[0], SIGN_IN, **RIGHT))["tokens"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda turn: ask(gateways[turn % 2], REFRESH, refreshToken=tokens["refreshToken"]), range(8))
        )
    results = list(map(result, answers))
    pairs = [given["tokens"] for given in results if "tokens" in given]
    assert len({pair["refreshToken"] for pair in pairs}) == 2
    assert [given["__typename"] for given in results].count("RefreshTokenError") == 6
    for turn, pair in enumerate(pairs):
        assert result(ask(gateways[turn % 2], ME, pair["accessToken"])) == {"email": "ada@example.org"}


@ON_SQLITE
@pytest.mark.usefixtures("ada")
def test_rotation_ends_no_session(
    serve: Serve, environment: dict[str, str], tmp_path: Path, keys_directory: Path
) -> None:
    """A new key signs on both running nodes within moments, and tokens of the old key stay valid."""
    environment = environment | {"GATEWAY_KEYS_DIR": copied(keys_directory, tmp_path / "keys")}
    gateways = [serve(**environment) for _ in range(2)]
    old = result(ask(gateways[0], SIGN_IN, **RIGHT))["tokens"]["accessToken"]
    subprocess.run([COMMAND, "keys", "new"], env=environment, check=True, capture_output=True)
    new = old
    while kid_of(new) == kid_of(old):
        new = result(ask(gateways[0], SIGN_IN, **RIGHT))["tokens"]["accessToken"]
    for gateway in gateways:
        for token in (old, new):
            assert result(ask(gateway, ME, token)) == {"email": "ada@example.org"}
        listed = httpx2.get(f"{gateway.base_url}/.well-known/jwks.json").json()["keys"]
        *made, oldest = [key["kid"] for key in listed]  # one for each door, then that of before
        assert (len(made), oldest) == (2, kid_of(old))
        assert kid_of(new) in made


def copied(keys_directory: Path, directory: Path) -> str:
    """The key files for another node."""
    directory.mkdir(mode=0o700)
    for path in keys_directory.iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
        (directory / path.name).chmod(0o600)
    return str(directory)


def test_the_secret_is_rotated_node_by_node(
    serve: Serve, environment: dict[str, str], tmp_path: Path, keys_directory: Path
) -> None:
    """A node with the former secret, one with both and one with the new one are ready side by side, until the end."""
    both, new = tmp_path / "both", tmp_path / "new"
    rotated = environment | {"GATEWAY_KEYS_DIR": copied(keys_directory, both)}
    nodes = [serve(**environment)]
    subprocess.run([COMMAND, "keys", "rotate-secret"], env=rotated, check=True, capture_output=True)
    nodes.append(serve(**rotated))
    ahead = environment | {"GATEWAY_KEYS_DIR": copied(both, new)}
    (new / PREVIOUS_NAME).unlink()
    nodes.append(serve(**ahead))
    assert [readiness(node) for node in nodes] == [200, 200, 200]
    subprocess.run([COMMAND, "keys", "end-rotation"], env=rotated, check=True, capture_output=True)
    eventually(lambda: readiness(nodes[0]) == 503)
    assert [readiness(node) for node in nodes[1:]] == [200, 200]


def readiness(node: Gateway) -> int:
    return httpx2.get(f"{node.base_url}/readyz", verify=NO_TLS).status_code


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@ON_SQLITE
@pytest.mark.usefixtures("ada")
def test_no_secret_in_the_log(serve: Serve, environment: dict[str, str]) -> None:
    """Passwords and tokens, right and wrong, do not appear in the log."""
    gateway = serve(**environment, GATEWAY_MODE="development")
    tokens = result(ask(gateway, SIGN_IN, **RIGHT))["tokens"]
    pair = result(ask(gateway, REFRESH, refreshToken=tokens["refreshToken"]))["tokens"]
    ask(gateway, SIGN_IN, **WRONG)
    ask(gateway, ME, tokens["accessToken"])
    ask(gateway, ME, tokens["accessToken"][:-3])
    ask(gateway, REFRESH, refreshToken=pair["refreshToken"][:-3])
    log = gateway.log.read_text()
    for secret in (PASSWORD, "wrong password", *tokens.values(), *pair.values()):
        assert secret not in log
        assert secret[20:60] not in log or len(secret) < 60
