"""The audit trail: what happened to which customer, when, and from which client's address; it holds no secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, insert, or_, select, update

from registration.notes import current_correlation_id
from registration.storage.inserts import Inserting
from registration.storage.personal import personal_columns
from registration.storage.slices import change_unlocked
from registration.storage.tables import IS_DECOY, audit, customer

INSERT = insert(audit)


class AuditKind(StrEnum):
    """What can be recorded."""

    SIGN_UP = "sign-up"
    SIGN_UP_REPEATED = "sign-up repeated"
    CONFIRM = "confirm"
    DISOWN = "disown"
    SIGN_IN = "sign-in"
    SIGN_IN_FAILURE = "sign-in failure"
    SIGN_OUT = "sign-out"
    LOCK_OUT = "lock-out"
    RESET_REQUEST = "reset request"
    RESET = "reset"
    PASSWORD_CHANGE = "password change"
    PROFILE_CHANGE = "profile change"
    EMAIL_CHANGE_REQUEST = "email change request"
    EMAIL_CHANGE = "email change"
    TOKEN_REUSE = "token reuse"
    SECURE = "secure"
    EXPORT_REQUEST = "export request"
    EXPORT = "export"
    ERASE = "erase"
    BLOCK = "block"
    UNBLOCK = "unblock"
    OPERATOR_FIND = "operator find"
    OPERATOR_SHOW = "operator show"
    OPERATOR_CONFIRM = "operator confirm"
    OPERATOR_RESEND = "operator resend"
    OPERATOR_UNLOCK = "operator unlock"
    OPERATOR_SIGN_OUT = "operator sign-out"
    OPERATOR_CORRECT = "operator correct"
    OPERATOR_ERASE = "operator erase"
    OPERATOR_EXPORT = "operator export"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What an operator sees of a row; `client_ip` is None where it is not known, or not any more.

    `correlation_id` leads to the lines of the request in the log; None for what no request caused.
    `operator` is the name of ours that did it; None for what the customer did.
    """

    created_at: datetime
    kind: str
    client_ip: str | None = field(repr=False)
    correlation_id: str | None
    operator: str | None


def record(
    connection: Inserting,
    record_id: UUID,
    kind: AuditKind,
    customer_id: UUID | None,
    now: datetime,
    *,
    client_ip: str | None = None,
    email_key: str | None = None,
    correlation_id: str = "",
    operator: str | None = None,
) -> None:
    """Write a row inside the caller's transaction.

    `email_key` is the address that was typed where no customer has it, and after a change of address the former one.
    `correlation_id` is that of the present request unless it is given, as by a thread that works for several.
    """
    row = {
        "id": record_id,
        "kind": kind,
        "customer_id": customer_id,
        # An IPv6 address can be followed by the name of a zone, of any length.
        "client_ip": client_ip[:64] if client_ip else None,
        "email_key": email_key and email_key[:320],
        "correlation_id": correlation_id or current_correlation_id() or None,
        "operator": operator,
        "created_at": now,
    }
    connection.execute(INSERT, row)


EMPTIED = dict.fromkeys((column.key for column in personal_columns(audit)), None)


def forget_person(connection: Connection, customer_id: UUID, email_key: str) -> None:
    """Null the personal columns of the customer's rows, and of those without a customer that have the address."""
    is_strangers = (audit.c.email_key == email_key) & audit.c.customer_id.is_(None)
    connection.execute(update(audit).where((audit.c.customer_id == customer_id) | is_strangers).values(EMPTIED))


def forget_former_addresses(connection: Connection, email_keys: Sequence[str]) -> None:
    """Null addresses in the rows of all customers: another one may have had them before."""
    connection.execute(update(audit).where(audit.c.email_key.in_(email_keys)).values(email_key=None))


def forget_address(connection: Connection, email_key: str) -> None:
    """Null an address in the rows without a customer."""
    is_strangers = (audit.c.email_key == email_key) & audit.c.customer_id.is_(None)
    connection.execute(update(audit).where(is_strangers).values(email_key=None))


def forget_strangers(connection: Connection, before: datetime, limit: int) -> int:
    """Null the personal columns of rows without a customer that are older than `before`; returns how many had any.

    At most `limit` rows; skips those that another transaction has locked.
    """
    has_any = or_(*(column.is_not(None) for column in personal_columns(audit)))
    is_over = audit.c.customer_id.is_(None) & has_any & (audit.c.created_at < before)
    keys = connection.execute(select(audit.c.id).where(is_over).limit(limit)).all()
    return change_unlocked(connection, update(audit).where(is_over).values(EMPTIED), keys)


def is_recorded(connection: Connection, record_id: UUID) -> bool:
    """Whether there is a row with this id."""
    return connection.execute(select(audit.c.id).where(audit.c.id == record_id)).one_or_none() is not None


def former_addresses(connection: Connection, customer_id: UUID) -> Sequence[str]:
    """The keys of the addresses that a customer had before."""
    is_former = (audit.c.customer_id == customer_id) & audit.c.email_key.is_not(None)
    return connection.scalars(select(audit.c.email_key).where(is_former).distinct()).all()


def trail(connection: Connection, reference: str) -> list[AuditRecord] | None:
    """All records of a customer, erased or not, the oldest first; None if no customer has the reference."""
    customer_id = connection.execute(
        select(customer.c.id).where(customer.c.reference == reference, ~IS_DECOY)
    ).scalar_one_or_none()
    if customer_id is None:
        return None
    rows = connection.execute(
        select(audit.c.created_at, audit.c.kind, audit.c.client_ip, audit.c.correlation_id, audit.c.operator)
        .where(audit.c.customer_id == customer_id)
        .order_by(audit.c.created_at)
    )
    return [AuditRecord(*row) for row in rows]
