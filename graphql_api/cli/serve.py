"""The commands that run an installation: serve, relay, migrate and distribute."""

import os
import signal
from contextlib import closing
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from graphql_api.cli import installation
from graphql_api.cli.installation import settings_of_process, settings_of_service
from graphql_api.cli.terminal import one_line_errors, stop
from graphql_api.server.notices import tell
from graphql_api.settings import GatewaySettings
from registration.keys.agreement import keys_of_node
from registration.storage.database import wait_for_ever
from registration.storage.tables import metadata
from registration.storage.tables.distribution import missing_steps
from registration.tracing import traces

if TYPE_CHECKING:
    from graphql_api.server.sighup import Terminal


@one_line_errors
def serve(
    workers: Annotated[int | None, typer.Option(help="server processes; as GATEWAY_WORKERS", min=1, max=64)] = None,
) -> None:
    """Serve GraphQL, the JSON:API door, the pages of mailed links, and the relay unless GATEWAY_RELAY=off.

    Stops at once where `migrate` or another act of an operator is needed. Waits for a database that is not there.
    """
    from graphql_api.server import server  # noqa: PLC0415 - the other commands need not wait for the server's imports
    from graphql_api.server.metrics_port import metrics_served  # noqa: PLC0415

    if workers:
        os.environ["GATEWAY_WORKERS"] = str(workers)  # the workers read the environment themselves
    settings = settings_of_service()
    settings.demand_addresses(serves=True, sends=settings.relay == "on")
    installation.say_where(settings)
    installation.prepare(settings)
    if settings.operators_port:  # each worker listens there itself
        server.listen(settings.operators_host, settings.operators_port, "OPERATORS_").close()
    with metrics_served(settings, workers=settings.workers):
        started = server.run(settings, partial(installation.is_fit, settings))
    if not started:  # pragma: no cover - the machine refuses a thread to the relay, say
        raise typer.Exit(1)


@one_line_errors
def migrate() -> None:
    """Bring the database to the schema of this version. `serve` does this by itself on SQLite only."""
    settings = settings_of_process()
    installation.migrate(settings)
    print(f"The database is up to date: {settings.database_place}")


@one_line_errors
def distribute() -> None:
    """Distribute the tables over the nodes of a Citus cluster: after `migrate`, while no gateway runs."""
    settings = settings_of_process()
    with closing(installation.migrated_database(settings)) as database:
        steps = database.read(partial(missing_steps, metadata=metadata))
        if steps is None:
            stop(f"{settings.database_place} has no Citus: run CREATE EXTENSION citus in it, or go on without")
        for step in steps:
            database.write(partial(_run_step, step=step))
            print(step)
        print(f"The tables are distributed: {settings.database_place}")


def _run_step(connection: Connection, step: str) -> None:
    wait_for_ever(connection)
    connection.exec_driver_sql(step)


@one_line_errors
def relay() -> None:
    """Send mails until stopped: for installations whose `serve` has GATEWAY_RELAY=off."""
    from graphql_api.server.metrics_port import metrics_served  # noqa: PLC0415
    from graphql_api.server.sighup import Terminal  # noqa: PLC0415 - the other commands begin once

    settings = settings_of_service()
    settings.demand_addresses(serves=False, sends=True)
    installation.demand_traces(settings)
    installation.try_templates(settings)
    installation.demand_file(settings)
    installation.say_where(settings)
    terminal = Terminal()
    with metrics_served(settings):
        while _send_until_signal(settings, terminal) == signal.SIGHUP and not terminal.is_closed():
            pass


def _send_until_signal(settings: GatewaySettings, terminal: "Terminal") -> int:
    from registration.wiring import open_relay, open_services  # noqa: PLC0415 - other commands need not wait for it

    with closing(open_services(settings)) as services:
        relay = open_relay(settings, services)
        installation.demand_database(services.database, keys_of_node(services.secret, services.signing_keys))
        # Blocked before threads start, and waited for here: a handler could find the relay's own locks taken.
        stopping = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
        if settings.traces == "on":
            traces.switch_on()
        sending = Thread(target=relay.run, name="relay")
        sending.start()
        tell("Sending mails. Stop with Ctrl-C.", development=settings.development, event="sending mails")
        received = signal.sigwait(stopping)
        while received == signal.SIGHUP and not (terminal.is_closed() or installation.is_fit(settings)):
            received = signal.sigwait(stopping)
        relay.stop()
        sending.join()
    traces.switch_off()
    return received
