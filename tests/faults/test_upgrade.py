"""Processes are replaced under load: by their like, and by those of the last release and back."""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Engine, inspect, select

from harness.gateway import COMMAND, Gateway, outer_environment
from harness.last_release import NoHistoryError, check_out
from harness.ports import HOST
from harness.store import ENGINES, unmigrated_store
from registration.keys.link_keys import confirmation_key
from registration.keys.secret import Secret, load_secret
from registration.storage.database import Database, open_database
from registration.storage.tables import customer, installation, mail
from tests.faults.load import Load, assert_all_stored, load, send_the_rest
from tests.faults.test_connection_matrix import CONFIRM, CREATE, FORM, ME, SIGN_IN, post
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

REFRESH = """mutation ($input: RefreshAccessTokenInput!) { result: refreshAccessToken(input: $input) {
  ... on RefreshAccessTokenSuccess { tokens { accessToken refreshToken } } } }"""
SIGN_IN_FOR_BOTH = SIGN_IN.replace("accessToken }", "accessToken refreshToken }")
Start = Callable[..., Gateway]


@pytest.fixture(scope="session")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `registration-gateway` of the last release."""
    try:
        return check_out(tmp_path_factory.mktemp("last-release"))
    except NoHistoryError as error:
        pytest.skip(f"UPGRADE NOT TESTED: the code of the last release is not in the history: {error}")


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table: the test runs once on each engine."""
    with unmigrated_store(request.param, tmp_path) as empty:
        yield empty.url


@pytest.fixture
def settings(tmp_path: Path, keys_directory: Path) -> dict[str, str]:
    """Those that all nodes share but the database."""
    return {"GATEWAY_KEYS_DIR": str(keys_directory), "GATEWAY_MAIL_URL": f"file://{tmp_path / 'mail'}"}


@pytest.fixture
def start(tmp_path: Path, settings: dict[str, str]) -> Iterator[Start]:
    """Start a gateway at a socket that stays open when its process ends, as that of systemd."""
    numbers = count(1)
    with ExitStack() as running:

        def start(database_url: str, command: Path = COMMAND) -> Gateway:
            listener = running.enter_context(socket.create_server((HOST, 0), backlog=2048))
            place = tmp_path / f"node-{next(numbers)}"
            given = settings | {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_QUEUE_SECONDS": "60"}
            return running.enter_context(Gateway(place, given, command, listener))

        yield start


def replace(gateway: Gateway, command: Path) -> None:
    """End its process as an orchestrator does, and start one of the other code."""
    gateway.stop(signal.SIGTERM)
    gateway.command = command
    gateway.start()


def migrate_with(command: Path, database_url: str) -> None:
    settings = {"GATEWAY_DATABASE_URL": database_url}
    subprocess.run([command, "migrate"], env=outer_environment() | settings, check=True, stdout=subprocess.DEVNULL)


def assert_all_registered(clients: Load) -> None:
    answers = [(each.answer.verdict, each.answer.status) if each.answer else None for each in clients.sign_ups]
    assert set(answers) == {("registered", 200), ("registered", 201)}


def test_no_request_is_cut_off_by_sigterm(start: Start, database: Database, database_url: str) -> None:
    """Processes end and begin five times under load, and each sign-up is registered and stored."""
    gateway = start(database_url)
    with load([gateway], clients=8, pause=0.01) as clients:
        for _ in range(5):
            clients.wait_for_success()
            replace(gateway, COMMAND)
        clients.wait_for_success()
    send_the_rest(database)
    assert_all_registered(clients)
    assert_all_stored(database, clients.sign_ups)


def test_a_rolling_upgrade_and_back(start: Start, last_release: Path, empty_url: str, keys_directory: Path) -> None:
    """Nodes of the last release are replaced one by one on the new schema, and go back, and no request fails.

    At each step a customer's mail, session and tokens are good at both nodes.
    """
    secret = load_secret(keys_directory)
    migrate_with(last_release, empty_url)
    nodes = [start(empty_url, last_release) for _ in range(2)]
    with closing(open_database(empty_url)) as database:
        with load(nodes) as clients:
            migrate_with(COMMAND, empty_url)
            numbers = count()
            for command in (COMMAND, last_release):
                for number, node in enumerate(nodes):
                    clients.wait_for_success()
                    # 0.2.0 can close a connection at its end whose request is on its way.
                    with clients.kept_from(number) if command == COMMAND else nullcontext():
                        replace(node, command)
                    clients.wait_for_success()
                    for first, second in (nodes, nodes[::-1]):
                        assert_a_customer_lives(first, second, f"zoe-{next(numbers)}@example.com", database, secret)
        assert_all_registered(clients)
        assert_all_stored(database, clients.sign_ups)
        send_the_rest(database)


def assert_a_customer_lives(first: Gateway, second: Gateway, email: str, database: Database, secret: Secret) -> None:
    """Take each step at the other node than the one before.

    The mail comes before its key is used: a relay of 0.2.0 on PostgreSQL can park a mail whose key is used meanwhile.
    """
    assert post(first, CREATE, FORM | {"email": email}) == {"__typename": "CreateCustomerSuccess"}
    eventually(lambda: status_of_mail(database, email) == "sent")
    key = key_for(database, secret, email)
    assert post(second, CONFIRM, {"token": key}) == {"__typename": "ConfirmCustomerSuccess"}
    tokens = tokens_of(post(first, SIGN_IN_FOR_BOTH, {"email": email, "password": FORM["password"]}))
    assert post(second, ME, {}, tokens["accessToken"])["firstName"] == FORM["firstName"]
    tokens = tokens_of(post(second, REFRESH, {"refreshToken": tokens["refreshToken"]}))
    assert post(first, ME, {}, tokens["accessToken"])["firstName"] == FORM["firstName"]
    assert tokens_of(post(first, REFRESH, {"refreshToken": tokens["refreshToken"]}))


def tokens_of(result: dict[str, object]) -> dict[str, str]:
    tokens = result["tokens"]
    assert isinstance(tokens, dict)
    return tokens


def status_of_mail(database: Database, email: str) -> str:
    return str(of_mail(database, email, mail.c.status))


def key_for(database: Database, secret: Secret, email: str) -> str:
    """The key in the link of the mail to a customer."""
    return confirmation_key(secret, of_mail(database, email, mail.c.token_id))


def of_mail(database: Database, email: str, column: ColumnElement[Any]) -> Any:
    """A column of the mail to a customer."""
    which = select(column).join(customer, customer.c.id == mail.c.customer_id).where(customer.c.email == email)
    return database.read(lambda connection: connection.scalars(which).one())


def test_migrations_since_the_last_release_only_add(last_release: Path, empty_url: str) -> None:
    """Each table and column of the last release is as it was, and a row that it writes still fits."""
    migrate_with(last_release, empty_url)
    with closing(open_database(empty_url)) as database:
        before, revision = described(database.engine), newest_of(last_release)
        migrate_with(COMMAND, empty_url)
        after = described(database.engine)
        oldest = database.read(lambda connection: connection.scalar(select(installation.c.oldest_revision)))
    assert oldest is not None
    assert oldest <= revision
    assert problems(before, after) == []


def newest_of(release: Path) -> str:
    versions = release.parent / "registration/storage/migrations/versions"
    return max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]


