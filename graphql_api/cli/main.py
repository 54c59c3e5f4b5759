"""The command `registration-gateway`: reads the settings and calls what does the work; it holds no logic of its own."""

import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from threading import Thread
from typing import Annotated, NoReturn, ParamSpec, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Column, Table

from graphql_api.settings import GatewaySettings
from registration.keys.key_files import KeyFileError
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_key, has_signing_key
from registration.mail import outbox
from registration.records import audit
from registration.settings import SettingsError, describe, read_settings
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.revision import is_current, newest

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
outbox_commands = typer.Typer(no_args_is_help=True, help="Mails that wait or were given up.")
keys_commands = typer.Typer(no_args_is_help=True, help="The key files of an installation.")
main.add_typer(outbox_commands, name="outbox")
main.add_typer(keys_commands, name="keys")
# For whoever reads the output with another program: one line a row.
WIDTH_OF_PIPES = 250


def stop(reason: str) -> NoReturn:
    print(f"registration-gateway: {reason}", file=sys.stderr)
    raise typer.Exit(2)


def show(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else WIDTH_OF_PIPES).print(table)


def explained(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """An operator's mistake ends a command with one line, not with a stack trace; `| head` ends it without one."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()
            return result
        except BrokenPipeError:  # `| head`: Python would try again to write the rest when it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (SettingsError, KeyFileError) as error:
            stop(str(error))
        except Unavailable as error:
            stop(f"GATEWAY_DATABASE_URL: {error}")
        except OSError as error:
            stop(f"{error.filename}: {error.strerror}")

    return run


def settings_of_process() -> GatewaySettings:
    settings = read_settings(GatewaySettings)
    for name in settings.unknown:
        print(f"registration-gateway: warning: {name} is not a setting of ours", file=sys.stderr)
    return settings


def migrated_database(settings: GatewaySettings) -> Database:
    """The database of the settings; stops when this version cannot work on it."""
    database = open_database(settings.database_url)
    if not is_up_to_date(database):
        stop("the database is not at this version; run: registration-gateway migrate")
    return database


@main.command()
@explained
def serve(
    workers: Annotated[int | None, typer.Option(help="server processes; as GATEWAY_WORKERS", min=1, max=64)] = None,
) -> None:
    """Serve GraphQL, the JSON:API door, the confirmation page, and the relay unless GATEWAY_RELAY=off."""
    from graphql_api.server import server  # noqa: PLC0415 - the other commands need not wait for the server's imports

    if workers:
        os.environ["GATEWAY_WORKERS"] = str(workers)  # the workers read the environment themselves
    settings = settings_of_process()
    prepare(settings)
    if not server.run(settings):  # pragma: no cover - the machine refuses a thread to the relay, say
        raise typer.Exit(1)


def prepare(settings: GatewaySettings) -> None:
    """Everything that can be wrong is found before the first worker starts; an embedded installation is made here."""
    from registration.wiring import open_relay, open_services  # noqa: PLC0415

    if settings.is_embedded:
        create_keys(Path(settings.keys_dir))
        run_migrations(settings)
    services = open_services(settings)
    if settings.relay == "on":
        open_relay(settings, services)
    services.close()


def create_keys(directory: Path) -> None:
    create_secret(directory)
    if not has_signing_key(directory):
        create_signing_key(directory)


def is_up_to_date(database: Database) -> bool:
    revision = newest()
    return database.read(lambda connection: is_current(connection, revision))


def run_migrations(settings: GatewaySettings) -> None:
    database = open_database(settings.database_url)
    try:
        if not is_up_to_date(database):
            upgrade(database)
    finally:
        database.close()


def upgrade(database: Database) -> None:
    from registration.storage.migrations import UnknownRevisionError  # noqa: PLC0415 - Alembic takes a while to import
    from registration.storage.migrations import migrate as apply  # noqa: PLC0415

    try:
        apply(database)
    except UnknownRevisionError as error:
        stop(f"GATEWAY_DATABASE_URL: {error}")


@main.command()
@explained
def migrate() -> None:
    """Bring the database to the schema of this version. `serve` does this by itself on SQLite only."""
    run_migrations(settings_of_process())
    print("The database is up to date.")


@main.command("relay")
@explained
def send() -> None:
    """Send mails until stopped: for installations whose `serve` has GATEWAY_RELAY=off."""
    from graphql_api.http.logs import configure_logs  # noqa: PLC0415
    from registration.wiring import open_relay, open_services  # noqa: PLC0415

    settings = settings_of_process()
    services = open_services(settings)
    relay = open_relay(settings, services)
    configure_logs(development=settings.development)
    # Blocked before the thread starts, and waited for here: a handler could find the relay's own locks taken.
    stopping = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    sending = Thread(target=relay.run, name="relay")
    sending.start()
    print("Sending mails. Stop with Ctrl-C.", flush=True)
    signal.sigwait(stopping)
    relay.stop()
    sending.join()
    services.close()


@main.command()
@explained
def schema(
    check: Annotated[bool, typer.Option("--check", help="fail when ./schema.graphql differs from the code")] = False,
    since: Annotated[
        str, typer.Option(help="list breaking and dangerous changes since a revision, or `last-tag`")
    ] = "",
) -> None:
    """Print the published contract, or compare it."""
    from graphql_api.cli import contract  # noqa: PLC0415
    from graphql_api.schema import print_schema  # noqa: PLC0415

    here = Path.cwd()
    if check and contract.has_drifted(here):
        stop("schema.graphql differs from the code; run: registration-gateway schema > schema.graphql")
    if since:
        compare(here, since)
    if not check and not since:
        print(print_schema(), end="")


def compare(directory: Path, revision: str) -> None:
    from graphql_api.cli import contract  # noqa: PLC0415
    from graphql_api.schema import print_schema  # noqa: PLC0415

    release = contract.last_tag(directory) if revision == "last-tag" else revision
    if release is None:
        print("There is no release tag yet: nothing to compare with.")
        return
    old = contract.contract_at(directory, release)
    if old is None:
        stop(f"{release} has no {contract.FILE}")
    found = contract.changes(old, print_schema())
    print("\n".join(found) or f"No breaking or dangerous change since {release}.")
    if contract.unaccepted(found, directory):
        stop(f"changes that {contract.ACCEPTED} does not list")


@main.command()
@explained
def settings() -> None:
    """Show every setting, its value (secrets masked) and its default."""
    table = Table(
        Column("variable", no_wrap=True), *(Column(name, overflow="fold") for name in ("value", "default", "meaning"))
    )
    for row in describe(settings_of_process()):
        table.add_row(*row)
    show(table)


class Status(StrEnum):
    """What can become of a mail: given up, not yet sent, sent, or not needed any more."""

    PARKED = "parked"
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"


@main.command("erase-proof")
@explained
def erase_proof(
    reference: Annotated[str, typer.Argument(help="the customer who was erased, for example DE--25")],
) -> None:
    """Show that nothing of an erased customer is left, in any table or (SQLite) in any byte of the file.

    What to look for is read from standard input, where no list of processes shows it: one thing a line, the e-mail
    address first, then the names, the date of birth. Ends with 1 when something was found.
    """
    from registration.account import erasure_proof as proof  # noqa: PLC0415
    from registration.keys.secret import load_secret  # noqa: PLC0415

    settings = settings_of_process()
    if sys.stdin.isatty():
        print("The e-mail address, the names, the date of birth, one a line; then Ctrl-D.", file=sys.stderr)
    person = proof.person_of(sys.stdin.read().splitlines())
    if not person.addresses:
        stop("give the e-mail address of the customer on standard input")
    secret = load_secret(Path(settings.keys_dir))
    database = migrated_database(settings)
    looked = proof.prove(database, secret, reference, person)
    database.close()
    if isinstance(looked, proof.CannotProve):
        stop(looked.reason)
    for place in looked:
        found = ", ".join(f"{column} ({number})" for column, number in place.found.items())
        print(f"{place.place}: {place.extent}, {f'FOUND in {found}' if found else 'nothing found'}")
    if any(place.found for place in looked):
        raise typer.Exit(1)


@main.command("audit")
@explained
def show_audit(reference: Annotated[str, typer.Argument(help="of the customer, for example DE--25")]) -> None:
    """Show who did what when from where with a customer's account, the oldest first; erasure forgets from where."""
    database = migrated_database(settings_of_process())
    entries = database.read(lambda connection: audit.trail(connection, reference))
    database.close()
    if entries is None:
        stop("there is no customer of that reference")
    table = Table("when (UTC)", "what", "from")
    for entry in entries:
        table.add_row(f"{entry.created_at:%Y-%m-%d %H:%M:%S.%f}", entry.kind, entry.client_ip or "")
    show(table)


@main.command()
@explained
def calibrate(
    milliseconds: Annotated[int, typer.Option(help="how long one hash may take", min=1)] = 250,
    memory_mib: Annotated[int, typer.Option(help="memory of one hash in the proposal", min=1, max=4096)] = 64,
    seconds: Annotated[float, typer.Option(help="how long to measure each time", min=0)] = 2.0,
) -> None:
    """Measure how fast this machine hashes, and propose GATEWAY_HASH_ settings."""
    from graphql_api.cli.calibration import report  # noqa: PLC0415

    for line in report(settings_of_process(), milliseconds / 1000, memory_mib * 1024, seconds):
        print(line, flush=True)


@outbox_commands.command("list")
@explained
def outbox_list(
    status: Annotated[Status, typer.Option(help="which mails to show")] = Status.PARKED,
    limit: Annotated[int, typer.Option(min=1, help="how many of them")] = 100,
) -> None:
    """Show mails, the newest first."""
    database = migrated_database(settings_of_process())
    columns = (Column(name, overflow="fold") for name in ("kind", "status", "attempts", "created", "due", "reason"))
    table = Table(Column("id", no_wrap=True), *columns)
    for entry in database.read(lambda connection: outbox.list_mails(connection, status, limit)):
        moments = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (entry.created_at, entry.due_at))
        table.add_row(str(entry.id), entry.kind, entry.status, str(entry.attempts), *moments, entry.reason or "")
    show(table)
    database.close()


@outbox_commands.command("retry")
@explained
def outbox_retry(
    ids: Annotated[list[UUID] | None, typer.Argument(help="mails to queue again; without any, all parked ones")] = None,
) -> None:
    """Queue parked mails again."""
    from registration.services import utc_now  # noqa: PLC0415

    database = migrated_database(settings_of_process())
    number = database.write(lambda connection: outbox.retry_mails(connection, utc_now(), ids or None))
    print(f"{number} queued again.")
    database.close()


@keys_commands.command("new")
@explained
def keys_new() -> None:
    """Create a signing key, and the installation's secret if it has none.

    The new key signs from now on; tokens signed with older keys stay good. Copy the file to every node. An older key
    may be deleted after GATEWAY_ACCESS_TOKEN_SECONDS, when no token that it signed is left. The secret never changes.
    """
    directory = Path(settings_of_process().keys_dir)
    made = create_secret(directory)
    print(f"{directory}: secret {'created' if made else 'kept'}, signing key {create_signing_key(directory)} created.")
