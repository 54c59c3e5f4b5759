"""The commands customers …: what an operator does for a customer. Each writes an audit row that names the operator."""

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Annotated, Any

import typer
from sqlalchemy import Row

from graphql_api.cli.installation import migrated_database, settings_of_process
from graphql_api.cli.terminal import AsJson, one_line_errors, show_json, show_table, stop
from registration.records.audit import AuditKind
from registration.services import Services
from registration.support import actions, search
from registration.support.actions import Action, ActionOutcome
from registration.support.export import export as export_customer
from registration.support.operator import Operator

commands = typer.Typer(no_args_is_help=True, help="Help a customer; each command writes an audit row with your name.")

Reference = Annotated[str, typer.Argument(help="of the customer, for example DE--25")]
Name = Annotated[str, typer.Option("--operator", help="your name in the audit trail; default the user who logged in")]
SHOWN = ("reference", "email", "salutation", "first_name", "last_name", "gender", "date_of_birth", "language")
MOMENTS = ("created_at", "confirmed_at", "password_changed_at", "blocked_at", "anonymized_at")


def operator(name: str) -> Operator:
    """`sudo` hides the user who logged in."""
    return Operator(name or os.environ.get("SUDO_USER") or _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no line in passwd, as in a container; OSError: Python 3.13
        stop("this user has no name: give --operator")


@contextmanager
def opened() -> Iterator[Services]:
    from registration.wiring import open_services  # noqa: PLC0415 - other commands need not wait for it

    settings = settings_of_process()
    migrated_database(settings).close()
    with closing(open_services(settings)) as services:
        yield services


@commands.command()
@one_line_errors
def find(
    wanted: Annotated[str, typer.Argument(help="a reference, an e-mail address, or how a last name begins")],
    name: Name = "",
    as_json: AsJson = False,
) -> None:
    """Find customers, at most 50."""
    with opened() as services:
        _show(search.find(services, operator(name), wanted).rows, as_json=as_json)


@commands.command("show")
@one_line_errors
def show_customer(reference: Reference, name: Name = "", as_json: AsJson = False) -> None:
    """Show one customer."""
    with opened() as services:
        shown = actions.show(services, operator(name), reference)
    if isinstance(shown, ActionOutcome):
        stop(shown.value)
    _show([shown], as_json=as_json)


@commands.command()
@one_line_errors
def export(reference: Reference, name: Name = "") -> None:
    """Print everything about a person as JSON (GDPR, articles 15 and 20)."""
    with opened() as services:
        found = export_customer(services, operator(name), reference)
    if found is None:
        stop(ActionOutcome.NO_CUSTOMER.value)
    show_json(found)


@commands.command()
@one_line_errors
def correct(
    reference: Reference,
    *,
    first_name: Annotated[str | None, typer.Option()] = None,
    last_name: Annotated[str | None, typer.Option()] = None,
    salutation: Annotated[str | None, typer.Option(help="Mr, Mrs, Ms or Dr")] = None,
    gender: Annotated[str | None, typer.Option(help="Female or Male")] = None,
    date_of_birth: Annotated[str | None, typer.Option(help="like 1990-12-31")] = None,
    name: Name = "",
) -> None:
    """Correct a name or a date of birth. A new e-mail address must be proven by the customer."""
    given = {
        "firstName": first_name,
        "lastName": last_name,
        "salutation": salutation,
        "gender": gender,
        "dateOfBirth": date_of_birth,
    }
    raw = {attribute: value for attribute, value in given.items() if value is not None}
    if not raw:
        stop("name what is to be corrected")
    with opened() as services:
        answer = actions.correct(services, operator(name), reference, raw)
    if isinstance(answer, list):
        stop("; ".join(f"{each.attribute}: {each.code}" for each in answer))
    _say(answer)


@commands.command()
@one_line_errors
def unlock(reference: Reference, name: Name = "") -> None:
    """End the lock-out after failed sign-ins."""
    with opened() as services:
        _say(actions.unlock(services, operator(name), reference))


@commands.command()
@one_line_errors
def erase(
    reference: Reference,
    is_sure: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    name: Name = "",
) -> None:
    """Erase the customer, for ever."""
    if not is_sure:
        typer.confirm(f"Erase {reference} for ever?", abort=True)
    with opened() as services:
        _say(actions.erase(services, operator(name), reference))


def _add(command: str, kind: AuditKind, action: Action, text: str) -> None:
    @one_line_errors
    def run(reference: Reference, name: Name = "") -> None:
        with opened() as services:
            _say(actions.act(services, operator(name), reference, kind, action))

    commands.command(command, help=text)(run)


_add("confirm", AuditKind.OPERATOR_CONFIRM, actions.confirm, "Confirm an address that was proven in another way.")
_add("resend", AuditKind.OPERATOR_RESEND, actions.resend, "Send the confirmation mail again.")
_add("block", AuditKind.BLOCK, actions.block, "Refuse sign-ins, and end every session.")
_add("unblock", AuditKind.UNBLOCK, actions.unblock, "Allow sign-ins again.")
_add("end-sessions", AuditKind.OPERATOR_SIGN_OUT, actions.sign_out, "End every session; a new sign-in is possible.")


def _say(answer: ActionOutcome) -> None:
    if answer is not ActionOutcome.DONE:
        stop(answer.value)
    print("Done.")


def _show(rows: Sequence[Row[Any]], *, as_json: bool) -> None:
    facts = [{name: row._mapping[name] for name in (*SHOWN, *MOMENTS)} for row in rows]
    if as_json:
        show_json(facts)
        return
    columns = ("reference", "e-mail", "name", "created (UTC)", "state")
    show_table(
        columns,
        [(row.reference, row.email, _name(row), f"{row.created_at:%Y-%m-%d %H:%M}", _state(row)) for row in rows],
    )


def _name(row: Row[Any]) -> str:
    return " ".join(filter(None, (row.first_name, row.last_name)))


def _state(row: Row[Any]) -> str:
    if row.anonymized_at:
        return "erased"
    if row.blocked_at:
        return "blocked"
    return "confirmed" if row.confirmed_at else "not confirmed"
