"""The stored password of a customer: compared and replaced."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from registration.outcomes import BadCredentials, TooManyAttempts
from registration.records.events import EventKind, record_event
from registration.rules.password import forms_of
from registration.services import Services
from registration.sessions.guesses import charge_guesses, give_guesses_back_alone
from registration.sessions.sessions import end_sessions
from registration.storage.tables import customer, email_change, export_token, reset_token


def verified_hash(
    services: Services, customer_id: UUID, password: str, client_ip: str
) -> str | BadCredentials | TooManyAttempts:
    """The stored hash if the password, as it was typed, is right; costs a hash for each of its forms.

    A wrong password is a guess of the client, like one of a sign-in (decision 0028).
    """
    [refused] = charge_guesses(services, [client_ip])
    if refused:
        return refused
    stored: str | None = services.database.read(
        lambda connection: connection.execute(
            select(customer.c.password_hash).where(customer.c.id == customer_id)
        ).scalar_one_or_none()
    )
    is_right = services.passwords.verify(stored, *forms_of(password)).is_right
    if stored is None or not is_right:
        return BadCredentials()
    give_guesses_back_alone(services, [client_ip])
    return stored


def store_password(
    connection: Connection,
    services: Services,
    customer_id: UUID,
    new_hash: str,
    now: datetime,
    *,
    old_hash: str | None = None,
    keep: UUID | None = None,
) -> bool:
    """Store a hash inside the caller's transaction and end every session but `keep`; False if the customer is gone.

    With an `old_hash`, also False if that hash is not stored any more. Deletes the customer's reset key, export key
    and pending change of address, too: another client that knew the old password may have asked for them.
    """
    is_old = [] if old_hash is None else [customer.c.password_hash == old_hash]
    stored = connection.execute(
        update(customer)
        .where(customer.c.id == customer_id, customer.c.anonymized_at.is_(None), *is_old)
        .values(password_hash=new_hash, password_changed_at=now, updated_at=now)
    )
    if stored.rowcount != 1:
        return False
    for table in (reset_token, email_change, export_token):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    end_sessions(connection, customer_id, now, keep)
    record_event(connection, services.new_id(), EventKind.PASSWORD_CHANGED, customer_id, now)
    return True
