"""deploy/: the examples of proxies that serve `/` and a prefix, over TLS, in front of a real gateway."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from harness.gateway import DIES_WITH_US, Gateway, outer_environment
from harness.ports import HOST, free_port
from registration.storage.database import open_database
from registration.storage.tables import audit, mail
from tests.faults.doors import CREATE, FORM
from tests.graphql_api.test_spans import REMOTE, collecting
from tests.nginx import EXAMPLE, running_example
from tests.programs import program
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

REPOSITORY = Path(__file__).parents[2]
CLIENT = "127.0.0.2"
SITE = "shop.example"
# What a client claims, and no proxy may pass on.
CLAIMS = {"X-Forwarded-For": "203.0.113.9", "traceparent": REMOTE}
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def caddy() -> str:
    """The path of Caddy."""
    return program("caddy", package="caddy", variable="REQUIRE_CADDY", untested="CADDY NOT TESTED")


@pytest.fixture
def gateway(sqlite_url: str, tmp_path: Path) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_DATABASE_URL": sqlite_url,
        "GATEWAY_TRUSTED_PROXIES": HOST,
        "GATEWAY_PUBLIC_URL": f"https://{SITE}/account",
    }
    with collecting() as collector, Gateway(tmp_path / "gateway", settings | collector.settings) as gateway:
        yield gateway


def sign_up(client: httpx2.Client, path: str, email: str) -> None:
    form = FORM | {"email": email, "salutation": "MS", "gender": "FEMALE"}
    answer = client.post(path, json={"query": CREATE, "variables": {"input": form}}, headers=CLAIMS)
    assert answer.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"


def assert_claims_do_not_count(sqlite_url: str, sign_ups: int) -> None:
    """The address of the client is its own, and no sign-up belongs to the trace that it named."""
    database = open_database(sqlite_url)
    assert [row["client_ip"] for row in rows(database, audit)] == [CLIENT] * sign_ups
    traceparents = [row["traceparent"] for row in rows(database, mail)]
    assert [REMOTE.split("-")[1] in each for each in traceparents] == [False] * sign_ups
    database.close()


def test_nginx_serves_below_a_prefix(nginx: str, gateway: Gateway, sqlite_url: str, tmp_path: Path) -> None:
    """With prefix.conf instead of `location /` a sign-up passes below /account, with the address of its client."""
    prefixed = (REPOSITORY / "deploy" / "nginx" / "prefix.conf").read_text("utf-8")
    text = re.sub(r"    location / \{.*?\n    \}\n", lambda _: prefixed, EXAMPLE, count=1, flags=re.DOTALL)
    with running_example(nginx, tmp_path / "nginx", text, gateway.port) as proxy, proxy.client_from(CLIENT) as client:
        sign_up(client, "/account/graphql", "ada@example.org")
        document = {"data": {"type": "customers", "attributes": FORM | {"email": "bea@example.org"}}}
        rest = client.post("/account/customers", json=document, headers=CLAIMS)
        assert rest.json()["data"]["links"]["self"].startswith(f"https://{SITE}/account/customers/")
        assert client.get("/graphql").status_code == 404
    assert_claims_do_not_count(sqlite_url, 2)


@contextmanager
def running_caddy(caddy: str, directory: Path, gateway: Gateway) -> Iterator[tuple[httpx2.Client, int]]:
    """Caddy with the example, a client that trusts its certificates, and the port of plain HTTP."""
    port, plain = free_port(), free_port()
    ours = f"{{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\thttp_port {plain}\n\thttps_port {port}\n"
    text = (REPOSITORY / "deploy" / "caddy" / "Caddyfile").read_text("utf-8")
    text = text.replace("\n{\n", f"\n{ours}", 1).replace("127.0.0.1:8000", f"{HOST}:{gateway.port}")
    (directory / "Caddyfile").write_text(text)
    environment = outer_environment() | {"HOME": str(directory), "XDG_DATA_HOME": str(directory)}
    command: list[str | Path] = [
        *DIES_WITH_US,
        caddy,
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        directory / "Caddyfile",
    ]
    root = directory / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    log = (directory / "log").open("wb")
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            # Until then it answers a client with an alert of TLS.
            ready = "certificate obtained successfully"
            eventually(lambda: process.poll() is not None or ready in (directory / "log").read_text())
            assert process.poll() is None, (directory / "log").read_text()
            trust = ssl.create_default_context(cafile=root)
            transport = httpx2.HTTPTransport(verify=trust, local_address=CLIENT)
            hooks = {"request": [_to_the_site]}
            with httpx2.Client(transport=transport, base_url=f"https://{HOST}:{port}", event_hooks=hooks) as client:
                yield client, plain
        finally:
            process.terminate()


def _to_the_site(request: httpx2.Request) -> None:
    request.headers["Host"] = request.extensions["sni_hostname"] = SITE


@pytest.fixture
def behind_caddy(caddy: str, gateway: Gateway, tmp_path: Path) -> Iterator[tuple[httpx2.Client, int]]:
    with running_caddy(caddy, tmp_path, gateway) as behind:
        yield behind


def test_caddy_passes_sign_ups_on(behind_caddy: tuple[httpx2.Client, int], sqlite_url: str) -> None:
    """Over TLS a sign-up passes at `/` and below /account, with the address of its client."""
    client, _ = behind_caddy
    sign_up(client, "/graphql", "ada@example.org")
    sign_up(client, "/account/graphql", "bea@example.org")
    assert_claims_do_not_count(sqlite_url, 2)


def test_caddy_bounds_requests(behind_caddy: tuple[httpx2.Client, int]) -> None:
    """A body over the gateway's limit gets its answer, one over the proxy's is refused, too; long paths pass."""
    client, _ = behind_caddy
    for path in ("/graphql", "/account/graphql"):
        large = client.post(path, content=b"x" * 100_000, headers={"Content-Type": "application/json"})
        assert (large.status_code, "65536" in large.text) == (413, True)
        assert is_refused(client, path, b"x" * 200_000)
    long = client.delete(f"/refresh-tokens/def502{'0' * 20_000}")
    assert (long.status_code, long.json()["errors"][0]["code"]) == (403, "002")


def is_refused(client: httpx2.Client, path: str, body: bytes) -> bool:
    """Whether Caddy lets a body not pass: it breaks off, before or after it has heard or passed on the 413."""
    try:
        return client.post(path, content=body, headers={"Content-Type": "application/json"}).status_code in {413, 502}
    except httpx2.TransportError:
        return True


def test_caddy_serves_tls_only(behind_caddy: tuple[httpx2.Client, int], gateway: Gateway) -> None:
    """A request without TLS is led to TLS, and does not reach the gateway."""
    _, plain = behind_caddy
    answer = httpx2.get(f"http://{HOST}:{plain}/healthz", headers={"Host": SITE})
    assert (answer.status_code, answer.headers["location"].startswith(f"https://{SITE}")) == (308, True)
    gateway.stop()
    assert "/healthz" not in gateway.log.read_text()


def test_the_log_of_caddy_holds_no_key(
    behind_caddy: tuple[httpx2.Client, int], gateway: Gateway, tmp_path: Path
) -> None:
    """The log has neither paths nor queries, not even when the gateway is down."""
    client, _ = behind_caddy
    gateway.stop()
    for path in (f"/register/confirm?token={KEY}", f"/account/refresh-tokens/{KEY}"):
        assert client.get(path).status_code == 502
    eventually(lambda: (tmp_path / "log").read_text().count("connection refused") == 2)
    assert KEY not in (tmp_path / "log").read_text()
