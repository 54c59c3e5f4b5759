"""The transaction of sign-ups: each is registered, or its address is taken, or its idempotency key was used before."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from registration.addresses.holders import NO_CUSTOMER
from registration.customer import Customer
from registration.keys.handles import handle_of
from registration.keys.secret import Secret
from registration.language import Language
from registration.limits import idempotency
from registration.limits.budgets import Bill, Charge, Charged, Cost
from registration.limits.idempotency import Record
from registration.outcomes import (
    EmailTaken,
    IdempotencyConflict,
    Registered,
    SignUpAccepted,
    SignUpOutcome,
)
from registration.rules.sign_up import NewCustomer
from registration.services import Services
from registration.signing_up.new_account import (
    PreparedSignUp,
    customer_of_sign_up,
    write_account,
    write_account_with_uniform_work,
    write_accounts,
)
from registration.storage.database import unless_stored, wait_briefly
from registration.storage.tables import customer

# Built once, because building takes as long as running it.
STORED = select(customer.c.id).where(customer.c.id.in_(bindparam("wanted", expanding=True))).limit(1)

Outcomes = dict[UUID, SignUpOutcome]
"""By the customer id of the prepared sign-up, also where no customer comes of it."""
Written = tuple[list[Charged], Outcomes]
"""The result of a transaction: bills, in order, and outcomes."""


def commit(
    services: Services, sign_ups: Sequence[PreparedSignUp], lock_wait: float | None = None
) -> list[SignUpOutcome | Exception]:
    """Write sign-ups and return their outcomes, in the same order; raises only while none is committed.

    Raises Locked when another transaction holds an address for longer than `lock_wait` seconds; with None, the waits of
    the database apply. What is raised after others are committed is the outcome of its sign-up.

    One transaction for all but those with an idempotency key, each of which has its own: a transaction that locks both
    idempotency keys and addresses could deadlock with another node.
    """
    together = [each for each in sign_ups if each.ticket is None]
    outcomes: dict[UUID, SignUpOutcome | Exception] = {}
    for group in ([together] if together else []) + [[each] for each in sign_ups if each.ticket]:
        try:
            outcomes |= _commit_together(services, group, lock_wait)
        except Exception as error:
            if not outcomes:
                raise
            outcomes |= {each.customer.id: error for each in group}
    return [outcomes[each.customer.id] for each in sign_ups]


def _commit_together(services: Services, group: Sequence[PreparedSignUp], lock_wait: float | None) -> Outcomes:
    bills = [bill_of(each.client_ip, each.new) for each in group]
    with services.budgets.charging(services.secret, bills, services.clock()) as charge:
        work = partial(_commit_in, services, group, lock_wait, charge)
        written: Written = services.database.write(unless_stored(work, partial(_is_stored, group)), knows_its_rows=True)
    charged, outcomes = written
    services.budgets.remember(charged)
    return outcomes


def _is_stored(group: Sequence[PreparedSignUp], connection: Connection, _written: Written) -> bool:
    """Whether a customer or decoy of the group is there. One that only refuses has none: it is charged again."""
    return connection.execute(STORED, {"wanted": [each.customer.id for each in group]}).first() is not None


def bill_of(client_ip: str, new: NewCustomer) -> Bill:
    """What a sign-up costs."""
    return Bill(frozenset({Cost.SIGN_UP, Cost.HASH, Cost.MAIL}), client_ip, new.email.key)


def replayed(services: Services, connection: Connection, record: Record, new: NewCustomer) -> SignUpOutcome | None:
    """The outcome of the first use of an idempotency key; None if its customer was erased meanwhile, with the record.

    The same request has the same answer: the customer as first sent, without later changes.
    """
    if not record.same_input:
        return IdempotencyConflict()
    if services.conceal:
        return _accepted(services.secret, record.customer_id or NO_CUSTOMER, record.used_at)
    if record.customer_id is None:
        return EmailTaken()
    row = connection.execute(
        select(customer).where(customer.c.id == record.customer_id, customer.c.anonymized_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    first = customer_of_sign_up(
        services,
        new,
        customer_id=row.id,
        reference=row.reference,
        language=new.language or Language(row.language),
        now=row.created_at,
    )
    return _success(services, first)


def _commit_in(
    services: Services,
    sign_ups: Sequence[PreparedSignUp],
    lock_wait: float | None,
    charge: Charge,
    connection: Connection,
) -> Written:
    if lock_wait is not None:
        wait_briefly(connection, lock_wait)
    now = services.clock()
    charged = charge(connection)
    outcomes: Outcomes = {
        each.customer.id: refusal
        for each, bill in zip(sign_ups, charged, strict=True)
        if (refusal := bill.refusal(now))
    }
    allowed = [each for each in sign_ups if each.customer.id not in outcomes]
    # Sorted, so that two nodes that write the same addresses cannot wait for each other in a circle.
    in_order = sorted(allowed, key=lambda each: each.new.email.key)
    if services.conceal:
        outcomes |= {each.customer.id: _commit_concealed(services, each, connection) for each in in_order}
        return charged, outcomes
    written = write_accounts(services, [each for each in in_order if each.ticket is None], connection)
    for each in in_order:
        is_written = each.customer.id in written
        outcomes[each.customer.id] = (
            _success(services, each.customer) if is_written else _commit_one(services, each, connection)
        )
    return charged, outcomes


def _commit_one(services: Services, sign_up: PreparedSignUp, connection: Connection) -> SignUpOutcome:
    outcome = _outcome_of_first_use(services, sign_up, connection)
    if outcome is not None:
        return outcome
    if not write_account(services, sign_up, connection):
        return EmailTaken()
    if sign_up.ticket:
        idempotency.finish(connection, sign_up.ticket, sign_up.customer.id)
    return _success(services, sign_up.customer)


def _commit_concealed(services: Services, sign_up: PreparedSignUp, connection: Connection) -> SignUpOutcome:
    """As `_commit_one`, with the same answer and work when the address is taken."""
    outcome = _outcome_of_first_use(services, sign_up, connection)
    if outcome is not None:
        return outcome
    write_account_with_uniform_work(services, sign_up, connection)
    if sign_up.ticket:  # of the decoy, too: a replay answers the same handle
        idempotency.finish(connection, sign_up.ticket, sign_up.customer.id)
    return _accepted(services.secret, sign_up.customer.id, sign_up.customer.created_at)


def _outcome_of_first_use(services: Services, sign_up: PreparedSignUp, connection: Connection) -> SignUpOutcome | None:
    """The outcome of an earlier use of the sign-up's idempotency key; None without a key or at its first use.

    Waits for a transaction that uses the same key.
    """
    if sign_up.ticket is None:
        return None
    record = idempotency.begin(connection, sign_up.ticket, sign_up.customer.created_at)
    return None if record is None else replayed(services, connection, record, sign_up.new)


def _success(services: Services, new: Customer) -> Registered:
    confirm_before = new.created_at + services.confirmation if services.confirmation else None
    return Registered(new, confirm_before, handle_of(services.secret, new.id, new.created_at))


def _accepted(secret: Secret, customer_id: UUID, used_at: datetime) -> SignUpAccepted:
    return SignUpAccepted(handle_of(secret, customer_id, used_at))
