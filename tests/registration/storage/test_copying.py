"""Copying a database from SQLite to PostgreSQL: whole, or refused, and after a crash from where it stopped."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, update

from registration.services import Services
from registration.storage.database import Database, open_database
from registration.storage.migrations.copying import CannotCopy, copy
from registration.storage.revision import RECORD, is_usable, newest
from registration.storage.tables import counter, customer, event, mail, metadata
from tests.registration.callers import with_traces_everywhere
from tests.registration.people import NOW, signed_up
from tests.registration.stored import rows


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def target(postgresql_url: str) -> Iterator[Database]:
    database = open_database(postgresql_url)
    yield database
    database.close()


def show_nothing(_what: str, _done: int, _total: int) -> None:
    pass


def content(database: Database) -> dict[str, list[str]]:
    return {table.name: sorted(map(str, rows(database, table))) for table in metadata.sorted_tables}


def fill(database: Database, number: int) -> None:
    events = [
        {"id": uuid4(), "kind": "made", "customer_id": uuid4(), "created_at": NOW + timedelta(microseconds=each)}
        for each in range(number)
    ]
    database.write(lambda connection: connection.execute(insert(event), events))


def is_served(database: Database) -> bool:
    """Whether a gateway would work with it."""
    return database.read(lambda connection: is_usable(connection, newest()))


def test_every_row_is_in_the_target(services: Services, target: Database) -> None:
    """A customer with traces in every table is in the target with the same values, and a gateway can serve it."""
    with_traces_everywhere(services)
    services.database.write(lambda connection: connection.execute(update(customer).values(first_name="Zoë 🦊")))
    shown: list[tuple[str, int, int]] = []
    contents = copy(services.database, target, lambda *told: shown.append(told))
    assert content(target) == content(services.database)
    assert is_served(target)
    total = sum(each.rows for each in contents)
    assert shown[-1] == (f"comparing {metadata.sorted_tables[-1].name}", 2 * total, 2 * total)
    assert [done for _, done, _ in shown] == sorted(done for _, done, _ in shown)


class Crash(Exception):
    """Stands for the end of the process between two batches."""


def test_goes_on_where_it_stopped(database: Database, target: Database) -> None:
    """After a crash in the middle of a table no gateway serves the target; a second run copies the rest only."""
    fill(database, 25)

    def crash(what: str, done: int, _total: int) -> None:
        if what == "copying event" and 10 <= done < 25:
            raise Crash

    with pytest.raises(Crash):
        copy(database, target, crash, batch=10)
    first = {row["id"] for row in rows(target, event)}
    assert 10 <= len(first) < 25
    assert not is_served(target)
    shown: list[int] = []
    copy(database, target, lambda what, done, _total: shown.append(done) if what == "copying event" else None, batch=10)
    assert content(target) == content(database)
    assert len(shown) == 1 + (25 - len(first) + 9) // 10  # the rows that were there, and the batches of the others
    assert is_served(target)


def test_nothing_is_written_to_the_source_meanwhile(database: Database, database_url: str, target: Database) -> None:
    """While the copy runs, the source is locked for other processes: what they wrote would be missing."""
    fill(database, 1)
    other = open_database(database_url, wait=0.01)

    def write(_what: str, _done: int, _total: int) -> None:
        with pytest.raises(Exception, match="another process holds the lock"):
            fill(other, 1)

    copy(database, target, write)
    other.close()
    assert len(rows(target, event)) == 1


def test_a_source_that_was_changed_between_two_runs_is_noticed(database: Database, target: Database) -> None:
    """A row that came before those that were copied makes the copy differ: it is refused, and is not served."""
    fill(database, 5)

    def crash(what: str, _done: int, _total: int) -> None:
        if what == "comparing event":
            raise Crash

    with pytest.raises(Crash):
        copy(database, target, crash)
    database.write(lambda connection: connection.execute(update(event).values(kind="changed")))
    with pytest.raises(CannotCopy, match=r"^event differs from the source"):
        copy(database, target, show_nothing)
    assert not is_served(target)


@pytest.mark.parametrize("table", [customer, counter])
def test_a_target_that_has_rows_is_refused(database: Database, target: Database, table: object) -> None:
    """A target with a customer, or with a counter that has counted, is refused and left as it is."""
    if table is customer:
        signed_up(target)
    else:
        target.write(lambda connection: connection.execute(update(counter).values(next=7)))
    before = content(target)
    names = "customer, mail" if table is customer else "counter"
    with pytest.raises(CannotCopy, match="the target is not empty: ") as refused:
        copy(database, target, show_nothing)
    assert set(names.split(", ")) <= set(str(refused.value).partition(": ")[2].split(", "))
    assert content(target) == before
    assert is_served(target)


@pytest.mark.parametrize("revision", ["0001", None])
def test_another_revision_is_refused(database: Database, target: Database, revision: str | None) -> None:
    """A source or a target at another revision than this program's, or at none, is refused."""
    for changed, name in ((target, "target"), (database, "source")):
        if revision:
            changed.write(lambda connection: connection.execute(update(RECORD).values(version_num=revision)))
        else:
            changed.write(lambda connection: connection.execute(RECORD.delete()))
        with pytest.raises(CannotCopy, match=f"the {name} is at revision {revision}, this program at {newest()}"):
            copy(database, target, show_nothing)


def test_a_target_without_a_table_is_refused(database: Database, postgres_url: str) -> None:
    """An empty database that was not migrated is refused."""
    empty = open_database(postgres_url)
    with pytest.raises(CannotCopy, match="the target is at revision None"):
        copy(database, empty, show_nothing)
    empty.close()


def test_a_row_that_the_target_cannot_hold_is_named_by_its_table(database: Database, target: Database) -> None:
    """SQLite keeps longer texts than a column allows; the table is told, and no value."""
    signed_up(database)
    database.write(lambda connection: connection.execute(update(mail).values(correlation_id="x" * 17)))
    with pytest.raises(CannotCopy, match=r"^mail: the target refuses a row \(22001\)$"):
        copy(database, target, show_nothing)
