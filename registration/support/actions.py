"""What an operator can do for a customer: each in one transaction, with its audit row.

Counts of failed sign-ins may be in the server of GATEWAY_ATTEMPTS_URL: an act deletes them before its transaction.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, update

from registration.account import erasure
from registration.account.erasure import forget_counts
from registration.account.profile import write_changes
from registration.limits.lockout import end_lock_out
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.outcomes import Violation
from registration.records.audit import AuditKind
from registration.rules.account import read_profile_changes
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.sessions.sessions import end_sessions
from registration.signing_up.confirmation import issue_token, mark_confirmed
from registration.storage.tables import customer
from registration.support.operator import Operator
from registration.support.search import by_reference


class ActionOutcome(Enum):
    """What came of an action; each is a sentence for the operator."""

    DONE = "done"
    NO_CUSTOMER = "there is no customer of that reference"
    ERASED = "the customer is erased"
    CONFIRMED_ALREADY = "the address is confirmed already"
    NO_CONFIRMATION = "GATEWAY_CONFIRMATION is off: there is nothing to send"
    BLOCKED_ALREADY = "the customer is blocked already"
    NOT_BLOCKED = "the customer is not blocked"


Action: TypeAlias = Callable[[Connection, Services, Row[Any]], ActionOutcome]


def act(services: Services, operator: Operator, reference: str, kind: AuditKind, action: Action) -> ActionOutcome:
    """Lock the customer, act, and write the audit row if that was done. Raises Unavailable."""
    answer, _ = _act(services, operator, reference, kind, action)
    return answer


def _act(
    services: Services, operator: Operator, reference: str, kind: AuditKind, action: Action
) -> tuple[ActionOutcome, Row[Any] | None]:
    """The answer, and the row as it was locked."""

    def work(connection: Connection) -> tuple[ActionOutcome, Row[Any] | None]:
        row = by_reference(connection, reference, locked=True)
        if row is None:
            return ActionOutcome.NO_CUSTOMER, None
        answer = ActionOutcome.ERASED if row.anonymized_at else action(connection, services, row)
        if answer is ActionOutcome.DONE:
            operator.record(connection, services, kind, row.id)
        return answer, row

    return services.database.write(work)


def show(services: Services, operator: Operator, reference: str) -> Row[Any] | ActionOutcome:
    """The row of a customer that is not erased, or why there is none."""
    answer, row = _act(services, operator, reference, AuditKind.OPERATOR_SHOW, _leave)
    return row if row and answer is ActionOutcome.DONE else answer


def _leave(_connection: Connection, _services: Services, _row: Row[Any]) -> ActionOutcome:
    return ActionOutcome.DONE


def confirm(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    """Confirm an address that the operator has seen proven in another way."""
    return ActionOutcome.DONE if mark_confirmed(connection, services, row.id, "") else ActionOutcome.CONFIRMED_ALREADY


def resend(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    """Send the confirmation mail again, with a new key."""
    if row.confirmed_at:
        return ActionOutcome.CONFIRMED_ALREADY
    if services.confirmation is None:
        return ActionOutcome.NO_CONFIRMATION
    now = services.clock()
    token_id = issue_token(connection, services, row.id, now, with_code=False)
    outbox.enqueue(connection, kind=MailKind.CONFIRMATION, customer_id=row.id, token_id=token_id, now=now)
    return ActionOutcome.DONE


def block(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    """Refuse sign-ins from now on, and end every session."""
    if row.blocked_at:
        return ActionOutcome.BLOCKED_ALREADY
    now = services.clock()
    connection.execute(update(customer).where(customer.c.id == row.id).values(blocked_at=now))
    end_sessions(connection, row.id, now)
    return ActionOutcome.DONE


def unblock(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    if not row.blocked_at:
        return ActionOutcome.NOT_BLOCKED
    connection.execute(update(customer).where(customer.c.id == row.id).values(blocked_at=None))
    return ActionOutcome.DONE


def sign_out(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    """End every session; the customer can sign in again."""
    end_sessions(connection, row.id, services.clock())
    return ActionOutcome.DONE


def unlock(services: Services, operator: Operator, reference: str) -> ActionOutcome:
    """End the lock-out after failed sign-ins, wherever it is counted. Raises Unavailable."""
    # First: no audit row may say what was not done.
    row = services.database.read(partial(by_reference, reference=reference))
    if row and not row.anonymized_at:
        end_lock_out(services.lockout, services.secret, key_of_stored(row.email))
    return act(services, operator, reference, AuditKind.OPERATOR_UNLOCK, _leave)


def correct(
    services: Services, operator: Operator, reference: str, raw: Mapping[str, object]
) -> ActionOutcome | list[Violation]:
    """Change attributes of the profile, by the rules of the customer's own changes."""
    changes = read_profile_changes(raw, services.policy, services.clock().date(), of_person=services.of_person)
    if isinstance(changes, list):
        return changes

    def change(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
        write_changes(connection, services, row, changes.values, "")
        return ActionOutcome.DONE

    return act(services, operator, reference, AuditKind.OPERATOR_CORRECT, change)


def erase(services: Services, operator: Operator, reference: str) -> ActionOutcome:
    """Erase a customer as the customer could. One that is not confirmed leaves no row, as when it is disowned."""
    # First, as when the customer does it.
    row = services.database.read(partial(by_reference, reference=reference))
    if row and not row.anonymized_at:
        forget_counts(services, row.email)
    answer = act(services, operator, reference, AuditKind.OPERATOR_ERASE, _erase)
    services.database.empty_log()
    return answer


def _erase(connection: Connection, services: Services, row: Row[Any]) -> ActionOutcome:
    erasure.erase(services, row.id, connection)
    return ActionOutcome.DONE
