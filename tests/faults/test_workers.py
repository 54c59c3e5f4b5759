"""Two server processes on one port, which share a database and a secret."""

import os
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest

from harness.gateway import Gateway
from harness.ports import HOST
from harness.processes import command_line
from harness.smtp import SmtpServer
from registration.storage.database import Database
from registration.storage.tables import customer, mail
from tests.conftest import Serve
from tests.faults.doors import DOORS, PATIENCE, Answer, get, post_form
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PEOPLE = 60
ESTABLISHED = "01"  # in /proc/net/tcp


def workers(gateway: Gateway) -> list[int]:
    """The processes that serve: children of the one that was started."""
    pid = gateway.process.pid
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if "spawn_main" in command_line(child)]


def connections(gateway: Gateway, pid: int) -> int:
    """How many of a gateway's clients a process serves."""
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    clients = {field[9] for field in fields if field[1].endswith(f":{gateway.port:04X}") and field[3] == ESTABLISHED}
    files = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return len({f"socket:[{client}]" for client in clients} & files)


def sign_up(gateway: Gateway, name: str, people: int) -> list[Answer]:
    waiting = [DOORS[number % 2](gateway, f"{name}-{number}@example.org") for number in range(people)]
    return [answer for read in waiting if (answer := read())]


def wait_for_both(gateway: Gateway) -> None:
    """Return when each worker has had a client."""
    clients = []

    def both_serve() -> bool:
        client = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
        clients.append(client)
        client.request("GET", "/readyz")
        assert client.getresponse().read()
        return len(found := workers(gateway)) == 2 and all(connections(gateway, pid) for pid in found)

    eventually(both_serve)
    for client in clients:
        client.close()


def test_two_workers_are_one_gateway(serve: Serve, database: Database, database_url: str, smtp: SmtpServer) -> None:
    """Both workers serve, references and mails are unique, and each accepts keys of the other."""
    gateway = serve(
        GATEWAY_WORKERS="2", GATEWAY_DATABASE_URL=database_url, GATEWAY_MAIL_URL=smtp.url, GATEWAY_QUEUE_SECONDS="60"
    )
    wait_for_both(gateway)

    answers = sign_up(gateway, "ada", PEOPLE)
    assert [answer.verdict for answer in answers] == ["registered"] * PEOPLE
    assert len({answer.reference for answer in answers}) == PEOPLE
    eventually(lambda: {row["status"] for row in rows(database, mail)} == {"sent"})
    assert sorted(message["To"].addresses[0].addr_spec for message in smtp.messages) == sorted(
        f"ada-{number}@example.org" for number in range(PEOPLE)
    )
    for message in smtp.messages:
        body = message.get_body(("plain",))
        assert body
        key = body.get_content().partition("?token=")[2][:32]
        assert post_form(gateway, "/register/confirm", {"action": "confirm", "token": key}) == 303
    assert None not in {row["confirmed_at"] for row in rows(database, customer)}


def test_a_worker_that_dies_is_replaced(serve: Serve, sqlite_url: str) -> None:
    """The other worker goes on, and soon there are two again."""
    gateway = serve(GATEWAY_WORKERS="2", GATEWAY_DATABASE_URL=sqlite_url)
    eventually(lambda: len(workers(gateway)) == 2)
    victim, _ = workers(gateway)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in workers(gateway) and len(workers(gateway)) == 2)
    assert [answer.verdict for answer in sign_up(gateway, "ada", 10)] == ["registered"] * 10
    assert get(gateway, "/readyz") == 200


def test_clients_are_shared_out(serve: Serve, sqlite_url: str) -> None:
    """Simultaneous clients are spread over both workers."""
    gateway = serve(GATEWAY_WORKERS="2", GATEWAY_DATABASE_URL=sqlite_url)
    wait_for_both(gateway)
    clients = [socket.create_connection((HOST, gateway.port), timeout=PATIENCE) for _ in range(40)]
    eventually(lambda: all(connections(gateway, worker) >= 5 for worker in workers(gateway)))
    for client in clients:
        client.close()
