"""New accounts: what a sign-up writes inside the caller's transaction; it never commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, insert

from registration.addresses.claims import claim, claim_evenly
from registration.addresses.decoys import shadow_of
from registration.customer import Customer, Gender, Salutation, row_of
from registration.language import Language
from registration.limits.idempotency import Ticket
from registration.mail import outbox
from registration.mail.mails import MailKind
from registration.records import audit
from registration.records.audit import AuditKind
from registration.records.events import record_event
from registration.rules.address import address_key
from registration.services import Services
from registration.signing_up.confirmation import issue_token
from registration.storage.database import insert_new
from registration.storage.inserts import Inserting, gathered, insert_new_together
from registration.storage.tables import customer, email_claim


@dataclass(frozen=True, slots=True)
class Applicant:
    """Attributes that keep the rules."""

    email: str
    salutation: Salutation
    first_name: str
    last_name: str
    gender: Gender
    date_of_birth: date | None
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """All that the transaction writes, made before it opens, so that running it again makes nothing new."""

    id: UUID
    reference: str
    applicant: Applicant = field(repr=False)
    password_hash: str = field(repr=False)
    language: Language
    client_address: str
    now: datetime
    ticket: Ticket | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return str(address_key(self.applicant.email))


@dataclass(frozen=True, slots=True)
class Traces:
    """What a sign-up leaves besides an account: a mail, an event and an entry in the audit trail, by their kinds."""

    mail: MailKind
    event: str
    audit: AuditKind


INSERT = insert(customer)
NEW = Traces(MailKind.CONFIRMATION, "customer.created", AuditKind.SIGN_UP)
READY = replace(NEW, mail=MailKind.WELCOME)
# These are about the account that has the address.
REPEATED = Traces(MailKind.ALREADY_REGISTERED, "customer.sign_up_repeated", AuditKind.SIGN_UP_REPEATED)


def write_accounts(services: Services, drafts: Sequence[Draft], connection: Connection) -> Collection[UUID]:
    """Write accounts whose addresses nobody has, and their traces; the ids of those that are new.

    The others are for `write_account`, which also looks whether who has an address may keep it.
    """
    claims = [{"address": draft.address, "customer_id": draft.id} for draft in drafts]
    claimed = insert_new_together(connection, email_claim.c.customer_id, claims)
    with gathered(connection) as inserts:
        for draft in drafts:
            if draft.id in claimed:
                new = new_customer(services, draft)
                inserts.execute(INSERT, _row_of(new, draft))
                _leave_traces_of(inserts, services, draft, new)
    return claimed


def write_account(services: Services, draft: Draft, connection: Connection) -> bool:
    """Write the account and its traces; false when somebody has the address."""
    if not claim(connection, draft.address, draft.id, draft.now):
        return False
    new = new_customer(services, draft)
    # Else an earlier try has written both, whose commit was not acknowledged.
    if insert_new(connection, customer, _row_of(new, draft)):
        with gathered(connection) as inserts:
            _leave_traces_of(inserts, services, draft, new)
    return True


def _leave_traces_of(inserts: Inserting, services: Services, draft: Draft, new: Customer) -> None:
    token_id = issue_token(inserts, services, new.id, draft.now) if new.confirmed_at is None else None
    _leave(inserts, services, draft, NEW if token_id else READY, customer_id=new.id, token_id=token_id)


def write_account_evenly(services: Services, draft: Draft, connection: Connection) -> bool:
    """As `write_account`, but with as many statements and rows when somebody has the address: for a shadow then."""
    holder = claim_evenly(connection, draft.address, draft.id, draft.now)
    is_new = holder == draft.id
    row = _row_of(new_customer(services, draft), draft) | {"anonymized_at": None}
    shadow = shadow_of(row, draft.id)
    if insert_new(connection, customer, row if is_new else shadow):
        with gathered(connection) as inserts:
            issued = issue_token(inserts, services, draft.id, draft.now)
            traces, token_id = (NEW, issued) if is_new else (REPEATED, None)
            _leave(inserts, services, draft, traces, customer_id=holder, token_id=token_id)
    return is_new


def _row_of(new: Customer, draft: Draft) -> dict[str, object]:
    return row_of(new) | {"password_hash": draft.password_hash, "terms_accepted_at": draft.now}


def _leave(
    connection: Inserting,
    services: Services,
    draft: Draft,
    traces: Traces,
    *,
    customer_id: UUID,
    token_id: UUID | None,
) -> None:
    outbox.post(connection, kind=traces.mail, customer_id=customer_id, token_id=token_id, now=draft.now)
    record_event(connection, services, traces.event, customer_id, draft.now)
    where = draft.client_address
    audit.record(connection, services, traces.audit, customer_id, draft.now, client_address=where)


def new_customer(services: Services, draft: Draft) -> Customer:
    """The customer that a draft makes."""
    applicant = draft.applicant
    return Customer(
        id=draft.id,
        reference=draft.reference,
        email=applicant.email,
        salutation=applicant.salutation,
        first_name=applicant.first_name,
        last_name=applicant.last_name,
        gender=applicant.gender,
        date_of_birth=applicant.date_of_birth,
        language=draft.language,
        created_at=draft.now,
        updated_at=draft.now,
        confirmed_at=None if services.confirmation else draft.now,
    )
