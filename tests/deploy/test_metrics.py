"""Metrics of real gateways, and what deploy/ makes of them."""

import json
import os
import re
import signal
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from graphql_api.server.metrics_port import Exposed
from harness.gateway import Gateway
from harness.ports import HOST, free_port
from harness.processes import tree
from registration.metrics import Backlog
from registration.records.backlog import backlog
from registration.records.events import EventKind, record_event
from registration.storage.database import Database, open_database
from tests.conftest import Serve
from tests.deploy.promtool import promtool
from tests.graphql_api.installation import CREATE, FORM
from tests.registration.people import NOW, signed_up
from tests.waiting import PATIENCE, eventually

REPOSITORY = Path(__file__).parents[2]
ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "dashboard.json"
NAME = re.compile(r"\bgateway_\w+")


class Scraped:
    """The metrics of one scrape; `text` is as it came."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [each for family in text_string_to_metric_families(text) for each in family.samples]

    def value(self, name: str, **labels: str) -> float:
        return sum(each.value for each in self._samples if each.name == name and labels.items() <= each.labels.items())

    def labels(self, name: str, label: str) -> set[str]:
        return {each.labels[label] for each in self._samples if each.name == name}

    @property
    def names(self) -> set[str]:
        """With the names of series that no event has made yet."""
        declared = dict(re.findall(r"^# TYPE (\w+) (\w+)$", self.text, re.MULTILINE))
        parts = {"histogram": ("_bucket", "_sum", "_count")}
        return {name + part for name, kind in declared.items() for part in parts.get(kind, ("",))}


def scrape(port: int, path: str = "/metrics") -> Scraped:
    return Scraped(httpx2.get(f"http://{HOST}:{port}{path}", timeout=PATIENCE).raise_for_status().text)


def sign_up(gateway: Gateway, email: str) -> None:
    body = {"query": CREATE, "variables": {"input": FORM | {"email": email}}}
    assert httpx2.post(f"{gateway.base_url}/graphql", json=body, timeout=PATIENCE).status_code == 200


def rest_sign_up(gateway: Gateway, email: str) -> None:
    form = FORM | {"salutation": "Ms", "gender": "Female", "email": email}
    document = {"data": {"type": "customers", "attributes": form}}
    httpx2.post(f"{gateway.base_url}/customers", json=document, timeout=PATIENCE)


@pytest.mark.long
class TestOneProcess:
    def test_counts_what_both_doors_do_and_what_waits(self, serve: Serve, sqlite_url: str) -> None:
        """A sign-up counts by the member it was answered with, through both doors; mails and slots are shown."""
        port = free_port()
        gateway = serve(
            GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_METRICS_PORT=str(port), GATEWAY_METRICS_PATH="/internal"
        )
        sign_up(gateway, "ada@example.org")
        rest_sign_up(gateway, "ada@example.org")
        sign_up(gateway, "no address")
        httpx2.post(
            f"{gateway.base_url}/graphql", json={"query": "query Stranger { registrationPolicy { __typename } }"}
        )
        httpx2.post(f"{gateway.base_url}/graphql", json={"query": "query Stranger { __typename }"})
        httpx2.post(
            f"{gateway.base_url}/graphql",
            json={"query": 'mutation { confirmCustomer(input: {token: "x"}) { __typename } }'},
        )
        httpx2.post(f"{gateway.base_url}/graphql", json={"query": "nonsense"})
        eventually(lambda: scrape(port, "/internal").value("gateway_mails_total", outcome="sent") == 1)
        seen = scrape(port, "/internal")
        signed_up = {
            outcome: seen.value("gateway_operations_total", operation="createCustomer", outcome=outcome)
            for outcome in seen.labels("gateway_operations_total", "outcome")
            if seen.value("gateway_operations_total", operation="createCustomer", outcome=outcome)
        }
        assert signed_up == {"CreateCustomerSuccess": 1, "EmailTakenError": 1, "InvalidInputError": 1}
        operations = seen.labels("gateway_operations_total", "operation")
        known = {"createCustomer", "registrationPolicy", "other", "confirmCustomer", "/graphql", "/readyz"}
        assert operations == known
        assert (
            seen.value("gateway_operations_total", operation="confirmCustomer", outcome="ConfirmationTokenError") == 1
        )
        assert seen.value("gateway_operations_total", outcome="GRAPHQL_PARSE_FAILED") == 1
        assert seen.value("gateway_request_seconds_count", operation="createCustomer") == 3
        assert seen.value("gateway_hash_wait_seconds_count", place="slot") >= 2
        assert seen.value("gateway_hash_slots") == os.cpu_count()
        assert (seen.value("gateway_hash_slots_busy"), seen.value("gateway_hash_queue_length")) == (0, 0)
        assert seen.value("gateway_database_connections") > 8
        assert (seen.value("gateway_outbox_mails"), seen.value("gateway_events_waiting")) == (0, 1)
        assert (seen.value("gateway_database_up"), seen.value("gateway_build_info")) == (1, 1)
        assert "Stranger" not in seen.text
        assert httpx2.get(f"http://{HOST}:{port}/metrics").status_code == 404
        promtool("check", "metrics", given=seen.text)


def test_says_that_the_database_is_gone() -> None:
    """Without a database a scrape still works, says so, and leaves out what it cannot know."""
    database, registry = open_database("postgresql://gateway@127.0.0.1:1/gateway"), CollectorRegistry()
    registry.register(Exposed(database, None))
    seen = Scraped(generate_latest(registry).decode())
    database.close()
    assert "gateway_outbox_mails" not in seen.names
    assert seen.value("gateway_database_up") == 0


@pytest.mark.long
class TestSeveralWorkers:
    def test_count_together_also_after_one_was_killed(self, serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
        """The counts of workers add up; those of a killed one stay, but its slots do not."""
        port = free_port()
        gateway = serve(
            GATEWAY_DATABASE_URL=sqlite_url,
            GATEWAY_METRICS_PORT=str(port),
            GATEWAY_WORKERS="2",
            GATEWAY_HASH_SLOTS="3",
            GATEWAY_RELAY="off",
        )
        eventually(lambda: scrape(port).value("gateway_hash_slots") == 6)
        for number in range(8):
            sign_up(gateway, f"ada{number}@example.org")
        assert scrape(port).value("gateway_operations_total", outcome="CreateCustomerSuccess") == 8
        assert scrape(port).value("gateway_outbox_mails") == 8
        assert scrape(port).value("gateway_outbox_oldest_seconds") > 0
        worker = next(pid for pid in tree(gateway.process.pid) if _holds_slots(pid, gateway))
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{worker}").exists() and scrape(port).value("gateway_hash_slots") == 6)
        assert scrape(port).value("gateway_operations_total", outcome="CreateCustomerSuccess") == 8


def _holds_slots(pid: int, gateway: Gateway) -> bool:
    """Whether a process is a worker, not the one that watches over them or helps them start."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return pid != gateway.process.pid and b"spawn_main" in command


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_rules_and_dashboard_are_understood_by_prometheus(tmp_path: Path) -> None:
    """Prometheus takes the alert rules, and every expression of the dashboard."""
    assert "10 rules found" in promtool("check", "rules", str(ALERTS))
    rules = [{"record": f"panel{number}", "expr": each} for number, each in enumerate(expressions())]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(path))


def test_what_deploy_and_docs_name_exists(sqlite_url: str) -> None:
    """Every metric of the rules and of the dashboard is exposed; docs/metrics.md names all and no other."""
    database, registry = open_database(sqlite_url), CollectorRegistry()
    registry.register(Exposed(database, None))
    exposed = Scraped(generate_latest(registry).decode()).names
    database.close()
    named = set(NAME.findall(ALERTS.read_text("utf-8"))) | set(NAME.findall(" ".join(expressions())))
    assert named - exposed == set()
    documented = set(NAME.findall((REPOSITORY / "docs" / "metrics.md").read_text("utf-8")))
    assert documented == {re.sub("_(bucket|sum|count)$", "", name) for name in exposed if not name.endswith("_created")}


def test_what_waits_is_looked_up(database: Database) -> None:
    """Mails that wait are counted, with the age of the oldest, and the events that are kept."""
    assert database.read(lambda connection: backlog(connection, NOW)) == Backlog(0, 0.0, 0)
    ada = signed_up(database)
    database.write(lambda connection: record_event(connection, uuid4(), EventKind.CREATED, ada, NOW))
    later = NOW + timedelta(minutes=3)
    assert database.read(lambda connection: backlog(connection, later)) == Backlog(1, 180.0, 1)
