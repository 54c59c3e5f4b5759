"""Erasure: the customer's row stays, the personal data goes, in one transaction."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Table, delete, select, update

from registration.addresses.forgetting import forget_address
from registration.addresses.pending import erase_pending
from registration.limits.budgets import mailbox_mark
from registration.limits.lockout import attempt_prefix
from registration.outcomes import Done, ErasureOutcome
from registration.passwords.stored import verified_hash
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import EventKind, record_event
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.storage.personal import deleted_tables, emptied_values
from registration.storage.tables import customer, email_change, email_claim, metadata


def anonymize(services: Services, caller: Caller, password: str | None, client_ip: str) -> ErasureOutcome:
    """Erase the caller's personal data; a password is checked if one is given.

    Raises Unavailable when the database, or the server that counts failed sign-ins, does not answer.
    """
    if password is not None:
        verified = verified_hash(services, caller.customer.id, password, client_ip)
        if not isinstance(verified, str):
            return verified
    # First, because the lock-out may count in another server: its outage then leaves everything as it was.
    forget_counts(services, caller.customer.email)
    services.database.write(partial(erase_confirmed, services, caller.customer.id))
    services.database.empty_log()
    return Done()


def forget_counts(services: Services, email: str) -> None:
    """Forget the failed sign-ins and the mails that are counted for an address; writes in a transaction of its own.

    Raises Unavailable.
    """
    for secret, mark in product(services.secret.versions(), (attempt_prefix, mailbox_mark)):
        services.lockout.forget(mark(secret, key_of_stored(email)))


def erase_confirmed(services: Services, customer_id: UUID, connection: Connection) -> None:
    """Erase a confirmed customer inside the caller's transaction; does nothing for one that is gone."""
    person = connection.execute(
        select(customer).where(customer.c.id == customer_id, customer.c.anonymized_at.is_(None)).with_for_update()
    ).one_or_none()
    if person is None:  # another request was faster
        return
    now = services.clock()
    emptied = {**emptied_row(services.new_id), "updated_at": now, "anonymized_at": now}
    connection.execute(update(customer).where(customer.c.id == customer_id).values(emptied))
    former = audit.former_addresses(connection, customer_id)
    addresses = _addresses(connection, person, former)
    for table in deleted_tables(metadata):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    # After the sessions: a refresh in flight may have recorded that its token was used twice.
    for address in addresses:
        audit.forget_person(connection, customer_id, address)
        forget_address(connection, services.secret, address)
    audit.forget_former_addresses(connection, [key_of_stored(person.email), *former])
    # Without `client_ip`, which would be personal data again.
    audit.record(connection, services.new_id(), AuditKind.ERASE, customer_id, now)
    record_event(connection, services.new_id(), EventKind.ERASED, customer_id, now)
    services.ledger.record([customer_id], now)


def erase(services: Services, customer_id: UUID, connection: Connection) -> None:
    """Erase a customer inside the caller's transaction; one that is not confirmed leaves no row."""
    if erase_pending(connection, customer_id):
        services.ledger.record([customer_id], services.clock())
    else:
        erase_confirmed(services, customer_id, connection)


def emptied_row(new_id: Callable[[], UUID], table: Table = customer) -> dict[str, object]:
    """The values that the personal columns of an erased row hold, by column.

    The password hash is emptied, too, which the legacy system keeps: it is derived from what a person knows and may use
    elsewhere, it opens nothing any more, and no answer ever showed it.
    """
    return emptied_values(
        table,
        address=lambda: f"{new_id().hex}@{new_id().hex}.{new_id().hex}",
        text=lambda _column: "",
    )


def _addresses(connection: Connection, person: Row[Any], former: Sequence[str]) -> list[str]:
    """The keys of the customer's addresses: the present one, and waiting or former ones that no other account has.

    Any customer can ask for a change to the address of another one, whose counts and rows must not go then.
    """
    waiting = connection.scalars(select(email_change.c.email).where(email_change.c.customer_id == person.id))
    more = {*map(key_of_stored, waiting), *former}
    others = connection.scalars(select(email_claim.c.address).where(email_claim.c.address.in_(more))).all()
    return [key_of_stored(person.email), *more.difference(others)]
