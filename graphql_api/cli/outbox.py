"""The commands outbox list and outbox retry, for mails that wait or were given up."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import one_line_errors, show
from registration.mail import outbox

commands = typer.Typer(no_args_is_help=True, help="Mails that wait or were given up.")


class MailStatus(StrEnum):
    """What can become of a mail: given up, not yet sent, sent, or no longer needed."""

    PARKED = "parked"
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"


@commands.command("list")
@one_line_errors
def list_mails(
    status: Annotated[MailStatus, typer.Option(help="which mails to show")] = MailStatus.PARKED,
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


@commands.command("retry")
@one_line_errors
def retry_mails(
    ids: Annotated[list[UUID] | None, typer.Argument(help="mails to queue again; without any, all parked ones")] = None,
) -> None:
    """Queue parked mails again."""
    from registration.services import utc_now  # noqa: PLC0415 - the services import all of the domain

    database = migrated_database(settings_of_process())
    number = database.write(lambda connection: outbox.retry_mails(connection, utc_now(), ids or None))
    print(f"{number} queued again.")
    database.close()
