"""The commands outbox list and outbox retry, for mails that wait or were given up."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table
from registration.mail import listing
from registration.mail.listing import MailRecord
from registration.mail.listing import list_mails as read_mails

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
    status: Annotated[
        MailStatus | None,
        typer.Option(help="which mails to show; without it, those parked, or waiting after a failure"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many of them")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show mails, the newest first."""
    database = migrated_database(settings_of_process())
    mails = database.read(lambda connection: read_mails(connection, status, limit))
    database.close()
    if as_json:
        show_json([asdict(each) for each in mails])
    else:
        columns = ("id", "customer", "kind", "status", "attempts", "created", "due", "reason")
        show_table(columns, [*map(_row, mails)])


def _row(each: MailRecord) -> Sequence[str]:
    moments = (f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "" for moment in (each.created_at, each.due_at))
    known = (str(each.id), each.reference or "", each.kind, each.status, str(each.attempts))
    return (*known, *moments, each.reason or "")


@commands.command("retry")
@one_line_errors
def retry_mails(
    ids: Annotated[list[UUID] | None, typer.Argument(help="mails to queue again; without any, all parked ones")] = None,
) -> None:
    """Queue parked mails again."""
    from registration.services import utc_now  # noqa: PLC0415 - the services import all of the domain

    database = migrated_database(settings_of_process())
    number = database.write(lambda connection: listing.retry_mails(connection, utc_now(), ids or None))
    print(f"{number} queued again.")
    database.close()
