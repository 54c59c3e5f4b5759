"""PostgreSQL: how a connection is made, and what is made of the URL; imported only where the database is one."""

from math import ceil
from typing import Any

from psycopg import Error, IsolationLevel
from psycopg.errors import (
    CantChangeRuntimeParam,
    ConnectionTimeout,
    InsufficientPrivilege,
    InvalidParameterValue,
    UndefinedObject,
)
from psycopg.pq import Conninfo
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

from registration.storage.address import number_of_hosts
from registration.storage.bounded_connection import BoundedConnection
from registration.storage.connection_errors import connection_failure
from registration.storage.connection_needs import ENCODING, OptionsError, session_settings
from registration.storage.deadline import remaining
from registration.storage.outages import Misconfigured, Outage

# As SET where the first parameter is the process that serves us, else as SET LOCAL.
SET_ALL = """
    SELECT pg_backend_pid(), current_setting('server_encoding'), set_config(name, value, pg_backend_pid() <> %s)
    FROM unnest(%s::text[], %s::text[]) AS setting (name, value)
    WHERE name <> 'transaction_timeout' OR current_setting(name, true) IS NOT NULL
"""
# The server refuses a name, a value, a change while it runs, or a change by our role.
OPTION_REFUSED = (UndefinedObject, InvalidParameterValue, CantChangeRuntimeParam, InsufficientPrivilege)
READ_ONLY = "25006"
NO_PROCESS = 0
ONLY_READS = "only_reads"


def open_postgresql(url: URL, readers: int, wait: float) -> tuple[Engine, Engine]:
    """The writing and the reading engine, which share at most twice as many connections as `readers`.

    Raises Misconfigured when the URL holds what cannot be used.
    """
    settings = _session_settings(url, wait)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=readers,
        max_overflow=readers,
        connect_args=_driver_defaults(url, wait) | {"client_encoding": ENCODING, "options": ""},
        hide_parameters=True,
    )

    names, values = list(settings), list(settings.values())
    hosts = number_of_hosts(url)

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> BoundedConnection:
        # The driver waits so long for each host.
        options = {"connect_timeout": max(1, ceil(min(wait, remaining()) / hosts))} | options
        try:
            connection = BoundedConnection.connect(*arguments, autocommit=True, **options)
        except ConnectionTimeout:
            raise
        except Error as error:
            raise connection_failure(error, url.password) from None
        connection.bound = wait * 3
        try:
            _prepare(connection, names, values)
        except BaseException:
            connection.close()
            raise
        return connection

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        _state_mode(driver, only_reads=connection.get_execution_options().get(ONLY_READS, False))
        if driver.is_pooled:
            connection.exec_driver_sql(SET_ALL, (NO_PROCESS, names, values))

    event.listen(engine, "handle_error", _leave_read_only)
    return engine, engine.execution_options(**{ONLY_READS: True})


def _state_mode(connection: BoundedConnection, *, only_reads: bool) -> None:
    """Let the next BEGIN say how its transaction sees others (decision 0059).

    A transaction that may write does not say so: the server can have an operator's reason to refuse.
    """
    read_only = only_reads or None
    if connection.read_only is not read_only:
        connection.read_only = read_only
        connection.isolation_level = IsolationLevel.REPEATABLE_READ if only_reads else IsolationLevel.READ_COMMITTED


def _leave_read_only(context: ExceptionContext) -> None:
    """Let the next try, and later transactions, have new connections.

    A session keeps the default that it began with, and its node, when these have changed since.
    """
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _prepare(connection: BoundedConnection, names: list[str], values: list[str]) -> None:
    """State what we need: after the start of the session, because PGDATESTYLE and the like win before that.

    A pooler such as PgBouncer makes sessions up: it tells another process id than that of the server. It may give each
    transaction to another process, so that settings must be stated in each, and statements are not prepared.
    """
    announced = connection.info.backend_pid
    try:
        (serving, encoding, _), *_ = connection.execute(SET_ALL, [announced, names, values])
    except OPTION_REFUSED as error:
        raise Misconfigured(f"options: {error.diag.message_primary}") from None
    if encoding != ENCODING:
        raise Misconfigured(
            f"the encoding of the database is {encoding}, which cannot hold every name; create one with"
            f" CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0",
            Outage.ENCODING,
        )
    connection.is_pooled = serving != announced
    if connection.is_pooled:
        connection.prepare_threshold = None
    connection.autocommit = False
    connection.isolation_level = IsolationLevel.READ_COMMITTED


def _session_settings(url: URL, wait: float) -> dict[str, str]:
    options = url.query.get("options")
    if options is None:
        options = _option_of_environment()
    try:
        return session_settings(wait, " ".join([options] if isinstance(options, str) else options))
    except OptionsError as error:
        raise Misconfigured(f"options {error}") from None


def _option_of_environment() -> str:
    """PGOPTIONS, or the options of the service that PGSERVICE names: libpq reads both."""
    values = {each.keyword: each.val for each in Conninfo.get_defaults()}
    return (values[b"options"] or b"").decode()


def _driver_defaults(url: URL, wait: float) -> dict[str, object]:
    """Parameters of libpq that the URL may replace."""
    defaults = {
        # Before PGAPPNAME and the URL's application_name.
        "fallback_application_name": "registration-gateway",
        # A server that dies without closing its connections is noticed also while a statement waits for it.
        "tcp_user_timeout": round(wait * 2000),
        "keepalives_idle": max(1, round(wait)),
        "keepalives_interval": max(1, round(wait)),
    }
    return {name: value for name, value in defaults.items() if name not in url.query}