Description = dict[str, dict[str, dict[str, Any]]]
"""By table: columns by name, and under `unique` the columns that are unique together."""


def described(engine: Engine) -> Description:
    seen = inspect(engine)
    found: Description = {}
    for table in seen.get_table_names():
        uniques: Sequence[Any] = [*seen.get_unique_constraints(table), *seen.get_indexes(table)]
        found[table] = {
            "columns": {column["name"]: {**column, "type": str(column["type"])} for column in seen.get_columns(table)},
            "unique": {str(each["column_names"]): {} for each in uniques if each.get("unique", True)},
            "keys": {str(seen.get_pk_constraint(table)["constrained_columns"]): {}},
        }
    return found


def problems(before: Description, after: Description) -> list[str]:
    """What a program that knows the schema as it was before could not work with."""
    found = []
    for table, old in before.items():
        new = after.get(table, {"columns": {}, "unique": {}, "keys": {}})
        for name, column in old["columns"].items():
            if new["columns"].get(name) != column:
                found.append(f"{table}.{name} was {column}, is {new['columns'].get(name)}")
        for name in new["columns"].keys() - old["columns"].keys():
            column = new["columns"][name]
            if not column["nullable"] and column["default"] is None:
                found.append(f"{table}.{name} must be told")
        found += [f"{table}: {key} is unique" for key in new["unique"].keys() - old["unique"].keys()]
        if new["keys"] != old["keys"]:
            found.append(f"{table}: another primary key")
    return found


def test_a_migration_that_does_more_is_found(tmp_path: Path) -> None:
    """A column that goes, changes or must be told, and a rule that rows must keep, are each a problem."""
    with unmigrated_store("sqlite", tmp_path) as empty, empty.opened() as database:

        def run(*statements: str) -> Description:
            for statement in statements:
                database.write(lambda connection: connection.exec_driver_sql(statement).close())  # noqa: B023 - run at once
            return described(database.engine)

        before = run("CREATE TABLE a (x INTEGER NOT NULL, y TEXT)", "CREATE TABLE b (x INTEGER PRIMARY KEY)")
        fine = run("CREATE TABLE c (x INTEGER)", "ALTER TABLE a ADD z TEXT", "CREATE INDEX i ON a (z)")
        assert problems(before, fine) == []
        told = run("DROP TABLE a", "CREATE TABLE a (x TEXT, w TEXT NOT NULL)", "CREATE UNIQUE INDEX u ON a (x)")
        found = " ".join(problems(before, told | {"b": {"columns": {}, "unique": {}, "keys": {}}}))
        for problem in (
            "a.x was",
            "a.y was",
            "a.w must be told",
            "a: ['x'] is unique",
            "b.x was",
            "b: another primary",
        ):
            assert problem in found
