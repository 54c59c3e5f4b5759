"""New accounts: the rows that a sign-up writes inside the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert

from registration.addresses.claims import claim, claim_with_uniform_work
from registration.addresses.decoys import decoy_of
from registration.customer import Customer, personal_data, row_of
from registration.language import Language
from registration.limits.idempotency import Ticket
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import EventKind, record_event
from registration.rules.sign_up import NewCustomer
from registration.services import Services
from registration.signing_up.confirmation import issue_token
from registration.storage.database import insert_new
from registration.storage.inserts import Inserting, gathered, insert_new_together
from registration.storage.tables import customer, email_claim

INSERT = insert(customer)


@dataclass(frozen=True, slots=True)
class PreparedSignUp:
    """All that the transaction of a sign-up writes, made before it: a transaction that runs again writes the same."""

    new: NewCustomer = field(repr=False)
    customer: Customer = field(repr=False)
    password_hash: str = field(repr=False)
    client_ip: str = field(repr=False)
    with_code: bool
    correlation_id: str = ""
    ticket: Ticket | None = field(default=None, repr=False)
    traceparent: str | None = None

    @property
    def row(self) -> dict[str, object]:
        """The row of the table `customer`."""
        return {
            **row_of(self.customer),
            "password_hash": self.password_hash,
            "terms_accepted_at": self.customer.created_at,
            "anonymized_at": None,
        }


def customer_of_sign_up(
    services: Services, new: NewCustomer, *, customer_id: UUID, reference: str, language: Language, now: datetime
) -> Customer:
    """The customer that a sign-up makes at the moment `now`; confirmed at once where no confirmation is needed."""
    return Customer(
        **personal_data(new),
        id=customer_id,
        reference=reference,
        email=new.email.text,
        language=language,
        created_at=now,
        updated_at=now,
        confirmed_at=None if services.confirmation else now,
    )


@dataclass(frozen=True, slots=True)
class SideRows:
    """The kinds of the mail, the event and the audit row that a sign-up writes besides an account."""

    mail: MailKind
    event: EventKind
    audit: AuditKind


CONFIRMATION_NEEDED = SideRows(MailKind.CONFIRMATION, EventKind.CREATED, AuditKind.SIGN_UP)
CONFIRMED_AT_ONCE = SideRows(MailKind.WELCOME, EventKind.CREATED, AuditKind.SIGN_UP)
ADDRESS_TAKEN = SideRows(MailKind.ALREADY_REGISTERED, EventKind.SIGN_UP_REPEATED, AuditKind.SIGN_UP_REPEATED)
"""These rows are about the account that has the address."""


def write_accounts(services: Services, sign_ups: Sequence[PreparedSignUp], connection: Connection) -> Collection[UUID]:
    """Write the accounts whose addresses are not claimed, with their side rows; returns the customer ids of those.

    Waits for transactions that claim the same addresses. Leaves the other sign-ups to `write_account`, which also
    decides whether the holder of an address keeps it.
    """
    claims = [{"address": each.new.email.key, "customer_id": each.customer.id} for each in sign_ups]
    claimed = insert_new_together(connection, email_claim.c.customer_id, claims)
    with gathered(connection) as batch:
        for each in sign_ups:
            if each.customer.id in claimed:
                batch.execute(INSERT, each.row)
                _insert_side_rows(batch, services, each)
    return claimed


def write_account(services: Services, sign_up: PreparedSignUp, connection: Connection) -> bool:
    """Write the account and its side rows; False when another account has the address."""
    new = sign_up.customer
    if not claim(connection, sign_up.new.email.key, new.id, new.created_at):
        return False
    # False where an earlier try of this transaction wrote both and its commit was not acknowledged.
    if insert_new(connection, customer, sign_up.row):
        with gathered(connection) as batch:
            _insert_side_rows(batch, services, sign_up)
    return True


def write_account_with_uniform_work(services: Services, sign_up: PreparedSignUp, connection: Connection) -> None:
    """As `write_account`, with as many statements and rows when the address is taken: it writes a decoy then."""
    new = sign_up.customer
    holder = claim_with_uniform_work(connection, sign_up.new.email.key, new.id, new.created_at)
    is_new = holder == new.id
    decoy = decoy_of(sign_up.row, new.id)
    if insert_new(connection, customer, sign_up.row if is_new else decoy):
        with gathered(connection) as batch:
            token_id = issue_token(batch, services, new.id, new.created_at, with_code=sign_up.with_code)
            if is_new:
                _insert(batch, services, sign_up, CONFIRMATION_NEEDED, token_id=token_id)
            else:
                _insert(batch, services, sign_up, ADDRESS_TAKEN, about=holder)


def _insert_side_rows(batch: Inserting, services: Services, sign_up: PreparedSignUp) -> None:
    new = sign_up.customer
    if new.confirmed_at is None:
        token_id = issue_token(batch, services, new.id, new.created_at, with_code=sign_up.with_code)
        _insert(batch, services, sign_up, CONFIRMATION_NEEDED, token_id=token_id)
    else:
        _insert(batch, services, sign_up, CONFIRMED_AT_ONCE)


def _insert(
    batch: Inserting,
    services: Services,
    sign_up: PreparedSignUp,
    side_rows: SideRows,
    *,
    token_id: UUID | None = None,
    about: UUID | None = None,
) -> None:
    """Insert the mail, the event and the audit row about the new customer, or about the one with the id `about`."""
    now, customer_id = sign_up.customer.created_at, about or sign_up.customer.id
    cause = sign_up.correlation_id  # this thread may work for other requests, too
    outbox.enqueue(
        batch,
        kind=side_rows.mail,
        customer_id=customer_id,
        token_id=token_id,
        now=now,
        correlation_id=cause,
        traceparent=sign_up.traceparent,
    )
    record_event(batch, services.new_id(), side_rows.event, customer_id, now)
    audit.record(
        batch, services.new_id(), side_rows.audit, customer_id, now, client_ip=sign_up.client_ip, correlation_id=cause
    )
