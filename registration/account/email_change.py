"""Changes of address: the new one waits until its mailbox has proven it, and the old one is told at once; it never
touches the rest of the profile."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, select, update

from registration.addresses.claims import claim
from registration.addresses.forgetting import forget_address
from registration.addresses.holders import find_holder, keep
from registration.customer import customer_of
from registration.keys.link_keys import digest, email_change_key
from registration.limits.address_limits import count_for_address
from registration.limits.attempts import Limit, count_attempt
from registration.mail import outbox
from registration.mail.mails import MailKind
from registration.outcomes import Confirmed, EmailChangeOutcome, EmailTaken, TokenRefused, TooManyAttempts
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import record_event
from registration.rules.address import address_key
from registration.services import Services
from registration.storage.database import replace_row
from registration.storage.tables import customer, email_change, email_claim, reset_token

# So that nobody can have us fill a stranger's mailbox, or ask us about many.
LIMITS_OF_AN_ADDRESS = (Limit(5, 3600), Limit(20, 86_400))
LIMIT_OF_A_CUSTOMER = Limit(10, 3600)
# Where no sign-up is confirmed, and so no lifetime is set.
LIFETIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PendingChange:
    """An address that waits for its proof."""

    email: str = field(repr=False)
    confirm_before: datetime


def park(
    connection: Connection, services: Services, person: Row[Any], email: str, client_address: str
) -> EmailTaken | TooManyAttempts | None:
    """Let an address wait, inside the caller's transaction; None when it does. It takes the place of an earlier one.

    It is claimed only when it is proven: otherwise anybody could block another's address. Concealing, one that is taken
    waits like any other, but for a key that nobody gets; who has it is told.
    """
    now = services.clock()
    address = str(address_key(email))
    blocked = _count(connection, services, person.id, address)
    if blocked:
        return blocked
    holder = keep(connection, find_holder(connection, address, now))
    taken_by = holder.id if holder and holder.is_firm and holder.id != person.id else None
    if taken_by and not services.conceal:
        return EmailTaken()
    token_id = services.new_id()
    row = {
        "customer_id": person.id,
        "digest": digest(email_change_key(services.secret, token_id)),
        "email": email,
        "expires_at": now + (services.confirmation or LIFETIME),
    }
    replace_row(connection, email_change, row)
    outbox.withdraw(connection, MailKind.EMAIL_CHANGE, person.id, now)
    if taken_by:
        outbox.post(connection, kind=MailKind.ALREADY_REGISTERED, customer_id=taken_by, token_id=None, now=now)
    else:
        outbox.post(connection, kind=MailKind.EMAIL_CHANGE, customer_id=person.id, token_id=token_id, now=now)
    # To the address of this moment: the new one may be proven before the notice leaves.
    notice = MailKind.EMAIL_CHANGE_NOTICE
    outbox.post(connection, kind=notice, customer_id=person.id, token_id=None, now=now, recipient=person.email)
    kind = AuditKind.EMAIL_CHANGE_REQUEST
    audit.record(connection, services, kind, person.id, now, client_address=client_address)
    return None


def _count(connection: Connection, services: Services, customer_id: UUID, address: str) -> TooManyAttempts | None:
    key = services.secret.derive("email change attempts of a customer", str(customer_id))
    seconds = count_attempt(connection, key, LIMIT_OF_A_CUSTOMER, services.clock())
    if seconds is not None:
        return TooManyAttempts(seconds)
    return count_for_address(connection, services, "email change", address, LIMITS_OF_AN_ADDRESS)


def pending_change(connection: Connection, customer_id: UUID, now: datetime) -> PendingChange | None:
    """The address that waits for its proof."""
    row = connection.execute(
        select(email_change).where(email_change.c.customer_id == customer_id, email_change.c.expires_at > now)
    ).one_or_none()
    return None if row is None else PendingChange(row.email, row.expires_at)


def address_of_key(services: Services, key: str) -> str | None:
    """The address that a key would prove, as typed; changes nothing."""

    def look(connection: Connection) -> str | None:
        return connection.execute(
            select(email_change.c.email).where(
                email_change.c.digest == digest(key), email_change.c.expires_at > services.clock()
            )
        ).scalar_one_or_none()

    return services.database.read(look)


def confirm_email_change(services: Services, key: str, client_address: str) -> EmailChangeOutcome:
    """Use a key up: the new address is the customer's, the old one is free."""

    def work(connection: Connection) -> EmailChangeOutcome:
        now = services.clock()
        proven = connection.execute(
            delete(email_change)
            .where(email_change.c.digest == digest(key), email_change.c.expires_at > now)
            .returning(email_change.c.customer_id, email_change.c.email)
        ).one_or_none()
        if proven is None:
            return TokenRefused()
        if not claim(connection, str(address_key(proven.email)), proven.customer_id, now):
            return EmailTaken()
        former, row = _move(connection, services, proven.customer_id, proven.email)
        record_event(connection, services, "customer.email_changed", row.id, now)
        # The former address is kept there for the erasure, which could not find what is typed at sign-ins from now on.
        kind = AuditKind.EMAIL_CHANGE
        audit.record(connection, services, kind, row.id, now, client_address=client_address, address=former)
        return Confirmed(customer_of(row))

    return services.database.write(work)


def _move(connection: Connection, services: Services, customer_id: UUID, email: str) -> tuple[str, Row[Any]]:
    """The address that is given up, as it is compared, and the customer's row."""
    former: str = connection.scalars(
        delete(email_claim)
        .where(email_claim.c.customer_id == customer_id, email_claim.c.address != address_key(email))
        .returning(email_claim.c.address)
    ).one()
    forget_address(connection, services, former)
    # A key in the old mailbox must not open the account any more.
    connection.execute(delete(reset_token).where(reset_token.c.customer_id == customer_id))
    moved = update(customer).where(customer.c.id == customer_id).values(email=email, updated_at=services.clock())
    return former, connection.execute(moved.returning(customer)).one()
