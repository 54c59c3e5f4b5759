"""`serve` and `relay` as real processes: their start, their log, their end."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select

from harness.gateway import COMMAND, DIES_WITH_US, Gateway, succeeds
from harness.ports import HOST, free_port
from harness.processes import command_line, tree
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_key
from registration.storage.database import open_database
from registration.storage.tables import mail
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM
from tests.registration.mail.scripted_server import Script
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.long


def sign_up(gateway: Gateway, email: str = "ada@example.org") -> str:
    body = {"query": CREATE, "variables": {"input": FORM | {"email": email}}}
    response = httpx2.post(f"{gateway.base_url}/graphql", json=body, timeout=PATIENCE)
    return str(response.json()["data"]["createCustomer"]["__typename"])


def wait_for(log: Path, words: str, times: int) -> None:
    eventually(lambda: log.read_text().count(words) == times)


def link_in(directory: Path) -> str:
    """The link in the only mail."""
    eventually(lambda: list(directory.glob("*.eml")))
    (path,) = directory.glob("*.eml")
    body = message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body
    (link,) = [word for word in body.get_content().split() if "/register/confirm?token=" in word]
    return str(link)


class TestServe:
    def test_signs_up_mails_and_confirms_without_logging_a_secret(self, serve: Serve, sqlite_url: str) -> None:
        """From sign-up to confirmation the log holds neither key, address nor password."""
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url)
        assert sign_up(gateway) == "CreateCustomerSuccess"
        link = link_in(gateway.mail_directory)
        key = link.partition("token=")[2][:32]
        assert link == f"{gateway.base_url}/register/confirm?token={key}&_locale=en_US"
        assert "Is this your registration?" in httpx2.get(link).text
        page, form = f"{gateway.base_url}/register/confirm", {"token": key, "action": "confirm"}
        done = httpx2.post(page, data=form, follow_redirects=True)
        assert "Done: your address is confirmed" in done.text
        httpx2.get(f"{gateway.base_url}/nowhere/{key}?email=ada@example.org")
        gateway.stop()
        log = gateway.log.read_text()
        assert '"route": "/register/confirm"' in log
        assert done.headers["x-correlation-id"] in log
        for secret in (key, "ada@example.org", "correct horse", "Beispiel"):
            assert secret not in log
        assert '"level": "error"' not in log

    def test_says_where_things_are(self, serve: Serve, sqlite_url: str) -> None:
        """`serve` prints its URLs in development; in production every line of its output is JSON, these as well."""
        production = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_TYPO="1", GATEWAY_CONNECTIONS="1000000")
        with socket.create_connection((HOST, production.port)) as client:
            client.sendall(b"nonsense\r\n\r\n")
            client.recv(1000)
        production.stop()
        events = {each["event"]: each for each in map(json.loads, production.log.read_text().splitlines())}
        assert {"starting", "serving", "not a setting of ours", "Invalid HTTP request received."} <= events.keys()
        assert events["starting"]["database"] == sqlite_url.removeprefix("sqlite:///")
        assert events["starting"]["keys"] == str(production.keys_directory)
        assert events["serving"]["graphql"] == f"{production.base_url}/graphql"
        same = {"GATEWAY_DATABASE_URL": sqlite_url, "GATEWAY_KEYS_DIR": str(production.keys_directory)}
        development = serve(GATEWAY_MODE="development", **same)
        assert development.log.read_text().splitlines()[:6] == [
            f"Database     {sqlite_url.removeprefix('sqlite:///')}",
            f"Keys         {production.keys_directory}",
            f"GraphQL      {development.base_url}/graphql  (GraphiQL in a browser)",
            f"REST         {development.base_url}/customers",
            f"Mailbox      {development.base_url}/mailbox",
            "Stop with Ctrl-C.",
        ]

    def test_says_where_a_relative_database_is(self, tmp_path: Path) -> None:
        """`serve` prints the absolute paths of a database and of keys that are new or named by a relative path."""
        (tmp_path / "elsewhere").mkdir()
        settings = {"GATEWAY_MODE": "development", "GATEWAY_RELAY": "off", "GATEWAY_PASSWORD_DENY_LIST": "none"}
        first = run("serve", tmp_path / "elsewhere", **settings)
        again = run("serve", tmp_path / "elsewhere", **settings)
        made = [f"Database     {tmp_path}/elsewhere/var/registration.db", f"Keys         {tmp_path}/elsewhere/var/keys"]
        assert first.stdout.splitlines() == [f"{line}  (new)" for line in made]
        assert again.stdout.splitlines() == made

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_links_lead_to_the_port_that_the_system_chose(self, sqlite_url: str, tmp_path: Path, workers: str) -> None:
        """In development with GATEWAY_PORT=0 the links of both doors name the port on which the gateway listens."""
        settings = {"GATEWAY_MODE": "development", "GATEWAY_PORT": "0", "GATEWAY_WORKERS": workers}
        files = {"GATEWAY_DATABASE_URL": sqlite_url, "GATEWAY_MAIL_URL": f"file://{tmp_path}/mail"}
        process = start("serve", tmp_path, **settings, **files)
        log = tmp_path / "serve.log"
        try:
            eventually(lambda: "Stop with Ctrl-C." in log.read_text())
            (url,) = re.findall(r"REST +(http://127\.0\.0\.1:[1-9]\d*)/customers", log.read_text())
            eventually(lambda: succeeds(urlsplit(url).port or 0, "/readyz"))
            openapi = httpx2.get(f"{url}/openapi.json").json()
            body = {"query": CREATE, "variables": {"input": FORM}}
            assert httpx2.post(f"{url}/graphql", json=body, timeout=PATIENCE).status_code == 200
            assert openapi["servers"] == [{"url": url}]
            assert link_in(tmp_path / "mail").startswith(f"{url}/register/confirm?token=")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0

    def test_makes_an_embedded_installation_by_itself(self, serve: Serve, tmp_path: Path) -> None:
        """`serve` creates the database and the directories of an embedded installation."""
        gateway = serve(GATEWAY_DATABASE_URL=f"sqlite:///{tmp_path}/new/registration.db")
        assert sign_up(gateway) == "CreateCustomerSuccess"

    def test_serves_with_several_workers(self, serve: Serve, database_url: str) -> None:
        """An address that one worker has registered is taken for all workers."""
        gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_WORKERS="2")
        answers = [sign_up(gateway) for _ in range(6)]
        assert answers == ["CreateCustomerSuccess", *["EmailTakenError"] * 5]
        gateway.stop()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{gateway.base_url}/healthz")

    def test_says_that_its_port_is_taken(self, serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
        """A port in use ends `serve` with one line that names the settings."""
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url)
        second = run(
            "serve",
            tmp_path,
            GATEWAY_RELAY="off",
            GATEWAY_PORT=str(gateway.port),
            GATEWAY_PUBLIC_URL=gateway.base_url,
        )
        assert second.returncode == 2
        assert second.stderr.splitlines()[-1:] == [
            f"registration-gateway: GATEWAY_HOST 127.0.0.1 with GATEWAY_PORT {gateway.port}: "
            "cannot listen there: Address already in use"
        ]
        assert httpx2.get(f"{gateway.base_url}/healthz").status_code == 200

    def test_takes_the_number_of_workers_as_an_option(self, tmp_path: Path) -> None:
        """`--workers` overrides GATEWAY_WORKERS."""
        done = run("serve", tmp_path, "--workers", "2", GATEWAY_WORKERS="none", GATEWAY_PORT="none")
        assert done.stderr.startswith("registration-gateway: GATEWAY_PORT ")
        assert "GATEWAY_WORKERS" not in done.stderr


@contextmanager
def unfinished_request(gateway: Gateway) -> Iterator[socket.socket]:
    """The connection of a request whose body the server waits for."""
    with socket.create_connection((HOST, gateway.port), timeout=PATIENCE) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            b"Content-Length: 25\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        yield connection


def finish(connection: socket.socket) -> None:
    """Send the body, and see the answer and then the end of the connection."""
    connection.sendall(b'{"query":"{__typename}"} ')
    answer = b""
    while part := connection.recv(1000):
        answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"data":{"__typename":"Query"}}')


class TestCtrlC:
    """A signal arrives while the server waits for the body of a request."""

    @pytest.fixture
    def gateway(self, serve: Serve, sqlite_url: str) -> Gateway:
        return serve(GATEWAY_DATABASE_URL=sqlite_url)

    @pytest.fixture
    def request_under_way(self, gateway: Gateway) -> Iterator[socket.socket]:
        with unfinished_request(gateway) as connection:
            yield connection

    def test_lets_requests_finish(self, gateway: Gateway, request_under_way: socket.socket) -> None:
        """After a signal no connection is accepted, the running request is answered, and the status is 0."""
        stopping = Thread(target=gateway.stop)
        stopping.start()
        eventually(lambda: not is_listening(gateway))
        finish(request_under_way)
        stopping.join()

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_waits_no_longer_for_a_slow_mail_server(self, serve: Serve, sqlite_url: str, workers: str) -> None:
        """While a mail server says nothing, a signal ends the process, and the mail is due for the next one."""
        silence = Event()
        with Script({"RCPT": silence}) as server:
            gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MAIL_URL=server.url, GATEWAY_WORKERS=workers)
            assert sign_up(gateway) == "CreateCustomerSuccess"
            eventually(server.waiting.is_set)
            gateway.stop()
            silence.set()
        database = open_database(sqlite_url)
        [(status, reason)] = database.read(lambda connection: connection.execute(select(mail.c.status, mail.c.reason)))
        assert (status, reason) == ("waiting", None)
        database.close()

    def test_twice_does_not_wait(self, gateway: Gateway, request_under_way: socket.socket) -> None:
        """A second signal ends the process without waiting for requests."""
        process = gateway.process
        process.send_signal(signal.SIGINT)
        eventually(lambda: not is_listening(gateway))
        gateway.stop()
        assert process.poll() is not None


class TestHangUp:
    """SIGHUP lets requests finish and makes the processes begin anew."""

    def test_lets_requests_finish_and_begins_anew(self, serve: Serve, sqlite_url: str, tmp_path: Path) -> None:
        """With one worker the running request is answered, new clients wait, and files are read again."""
        deny_list = tmp_path / "deny_list.txt"
        deny_list.write_text("swordfish\n")
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_PASSWORD_DENY_LIST=str(deny_list))
        for email, refused in (("ada@example.org", "another word"), ("eve@example.org", "correct horse")):
            assert sign_up(gateway, email) == "CreateCustomerSuccess"
            deny_list.write_text(f"{refused}\n")
            with unfinished_request(gateway) as connection:
                gateway.process.send_signal(signal.SIGHUP)
                finish(connection)
        assert sign_up(gateway, "bob@example.org") == "InvalidInputError"
        assert gateway.process.poll() is None

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_changes_nothing_where_a_start_would_fail(
        self, serve: Serve, sqlite_url: str, tmp_path: Path, workers: str
    ) -> None:
        """With a file that is gone the processes go on, and a line says why; when the file is back, they begin anew."""
        deny_list = tmp_path / "deny_list.txt"
        deny_list.write_text("swordfish\n")
        gateway = serve(
            GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_PASSWORD_DENY_LIST=str(deny_list), GATEWAY_WORKERS=workers
        )
        if workers == "2":
            database = sqlite_url.removeprefix("sqlite:///")
            eventually(lambda: [has_open(pid, database) for pid in workers_of(gateway)] == [True, True])
        deny_list.unlink()
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(gateway.log, "not begun anew", 1)
        assert (
            f"registration-gateway: GATEWAY_PASSWORD_DENY_LIST {deny_list}: cannot be read" in gateway.log.read_text()
        )
        assert sign_up(gateway) == "CreateCustomerSuccess"
        deny_list.write_text("correct horse\n")
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: sign_up(gateway, f"{uuid4().hex}@example.org") == "InvalidInputError")
        assert "Traceback" not in gateway.log.read_text()

    def test_replaces_workers(self, serve: Serve, sqlite_url: str) -> None:
        """With two workers each is replaced by another process, and the first process stays."""
        gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_WORKERS="2")
        first = set(workers_of(gateway))
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(workers_of(gateway)) == 2 and not first & set(workers_of(gateway)))
        assert sign_up(gateway) == "CreateCustomerSuccess"

    @pytest.mark.parametrize(("command", "workers"), [("serve", "1"), ("serve", "2"), ("relay", "1")])
    def test_that_closes_the_terminal_ends_the_process(
        self, sqlite_url: str, tmp_path: Path, command: str, workers: str
    ) -> None:
        """A process whose terminal has been closed ends, because its user is gone."""
        try:
            controller, terminal = os.openpty()
        except OSError as error:
            pytest.skip(f"this machine has no pseudo-terminal: {error}")
        port = free_port()
        settings = development(sqlite_url, tmp_path) | {"GATEWAY_WORKERS": workers, "GATEWAY_PORT": str(port)}
        process = start(command, tmp_path, terminal, **settings)
        os.close(terminal)
        if command == "serve":
            eventually(lambda: succeeds(port, "/readyz"))
        else:
            wait_for(tmp_path / "relay.log", "Sending mails. Stop with Ctrl-C.", 1)
        os.close(controller)
        process.send_signal(signal.SIGHUP)
        assert process.wait(PATIENCE) == 0


def development(database_url: str, directory: Path) -> dict[str, str]:
    """The settings of an installation in a directory, with keys."""
    keys = directory / "keys"
    create_secret(keys)
    create_signing_key(keys)
    return {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_MODE": "development",
        "GATEWAY_KEYS_DIR": str(keys),
        "GATEWAY_MAIL_URL": f"file://{directory}/mail",
    }


def workers_of(gateway: Gateway) -> list[int]:
    """The processes with an event loop: not the first one, and not the one that counts resources."""
    ids = tree(gateway.process.pid)[1:]
    return [pid for pid in ids if "spawn_main" in command_line(pid)]


def has_open(pid: int, path: str) -> bool:
    """Whether a process has opened a file: a worker opens its database when it has read its other files."""
    try:
        return any(os.readlink(each) == path for each in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # a file was closed meanwhile
        return False


def is_listening(gateway: Gateway) -> bool:
    try:
        socket.create_connection((HOST, gateway.port), timeout=1).close()
    except OSError:
        return False
    return True


class TestRelay:
    def test_begins_anew_at_a_hang_up(self, sqlite_url: str, tmp_path: Path) -> None:
        """At SIGHUP `relay` finishes the mail that it sends, and begins anew."""
        relay = start("relay", tmp_path, **development(sqlite_url, tmp_path))
        for starts in (1, 2):
            wait_for(tmp_path / "relay.log", "Sending mails. Stop with Ctrl-C.", starts)
            relay.send_signal(signal.SIGHUP if starts == 1 else signal.SIGTERM)
        assert relay.wait(PATIENCE) == 0

    def test_goes_on_where_a_start_would_fail(self, sqlite_url: str, tmp_path: Path) -> None:
        """At SIGHUP `relay` stays as it is while a key file is open to others."""
        relay = start("relay", tmp_path, **development(sqlite_url, tmp_path))
        wait_for(tmp_path / "relay.log", "Sending mails. Stop with Ctrl-C.", 1)
        (tmp_path / "keys" / "secret.key").chmod(0o644)
        relay.send_signal(signal.SIGHUP)
        wait_for(tmp_path / "relay.log", "not begun anew", 1)
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(PATIENCE) == 0

    def test_sends_what_a_gateway_without_one_has_promised(
        self, serve: Serve, database_url: str, tmp_path: Path
    ) -> None:
        """`relay` sends the mails of a gateway with GATEWAY_RELAY=off."""
        gateway = serve(GATEWAY_DATABASE_URL=database_url, GATEWAY_RELAY="off")
        assert sign_up(gateway) == "CreateCustomerSuccess"
        settings = {
            "GATEWAY_DATABASE_URL": database_url,
            "GATEWAY_KEYS_DIR": str(gateway.mail_directory.parent / "keys"),
            "GATEWAY_MAIL_URL": f"file://{tmp_path}/mail",
            "GATEWAY_PUBLIC_URL": gateway.base_url,
            "GATEWAY_MAIL_FROM": "mail@shop.example",
        }
        log = tmp_path / "relay.log"
        for number, starts in ((signal.SIGTERM, 1), (signal.SIGINT, 2)):
            relay = start("relay", tmp_path, **settings)
            wait_for(log, '"event": "sending mails"', starts)
            link = link_in(tmp_path / "mail")
            wait_for(log, '"status": "sent"', 1)
            relay.send_signal(number)
            assert relay.wait(PATIENCE) == 0
        assert "Is this your registration?" in httpx2.get(link).text
        assert log.read_text().count('"status": "sent"') == 1
        assert link.partition("token=")[2][:32] not in log.read_text()


def test_a_closed_output_ends_a_command_quietly(tmp_path: Path) -> None:
    """A command whose output is closed early, as by `| head`, prints no stack trace."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [COMMAND, "schema"], cwd=tmp_path, env=environment({}), stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"")


def environment(settings: dict[str, str]) -> dict[str, str]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return outer | {"GATEWAY_PORT": str(free_port())} | settings


def run(command: str, directory: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, command, *options],
        cwd=directory,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def start(
    command: str, directory: Path, stdin: int = subprocess.DEVNULL, /, **settings: str
) -> subprocess.Popen[bytes]:
    with (directory / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [*DIES_WITH_US, COMMAND, command],
            cwd=directory,
            env=environment(settings),
            stdin=stdin,
            stdout=log,
            stderr=log,
        )
