"""Confirmation: proof that a mailbox belongs to who signed up; it never tells whether an address is known."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, exists, insert, select, update

from registration import outbox
from registration.address import address_key
from registration.attempts import Limit, count_attempt
from registration.customer import customer_of
from registration.events import record_event
from registration.inserts import Inserting
from registration.outcomes import (
    Accepted,
    ConfirmationOutcome,
    Confirmed,
    Disowned,
    DisownOutcome,
    Invalid,
    ResendOutcome,
    TokenRefused,
    TooManyAttempts,
)
from registration.rules import email_violations
from registration.services import Services
from registration.tables import confirmation_token, customer, email_claim, idempotency, mail
from registration.tokens import confirmation_key, digest

INSERT = insert(confirmation_token)
# Per address, known or not.
RESEND_LIMITS = (Limit(1, 60), Limit(5, 86_400))


@dataclass(frozen=True, slots=True)
class PendingSignUp:
    """Who signed up with an address, and when: what its owner needs to tell friend from foe."""

    email: str
    first_name: str
    last_name: str
    created_at: datetime


def issue_token(connection: Inserting, services: Services, customer_id: UUID, now: datetime) -> UUID:
    """Write a token inside the caller's transaction; only the secret turns the id that comes back into the key."""
    assert services.confirmation is not None
    token_id = services.new_id()
    row = {
        "digest": digest(confirmation_key(services.secret, token_id)),
        "customer_id": customer_id,
        "expires_at": now + services.confirmation,
    }
    connection.execute(INSERT, row)
    return token_id


def pending_sign_up(services: Services, key: str) -> PendingSignUp | None:
    """Whom a key would confirm; changes nothing."""

    def look(connection: Connection) -> PendingSignUp | None:
        row = connection.execute(
            select(customer.c.email, customer.c.first_name, customer.c.last_name, customer.c.created_at)
            .join(confirmation_token, confirmation_token.c.customer_id == customer.c.id)
            .where(confirmation_token.c.digest == digest(key), confirmation_token.c.expires_at > services.clock())
        ).one_or_none()
        return None if row is None else PendingSignUp(row.email, row.first_name, row.last_name, row.created_at)

    return services.database.read(look)


def confirm(services: Services, key: str) -> ConfirmationOutcome:
    """Use a key up and confirm its customer."""

    def work(connection: Connection) -> ConfirmationOutcome:
        now = services.clock()
        customer_id = _use_up(connection, key, now)
        row = connection.execute(
            update(customer)
            .where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None))
            .values(confirmed_at=now, updated_at=now)
            .returning(customer)
        ).one_or_none()
        if row is None:
            return TokenRefused()
        connection.execute(delete(confirmation_token).where(confirmation_token.c.customer_id == row.id))
        record_event(connection, services, "customer.confirmed", row.id, now)
        return Confirmed(customer_of(row))

    return services.database.write(work)


def disown(services: Services, key: str) -> DisownOutcome:
    """Erase the pending account of a key, because the owner of the mailbox did not sign up; frees the address."""

    def work(connection: Connection) -> DisownOutcome:
        now = services.clock()
        customer_id = _use_up(connection, key, now)
        if customer_id is None or not erase_pending(connection, customer_id):
            return TokenRefused()
        record_event(connection, services, "customer.disowned", customer_id, now)
        return Disowned()

    return services.database.write(work)


def resend_confirmation(services: Services, email: object) -> ResendOutcome:
    """Post a new confirmation mail if an account is pending under the address; says the same if not."""
    violations = email_violations({"email": email})
    if violations:
        return Invalid(tuple(violations))
    address = str(address_key(str(email)))

    def work(connection: Connection) -> ResendOutcome:
        now = services.clock()
        for limit in RESEND_LIMITS:
            key = services.secret.derive("resend attempts", str(limit.seconds), address)
            seconds = count_attempt(connection, key, limit, now)
            if seconds is not None:
                return TooManyAttempts(seconds)
        _post_again(connection, services, address, now)
        return Accepted()

    outcome = services.database.write(work)
    services.mail_posted()
    return outcome


def _post_again(connection: Connection, services: Services, address: str, now: datetime) -> None:
    customer_id = connection.execute(
        select(customer.c.id)
        .join(email_claim, email_claim.c.customer_id == customer.c.id)
        .where(email_claim.c.address == address, customer.c.confirmed_at.is_(None))
        .with_for_update()  # else it could be confirmed, erased or replaced before the token is written
    ).scalar_one_or_none()
    if customer_id is not None and services.confirmation is not None:
        token_id = issue_token(connection, services, customer_id, now)
        outbox.post(connection, kind="confirmation", customer_id=customer_id, token_id=token_id, now=now)


def is_pending(connection: Connection, customer_id: UUID, now: datetime) -> bool:
    """Whether a key of the customer can still be used."""
    return bool(
        connection.execute(
            select(
                exists().where(confirmation_token.c.customer_id == customer_id, confirmation_token.c.expires_at > now)
            )
        ).scalar_one()
    )


def erase_pending(connection: Connection, customer_id: UUID) -> bool:
    """Delete an account that was never confirmed, with all that belongs to it; false if it is confirmed or gone."""
    erased = connection.execute(delete(customer).where(customer.c.id == customer_id, customer.c.confirmed_at.is_(None)))
    if erased.rowcount != 1:
        return False
    for table in (email_claim, confirmation_token, mail, idempotency):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    return True


def _use_up(connection: Connection, key: str, now: datetime) -> UUID | None:
    return connection.execute(
        delete(confirmation_token)
        .where(confirmation_token.c.digest == digest(key), confirmation_token.c.expires_at > now)
        .returning(confirmation_token.c.customer_id)
    ).scalar_one_or_none()
