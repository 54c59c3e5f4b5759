"""The command `copy`, as an operator types it, and after a kill -9 in the middle."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from harness.gateway import COMMAND, DIES_WITH_US, outer_environment
from harness.ports import HOST, free_port
from registration.storage.database import open_database
from registration.storage.tables import mail, metadata
from tests.graphql_api.cli.commands import complaint, run
from tests.registration.people import signed_up
from tests.registration.stored import WAITING, counts, rows
from tests.waiting import eventually

CUSTOMERS = 30


@pytest.fixture
def source(sqlite_url: str) -> str:
    """A database with customers and their mails."""
    with closing(open_database(sqlite_url)) as database:
        for number in range(CUSTOMERS):
            signed_up(database, email=f"customer-{number}@example.org")
    return sqlite_url


def content(url: str) -> dict[str, list[str]]:
    with closing(open_database(url)) as database:
        return {table.name: sorted(map(str, rows(database, table))) for table in metadata.sorted_tables}


def test_says_what_it_copied(source: str, postgresql_url: str) -> None:
    """One line tells rows and tables; the output of a pipe has no bar."""
    done = run("copy", source, postgresql_url)
    with closing(open_database(source)) as database:
        copied = sum(counts(database).values()) + 2  # with those of migrations
    agree = "counts and checksums agree."
    lines = [f"{copied} rows of {len(metadata.tables)} tables are in {postgresql_url}; {agree}"]
    assert (done.exit_code, done.stdout.splitlines(), done.stderr) == (0, lines, "")
    assert content(postgresql_url) == content(source)
    refused = complaint(run("copy", source, postgresql_url))
    assert refused.startswith("the target is not empty: ")


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("sqlite:////nowhere/a.db", "postgresql://host/name", "sqlite:////nowhere/a.db: there is no such file"),
        ("sqlite://", "postgresql://host/name", "sqlite://: there is no such file"),
        ("postgresql://u:word@host/name", "sqlite:///a.db", "postgresql://u:***@host/name is no address of sqlite"),
        ("sqlite:///a.db", "sqlite:///b.db", "sqlite:///b.db is no address of postgresql"),
        ("a.db", "postgresql://host/name", "the address of sqlite cannot be read"),
    ],
)
def test_says_what_it_copies(source: str, target: str, reason: str) -> None:
    """Other engines, no address and no file end the command with one line that holds no password."""
    assert complaint(run("copy", source, target)).endswith(reason)


@pytest.mark.parametrize("rest", ["@host:54x2/name", "@h1:5432,h2:54x2/name", "/name"])
def test_an_address_that_cannot_be_read_is_not_shown(rest: str) -> None:
    """A typo in an address, as in a port, ends the command with one line that holds no part of the password."""
    reason = complaint(run("copy", "sqlite:///a.db", f"postgresql://gateway:correct-horse{rest}"))
    assert reason.endswith("the address of postgresql cannot be read")
    assert "horse" not in reason


def test_copies_to_the_server_that_answers(source: str, postgresql_url: str) -> None:
    """The target may name several servers, as GATEWAY_DATABASE_URL may."""
    several = postgresql_url.replace("@", f"@{HOST}:{free_port()},") + "?target_session_attrs=read-write"
    assert run("copy", source, several).exit_code == 0
    assert content(postgresql_url) == content(source)


def test_shows_a_bar_at_a_terminal(source: str, postgresql_url: str) -> None:
    """At a terminal a bar tells the table and the share that is done."""
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        pytest.skip(f"TERMINAL NOT TESTED: this machine has no pseudo-terminal ({error})")
    command = [*DIES_WITH_US, str(COMMAND), "copy", source, postgresql_url]
    environment = outer_environment() | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, env=environment, stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b"".join(written_to(ours)).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "comparing" in shown
    assert "100%" in shown


def written_to(terminal: int) -> Iterator[bytes]:
    """What a process writes to its terminal until it closes that, which Linux reports as an error."""
    with suppress(OSError):
        while part := os.read(terminal, 65_536):
            yield part


def test_goes_on_after_a_kill(source: str, postgresql_url: str, tmp_path: Path) -> None:
    """A copy that is killed half-way leaves a target that no gateway serves; the same command completes it."""
    command = [*DIES_WITH_US, str(COMMAND), "copy", source, postgresql_url]
    with psycopg.connect(postgresql_url) as locking, psycopg.connect(postgresql_url, autocommit=True) as looking:
        locking.execute(f"LOCK TABLE {mail.name} IN EXCLUSIVE MODE")  # it can be read, so the copy waits with its rows
        process = subprocess.Popen(command, env=outer_environment(), stdout=subprocess.DEVNULL)
        eventually(lambda: looking.execute(WAITING).fetchall())
        process.kill()
        process.wait()
        locking.rollback()
    settings = {"GATEWAY_DATABASE_URL": postgresql_url, "GATEWAY_KEYS_DIR": str(tmp_path / "keys")}
    assert "is not at this version" in complaint(run("outbox", "list", **settings))
    assert "is at revision copy of" in complaint(run("migrate", **settings))
    with closing(open_database(postgresql_url)) as database:
        assert rows(database, mail) == []
        assert counts(database)["customer"] == CUSTOMERS
    assert run("copy", source, postgresql_url).exit_code == 0
    assert content(postgresql_url) == content(source)
    assert run("outbox", "list", **settings).exit_code == 0
