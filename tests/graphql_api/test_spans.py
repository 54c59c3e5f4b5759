"""The spans of requests and mails: what lies in what, and that none holds what a client sent."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.testclient import TestClient

from graphql_api.app import create_app
from graphql_api.settings import GatewaySettings
from harness.gateway import CHEAP_HASHES, COMMAND, DIES_WITH_US, outer_environment
from harness.ports import HOST
from registration.mail.composition import Composer
from registration.mail.relay import Relay
from registration.mail.transport import Refused
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM, Installation, installed
from tests.registration.mail.relays import RANDOM, ScriptedSender
from tests.spans import Spans, traced
from tests.waiting import PATIENCE, eventually

SIGN_IN = """mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) {
  ... on CreateAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"
REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def send_mails(running: Installation, sender: ScriptedSender) -> None:
    composer = Composer(running.services.secret, "https://shop.example", Address("Shop", "mail", "shop.example"))
    Relay(running.services.database, composer, [sender], clock=running.clock, random=RANDOM).run_once()


@pytest.fixture
def spans() -> Iterator[Spans]:
    with traced() as found:
        yield found


def test_a_sign_up_and_its_mail(spans: Spans, installation: Installation) -> None:
    """Request, operation, use case, waits, hash and commit lie in each other; the mail links to the request."""
    installation.sign_up()
    sender = ScriptedSender(lambda _: Refused("550 no such mailbox for ada@example.org"))
    send_mails(installation, sender)
    found = spans.trees()
    whole = "HTTP /graphql > createCustomer > sign_up"
    assert [line for line in found if line != f"{whole} > transaction"] == [
        "HTTP /graphql",
        "HTTP /graphql > createCustomer",
        whole,
        f"{whole} > wait for a slot",
        f"{whole} > hash",
        f"{whole} > commit",
        f"{whole} > commit > transaction",
        "mail",
    ]
    request, sign_up, sent = spans.named("HTTP /graphql"), spans.named("sign_up"), spans.named("mail")
    assert [(link.context.trace_id, link.context.span_id) for link in sent.links] == [
        (request.context.trace_id, sign_up.context.span_id)
    ]
    assert sign_up.context.trace_id == request.context.trace_id
    assert request.attributes == {
        "operation": "createCustomer",
        "outcome": "CreateCustomerSuccess",
        "status": 200,
        "correlation_id": installation.rows(mail)[0]["correlation_id"],
    }
    assert sent.attributes == {"mail_kind": "confirmation", "attempt": 1, "outcome": "Refused"}


def test_other_use_cases(spans: Spans, installation: Installation) -> None:
    """A use case that hashes waits for a turn and a slot; a token is looked up in a span of its request."""
    installation.sign_up()
    [key] = installation.confirmation_keys()
    installation.mutate(CONFIRM, {"token": key})
    tokens = installation.mutate(SIGN_IN, {"email": FORM["email"], "password": FORM["password"]})["tokens"]
    installation.post("{ me { id } }", authorization=f"Bearer {tokens['accessToken']}")
    found = set(spans.trees())
    assert {
        "HTTP /graphql > confirmCustomer > confirm_by_proof > transaction",
        "HTTP /graphql > createAccessToken > sign_in > hash",
        "HTTP /graphql > createAccessToken > sign_in > wait for a slot",
        "HTTP /graphql > createAccessToken > sign_in > commit > transaction",
        "HTTP /graphql > me > authenticate",
    } <= found


@pytest.mark.parametrize(("trusted_proxies", "is_believed"), [("10.0.0.0/8", True), ("", False)])
def test_a_trace_goes_on_behind_a_trusted_proxy(
    spans: Spans, installation: Installation, trusted_proxies: str, is_believed: bool
) -> None:
    """A request belongs to the trace that a trusted proxy names, and so does the row of its mail; else to a new one."""
    app = create_app(GatewaySettings(trusted_proxies=trusted_proxies), installation.services)
    client = TestClient(app, client=("10.0.0.1", 50_000))
    body = {"query": CREATE, "variables": {"input": FORM}}
    assert client.post("/graphql", json=body, headers={"traceparent": REMOTE}).status_code == 200
    [trace_id] = {f"{each.context.trace_id:032x}" for each in spans.all}
    assert (trace_id == REMOTE.split("-")[1]) is is_believed
    [row] = installation.rows(mail)
    assert row["traceparent"].split("-")[1] == trace_id


def test_a_traceparent_means_nothing_while_traces_are_off(installation: Installation) -> None:
    """Without traces the row of a mail has none, whatever the request has."""
    installation.post(CREATE, {"input": FORM}, traceparent=REMOTE)
    [row] = installation.rows(mail)
    assert row["traceparent"] is None


def test_no_span_holds_what_was_sent(spans: Spans, database: Database) -> None:
    """No argument, address, name, key, token, document or path with one is in any span, also of what fails."""
    with installed(database) as running:
        client = running.client
        running.sign_up()
        running.sign_up()
        [key] = running.confirmation_keys()
        client.get("/register/confirm", params={"token": key})
        running.mutate(CONFIRM, {"token": key})
        tokens = running.mutate(SIGN_IN, {"email": FORM["email"], "password": FORM["password"]})["tokens"]
        running.mutate(SIGN_IN, {"email": FORM["email"], "password": "wrong secret"})
        running.post("query Stranger { me { email } }", authorization=f"Bearer {tokens['accessToken']}")
        running.post('mutation { createAccessToken(input: {email: "eve@example.org"}) { __typename } }')
        running.post("nonsense of a stranger")
        client.request("STRANGE", "/graphql")
        client.get("/customers/DE--1", headers={"authorization": f"Bearer {tokens['accessToken']}"})
        client.get("/strange/path?token=strange")
        rest = FORM | {"salutation": "Ms", "gender": "Female", "email": "bob@example.org"}
        client.post("/customers", json={"data": {"type": "customers", "attributes": rest}})
        send_mails(running, ScriptedSender())
        sent = [key, *tokens.values(), "wrong secret", "Stranger", "eve@", "nonsense", "STRANGE", "DE--1", "strange"]
        sent += [str(FORM["email"]), str(FORM["password"]), "bob@", "Beispiel", "testclient", "mutation"]
        text = "".join(each.to_json() for each in spans.all)
    assert len(spans.all) > 40
    assert [secret for secret in sent if secret in text] == []


class Collector(HTTPServer):
    """Keeps the names of spans, and those of the services that sent them."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.seen: set[tuple[str, str]] = set()
        self.settings = {
            "GATEWAY_TRACES": "on",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{self.server_port}",
        }


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for of_resource in body.resource_spans:
            [service] = [
                each.value.string_value for each in of_resource.resource.attributes if each.key == "service.name"
            ]
            for of_scope in of_resource.scope_spans:
                self.server.seen |= {(service, span.name) for span in of_scope.spans}
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Called for each request."""


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_collector_gets_them(serve: Serve, sqlite_url: str, workers: str) -> None:
    """What a gateway did is sent where the OTEL_ variables say, at its end at the latest."""
    with collecting() as collector:
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_WORKERS=workers, **collector.settings)
        body = {"query": CREATE, "variables": {"input": FORM}}
        assert httpx2.post(f"{gateway.base_url}/graphql", json=body, timeout=PATIENCE).status_code == 200
        gateway.stop()
    names = {"HTTP /graphql", "createCustomer", "sign_up", "hash", "commit", "transaction"}
    assert {("registration-gateway", name) for name in names} <= collector.seen


