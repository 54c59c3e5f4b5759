"""deploy/: examples of proxies, of a container and of a compose file."""

import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]

from graphql_api.settings import GatewaySettings
from harness.certificate import server_context
from harness.gateway import outer_environment
from harness.ports import HOST, free_port
from registration.settings import PREFIX
from registration.storage.database import open_database
from registration.storage.tables import audit
from tests.conftest import Serve
from tests.faults.doors import CREATE, FORM
from tests.nginx import running_nginx
from tests.programs import program
from tests.registration.stored import rows

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
CLIENT = "127.0.0.2"
NAMES = {f"{PREFIX}{name.upper()}" for name in GatewaySettings.model_fields}


@pytest.fixture
def caddy() -> str:
    """The path of Caddy."""
    return program("caddy", package="caddy", variable="REQUIRE_CADDY", untested="CADDY NOT TESTED")


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_nginx_serves_below_a_prefix(nginx: str, serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
    """With prefix.conf instead of `location /` a sign-up passes below /account, with the address of its client."""
    public_url = "https://shop.example/account"
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_TRUSTED_PROXIES=HOST, GATEWAY_PUBLIC_URL=public_url)
    directory, port = tmp_path / "nginx", free_port()
    directory.mkdir()
    server_context(directory)
    text = (REPOSITORY / "docs" / "nginx.conf").read_text("utf-8")
    prefixed = (DEPLOY / "nginx" / "prefix.conf").read_text("utf-8")
    text = re.sub(r"    location / \{.*?\n    \}\n", lambda _: prefixed, text, count=1, flags=re.DOTALL)
    for published, here in {
        "listen 443 ssl": f"listen {HOST}:{port} ssl",
        "server 127.0.0.1:8000": f"server {HOST}:{gateway.port}",
        "/etc/nginx/tls/": f"{directory}/",
        "/var/log/nginx/": f"{directory}/",
    }.items():
        assert published in text
        text = text.replace(published, here)
    trust = ssl.create_default_context(cafile=directory / "cert.pem")
    transport = httpx2.HTTPTransport(verify=trust, local_address=CLIENT)
    with (
        running_nginx(nginx, directory, text),
        httpx2.Client(transport=transport, base_url=f"https://{HOST}:{port}") as client,
    ):
        form = FORM | {"email": "ada@example.org", "salutation": "MS", "gender": "FEMALE"}
        body = {"query": CREATE, "variables": {"input": form}}
        answer = client.post("/account/graphql", json=body, headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
        document = {"data": {"type": "customers", "attributes": FORM | {"email": "bea@example.org"}}}
        rest = client.post("/account/customers", json=document)
        assert rest.json()["data"]["links"]["self"].startswith(f"{public_url}/customers/")
        assert client.get("/graphql").status_code == 404
    database = open_database(sqlite_url)
    assert [row["client_ip"] for row in rows(database, audit)] == [CLIENT, CLIENT]
    database.close()


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_caddy_passes_requests_on(caddy: str, serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
    """The example in front of a gateway, without TLS: / and the prefix, a bound of bodies, the client's address."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_TRUSTED_PROXIES=HOST)
    port = free_port()
    text = (DEPLOY / "caddy" / "Caddyfile").read_text("utf-8")
    text = text.replace("shop.example {", f"http://{HOST}:{port} {{").replace(
        "127.0.0.1:8000", f"{HOST}:{gateway.port}"
    )
    file = tmp_path / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + text)
    environment = outer_environment() | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    command = [caddy, "run", "--adapter", "caddyfile", "--config", str(file)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            transport = httpx2.HTTPTransport(local_address=CLIENT, retries=20)
            with httpx2.Client(transport=transport, base_url=f"http://{HOST}:{port}") as client:
                form = FORM | {"email": "ada@example.org", "salutation": "MS", "gender": "FEMALE"}
                body = {"query": CREATE, "variables": {"input": form}}
                answer = client.post("/account/graphql", json=body, headers={"X-Forwarded-For": "203.0.113.9"})
                assert answer.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
                assert client.get("/healthz").status_code == 200
                large = client.post("/graphql", content=b"x" * 200_000, headers={"Content-Type": "application/json"})
                assert large.status_code in {413, 502}
        finally:
            process.terminate()
    database = open_database(sqlite_url)
    assert [row["client_ip"] for row in rows(database, audit)] == [CLIENT]
    database.close()


def test_the_compose_file_names_settings_that_exist() -> None:
    """The services run commands of ours with settings of ours, without root's rights, from a read-only image."""
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))["services"]
    ours = {name: each for name, each in services.items() if each["image"] == "registration-gateway"}
    assert ours.keys() == {"keys", "migrate", "gateway", "relay"}
    for each in ours.values():
        assert each["environment"].keys() - NAMES == set()
        assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"])
    text = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    assert set(re.findall(r"GATEWAY_[A-Z_]+", text)) - NAMES == set()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


@pytest.mark.long
def test_the_steps_of_the_container_install_a_gateway(tmp_path: Path) -> None:
    """What the Containerfile runs makes a gateway without the packages of development, with a portable fast hash."""
    if shutil.which("gcc") is None and "CI" not in os.environ:
        pytest.skip("CONTAINER'S STEPS NOT RUN: there is no gcc")
    target = tmp_path / "gateway"
    subprocess.run(["sh", DEPLOY / "container" / "build.sh", target, "x86-64-v3"], check=True, cwd=tmp_path)
    done = subprocess.run(
        [target / "bin" / "registration-gateway", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("registration-gateway ")
    assert not list(target.glob("lib/python3*/site-packages/pytest"))
