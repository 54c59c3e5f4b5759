"""docs/nginx.conf in front of a real gateway: what nginx lets through, what it holds back, what it logs."""

import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from harness.gateway import Gateway
from harness.ports import HOST
from registration.storage.database import open_database
from registration.storage.tables import audit, mail
from tests.faults.doors import CREATE, FORM
from tests.graphql_api.test_spans import REMOTE, collecting
from tests.nginx import EXAMPLE, running_example
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PUBLIC_URL = "https://shop.example"
# Clients have an address of their own: the gateway trusts 127.0.0.1, which is the proxy's.
CLIENT = "127.0.0.2"
FAR_TOO_MANY = 1000
OPEN_REQUESTS = 20  # `limit_conn connections` of the example
READ = {"query": "{ __typename }"}
TOO_MANY = "Too many requests. Please try again in a moment.\n"


@dataclass(frozen=True, slots=True)
class Proxied:
    """A gateway behind nginx, and a client of nginx; `directory` has the logs of nginx."""

    gateway: Gateway
    client: httpx2.Client
    port: int
    trust: ssl.SSLContext
    directory: Path


@pytest.fixture
def gateway(sqlite_url: str, tmp_path: Path) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_DATABASE_URL": sqlite_url,
        "GATEWAY_TRUSTED_PROXIES": HOST,
        "GATEWAY_PUBLIC_URL": PUBLIC_URL,
    }
    with collecting() as collector, Gateway(tmp_path / "gateway", settings | collector.settings) as gateway:
        yield gateway


@pytest.fixture
def proxied(nginx: str, gateway: Gateway, tmp_path: Path) -> Iterator[Proxied]:
    with (
        running_example(nginx, tmp_path / "nginx", EXAMPLE, gateway.port) as proxy,
        proxy.client_from(CLIENT) as client,
    ):
        yield Proxied(gateway, client, proxy.port, proxy.trust, proxy.directory)


def test_a_sign_up_passes_with_the_address_of_its_client(proxied: Proxied, sqlite_url: str) -> None:
    """Both doors register through nginx, and record the client's own address and a new trace, whatever it claims."""
    claimed = {"X-Forwarded-For": "203.0.113.9", "traceparent": REMOTE}
    form = FORM | {"email": "ada@example.org", "salutation": "MS", "gender": "FEMALE"}
    graphql = proxied.client.post("/graphql", json={"query": CREATE, "variables": {"input": form}}, headers=claimed)
    document = {"data": {"type": "customers", "attributes": FORM | {"email": "bea@example.org"}}}
    rest = proxied.client.post("/customers", json=document, headers=claimed)
    assert graphql.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
    assert rest.status_code == 201
    assert rest.json()["data"]["links"]["self"].startswith(f"{PUBLIC_URL}/customers/")
    database = open_database(sqlite_url)
    assert [row["client_ip"] for row in rows(database, audit)] == [CLIENT, CLIENT]
    assert [REMOTE.split("-")[1] in row["traceparent"] for row in rows(database, mail)] == [False, False]
    database.close()


def test_a_burst_beyond_the_rate_does_not_reach_the_gateway(proxied: Proxied) -> None:
    """A client that asks without a pause is answered 429 by nginx; the gateway sees the requests before that only."""
    answers = [proxied.client.post("/graphql", json=READ)]
    while answers[-1].status_code == 200 and len(answers) < FAR_TOO_MANY:
        answers.append(proxied.client.post("/graphql", json=READ))
    *passed, refused = answers
    assert (refused.status_code, refused.text) == (429, TOO_MANY)
    assert refused.headers["retry-after"]
    proxied.gateway.stop()
    assert passed
    assert proxied.gateway.log.read_text().count('"route": "/graphql"') == len(passed)


def test_a_client_has_so_many_requests_open_and_no_more(proxied: Proxied) -> None:
    """While a client has as many requests open as it may, the next one is answered 429."""
    with ExitStack() as opened:
        for _ in range(OPEN_REQUESTS):
            connection = opened.enter_context(proxied.trust.wrap_socket(_connect(proxied), server_hostname=HOST))
            connection.sendall(b"POST /graphql HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9\r\n\r\n{")
        assert proxied.client.post("/graphql", json=READ).text == TOO_MANY
    eventually(lambda: proxied.client.post("/graphql", json=READ).status_code == 200)


@pytest.mark.parametrize(
    ("version", "spoken"), [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)]
)
def test_only_recent_versions_of_tls_are_spoken(proxied: Proxied, version: str, spoken: bool) -> None:
    """A client that offers TLS 1.0 or 1.1 only is refused by the server; 1.2 and 1.3 are spoken."""
    assert (_shake_hands(proxied, ssl.TLSVersion[version]) is None) is spoken


@pytest.mark.parametrize(
    ("cipher", "spoken"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA", False),
    ],
)
def test_only_ciphers_with_forward_secrecy_are_spoken(proxied: Proxied, cipher: str, spoken: bool) -> None:
    """With TLS 1.2 a cipher that authenticates what it encrypts is spoken, an older one is refused."""
    assert (_shake_hands(proxied, ssl.TLSVersion.TLSv1_2, cipher) is None) is spoken


def test_plain_http_is_not_served(proxied: Proxied) -> None:
    """A request without TLS does not reach the gateway, and is not led to another address either."""
    with httpx2.Client(base_url=f"http://{HOST}:{proxied.port}") as plain:
        assert plain.get("/healthz").status_code == 400
    proxied.gateway.stop()
    assert "/healthz" not in proxied.gateway.log.read_text()


def test_large_requests_get_the_answer_of_the_gateway(proxied: Proxied) -> None:
    """A body over the gateway's limit and a token of thousands of characters in the path pass nginx."""
    large = proxied.client.post("/graphql", content=b"x" * 100_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, "65536" in large.text) == (413, True)
    long = proxied.client.delete(f"/refresh-tokens/def502{'0' * 20_000}")
    assert (long.status_code, long.json()["errors"][0]["code"]) == (403, "002")


def test_no_log_of_the_proxy_holds_a_key_or_a_token(proxied: Proxied) -> None:
    """Neither the access log nor the error log of nginx has a path or a query, not even when the gateway is down."""
    key = "0123456789abcdef0123456789abcdef"
    addresses = (f"/register/confirm?token={key}", f"/refresh-tokens/{key}")
    found = [proxied.client.get(address).status_code for address in addresses]
    proxied.gateway.stop()
    lost = [proxied.client.get(address).status_code for address in addresses]
    assert (found, lost) == ([404, 404], [502, 502])
    # nginx writes a line after it has sent the answer.
    eventually(lambda: (proxied.directory / "gateway.log").read_text().count(" GET 502 ") == 2)
    logs = {path.name: path.read_text() for path in proxied.directory.glob("*.log")}
    assert not [name for name, text in logs.items() if key in text]


def _shake_hands(proxied: Proxied, version: ssl.TLSVersion, ciphers: str = "ALL") -> str | None:
    """Why the server refuses a client that speaks one version of TLS only; None when it does not."""
    context = ssl.create_default_context(cafile=proxied.directory / "cert.pem")
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")  # else this client itself would refuse old versions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
        context.minimum_version = version
    try:
        with context.wrap_socket(_connect(proxied), server_hostname=HOST):
            return None
    except ssl.SSLError as error:
        if "ALERT" in error.reason:
            return error.reason
        raise  # it was not the server that refused


def _connect(proxied: Proxied) -> socket.socket:
    return socket.create_connection((HOST, proxied.port), source_address=(CLIENT, 0))
