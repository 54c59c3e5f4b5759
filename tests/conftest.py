"""Fixtures of all tests: real databases, a real gateway process, a real mail server."""

import faulthandler
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from harness.disk import CannotMount, SmallDisk
from harness.gateway import Gateway
from harness.postgres import PostgresServer, create_database
from harness.reused_database import ReusedDatabase
from harness.smtp import SmtpServer
from registration.keys.secret import create_secret
from registration.keys.signing_keys import SigningKeys, create_signing_key
from registration.storage.database import Database, open_database
from registration.storage.migrations import migrate
from tests import statements
from tests.nginx import nginx_of_this_machine
from tests.programs import program
from tests.waiting import interrupted_after

Serve: TypeAlias = Callable[..., Gateway]

# Seconds that set-up, test and tear-down may take each, even on a busy machine: what takes longer hangs.
BOUND = 120
LONG_BOUND = 600
EXIT_BOUND = 3 * LONG_BOUND
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
SHARED_POSTGRES = pytest.StashKey[PostgresServer]()

hypothesis_settings.register_profile("default", max_examples=30, deadline=None)
hypothesis_settings.register_profile("ci", max_examples=200, deadline=None)
hypothesis_settings.load_profile("ci" if "CI" in os.environ else "default")

# The default draws each frame of a fault with all its variables, which can take a second.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


statements.collect()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by pytest-xdist in the process that starts the workers, which share its PostgreSQL: it outlives them."""
    stash = node.config.stash
    if SHARED_POSTGRES not in stash:
        stash[SHARED_POSTGRES] = PostgresServer()
        stash[SHARED_POSTGRES].start()
    node.workerinput["postgres_url"] = stash[SHARED_POSTGRES].url()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with interrupted_after(BOUND):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("seconds")
    bound = marker.args[0] if marker else LONG_BOUND if item.get_closest_marker("long") else BOUND
    with interrupted_after(bound):
        return (yield)


pytest_runtest_teardown = pytest_runtest_call


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported and collected, which stays."""
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    # Threads that a test left hanging would keep the interpreter from ending. A worker that is done early waits for
    # the others, and one that is ended loses its coverage: the bound is longer than any test.
    faulthandler.dump_traceback_later(EXIT_BOUND, exit=True, file=2)
    if SHARED_POSTGRES in config.stash:
        config.stash[SHARED_POSTGRES].remove()


@pytest.fixture(autouse=True)
def statements_fit_several_nodes() -> Iterator[None]:
    """No statement of the program that the test caused strays over shards, but for those on the list."""
    yield
    assert statements.new_strays() == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured, with `record_property`: the output of a test that passes is not shown."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The superuser's URL of the PostgreSQL of this test run."""
    shared = getattr(request.config, "workerinput", {}).get("postgres_url")
    if shared:
        yield shared
    else:
        with PostgresServer() as server:
            yield server.url()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a migrated database without connections."""
    name = f"template_{WORKER}"
    migrate_once(create_database(postgres_url, name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file that no process has open."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate_once(f"sqlite:///{path}")
    return path


def migrate_once(url: str) -> None:
    database = open_database(url)
    migrate(database)
    database.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    path = shutil.copy(sqlite_template, tmp_path / "registration.db")
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def reused_postgresql(postgres_url: str, postgres_template: str) -> Iterator[ReusedDatabase]:
    with ReusedDatabase(postgres_url, f"reused_{WORKER}", postgres_template) as database:
        yield database


@pytest.fixture
def postgresql_url(reused_postgresql: ReusedDatabase) -> Iterator[str]:
    """A migrated PostgreSQL database without rows."""
    yield reused_postgresql.url
    reused_postgresql.renew()


@pytest.fixture(scope="session")
def pgbouncer_program() -> str:
    """The path of PgBouncer on this machine."""
    return program("pgbouncer", package="pgbouncer", variable="REQUIRE_PGBOUNCER", untested="POOLER NOT TESTED")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database: the test runs once on each engine."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh migrated database, open: the test runs once on each engine."""
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def keys_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key files of an installation, to read only: making an RSA key takes a while."""
    directory = tmp_path_factory.mktemp("installation") / "keys"
    create_secret(directory)
    create_signing_key(directory)
    return directory


@pytest.fixture(scope="session")
def signing_keys(keys_directory: Path) -> SigningKeys:
    """Read once, because checking an RSA key and signing with it for the first time takes a while, too."""
    return SigningKeys(keys_directory)


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    try:
        with SmallDisk() as disk:
            yield disk
    except CannotMount as error:
        pytest.skip(f"SMALL DISK NOT TESTED: {error}")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(GATEWAY_DATABASE_URL=..., ...)` starts a gateway; one that still runs after the test must stop cleanly."""
    numbers = count(1)

    with ExitStack() as running:

        def start(**settings: str) -> Gateway:
            return running.enter_context(Gateway(tmp_path / f"gateway-{next(numbers)}", settings))

        yield start


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no coverage of the gateways that this test starts, which takes a third of their processor.

    For tests of faults, of several nodes, of browsers and of benchmarks: other tests run the same lines.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on SQLite for the tests of a module that leave nothing behind: to start one takes a second."""
    directory = tmp_path_factory.mktemp("gateway")
    with Gateway(directory, {"GATEWAY_DATABASE_URL": f"sqlite:///{directory}/registration.db"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a gateway in development mode, as `make run` starts it, for the tests of a module."""
    directory = tmp_path_factory.mktemp("gateway")
    settings = {"GATEWAY_MODE": "development", "GATEWAY_DATABASE_URL": f"sqlite:///{directory}/registration.db"}
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # as `unmeasured`
        gateway = Gateway(directory, settings)
    with gateway:
        yield gateway.base_url


@pytest.fixture(scope="session")
def nginx() -> str:
    """The path of nginx."""
    return nginx_of_this_machine()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """A mail server that keeps the mails it gets."""
    with SmtpServer() as server:
        yield server