@pytest.mark.long
def test_a_collector_gets_those_of_a_relay(serve: Serve, sqlite_url: str) -> None:
    """The command `relay` sends the span of a mail, and nothing of its looks at the outbox."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_RELAY="off")
    httpx2.post(f"{gateway.base_url}/graphql", json={"query": CREATE, "variables": {"input": FORM}}, timeout=PATIENCE)
    gateway.stop()
    with collecting() as collector:
        settings = {
            "GATEWAY_DATABASE_URL": sqlite_url,
            "GATEWAY_MODE": "development",
            "GATEWAY_KEYS_DIR": str(gateway.keys_directory),
            "GATEWAY_MAIL_URL": f"file://{gateway.mail_directory}",
        }
        environment = outer_environment() | CHEAP_HASHES | settings | collector.settings
        relay = subprocess.Popen([*DIES_WITH_US, COMMAND, "relay"], env=environment)
        eventually(lambda: list(gateway.mail_directory.glob("*.eml")))
        relay.terminate()
        assert relay.wait(PATIENCE) == 0
    assert collector.seen == {("registration-gateway", "mail")}


def test_without_the_packages_the_start_stops(sqlite_url: str, tmp_path: Path) -> None:
    """Where the extra is not installed, `serve` ends with one line that names the setting and the remedy."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()  # hides the installed packages
    settings = {"GATEWAY_TRACES": "on", "GATEWAY_MODE": "development", "GATEWAY_DATABASE_URL": sqlite_url}
    environment = os.environ | CHEAP_HASHES | settings | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [COMMAND, "serve"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "GATEWAY_TRACES needs more packages: pip install 'registration-gateway[traces]'" in done.stderr
