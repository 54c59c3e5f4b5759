"""Sign-up: from raw attributes to a customer with an unproven address; it never sends a mail itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from registration import audit, idempotency, outbox
from registration.address import address_key
from registration.attempts import Limit, count_attempt
from registration.audit import AuditKind
from registration.claims import claim, claim_evenly
from registration.confirmation import issue_token
from registration.customer import Customer, Gender, Salutation, row_of
from registration.database import insert_new
from registration.events import record_event
from registration.idempotency import Record, Ticket
from registration.inserts import Inserting, gathered
from registration.language import Language
from registration.mails import MailKind
from registration.outcomes import (
    Accepted,
    EmailTaken,
    IdempotencyConflict,
    Invalid,
    Registered,
    SignUpOutcome,
    TooManyAttempts,
)
from registration.rules import as_date, sign_up_violations
from registration.services import Services
from registration.shadows import shadow_of
from registration.tables import customer


@dataclass(frozen=True, slots=True)
class SignUp:
    """A request to sign up: attributes by their public names with the values of the wire, as they came."""

    attributes: Mapping[str, object] = field(repr=False)
    language: Language
    client_address: str


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


@dataclass(frozen=True, slots=True)
class Traces:
    """What a sign-up leaves besides an account: a mail, an event and an entry in the audit trail, by their kinds."""

    mail: MailKind
    event: str
    audit: AuditKind


NEW = Traces(MailKind.CONFIRMATION, "customer.created", AuditKind.SIGN_UP)
READY = replace(NEW, mail=MailKind.WELCOME)
# These are about the account that has the address.
REPEATED = Traces(MailKind.ALREADY_REGISTERED, "customer.sign_up_repeated", AuditKind.SIGN_UP_REPEATED)


def sign_up(services: Services, request: SignUp) -> SignUpOutcome:
    """Register a customer, or say why not; costs one password hash unless the answer is known before.

    Concealing, it answers and does the same whether or not somebody has the address; who has it gets a mail.
    """
    violations = sign_up_violations(request.attributes, services.policy)
    if violations:
        return Invalid(tuple(violations))
    applicant = _applicant_of(request.attributes)
    ticket = _ticket_of(services, request, applicant)
    outcome = _known_outcome(services, ticket, applicant) or _limit_reached(services, request.client_address)
    if outcome is None:
        outcome = services.database.write(partial(_register, services, _draft_of(services, request, applicant), ticket))
        services.mail_posted()
    return outcome


def _applicant_of(attributes: Mapping[str, object]) -> Applicant:
    return Applicant(
        email=str(attributes["email"]),
        salutation=Salutation(str(attributes["salutation"])),
        first_name=str(attributes["firstName"]),
        last_name=str(attributes["lastName"]),
        gender=Gender(str(attributes["gender"])),
        date_of_birth=as_date(attributes.get("dateOfBirth")),
        password=str(attributes["password"]),
    )


def _ticket_of(services: Services, request: SignUp, applicant: Applicant) -> Ticket | None:
    key = request.attributes.get("idempotencyKey")
    return idempotency.ticket_of(services.secret, "createCustomer", key, applicant) if isinstance(key, str) else None


def _known_outcome(services: Services, ticket: Ticket | None, applicant: Applicant) -> SignUpOutcome | None:
    if ticket is None:
        return None

    def look(connection: Connection) -> SignUpOutcome | None:
        record = idempotency.recall(connection, ticket, services.clock())
        return None if record is None else _replay(services, connection, record, applicant)

    return services.database.read(look)


def _limit_reached(services: Services, client_address: str) -> TooManyAttempts | None:
    if not services.sign_ups_per_hour:
        return None
    key = services.secret.derive("sign-up attempts", client_address)
    limit = Limit(services.sign_ups_per_hour, 3600)
    seconds = services.database.write(lambda connection: count_attempt(connection, key, limit, services.clock()))
    return None if seconds is None else TooManyAttempts(seconds)


def _draft_of(services: Services, request: SignUp, applicant: Applicant) -> Draft:
    return Draft(
        id=services.new_id(),
        password_hash=services.passwords.hash(applicant.password),
        reference=services.references.draw(),
        applicant=applicant,
        language=request.language,
        client_address=request.client_address,
        now=services.clock(),
    )


def _register(services: Services, draft: Draft, ticket: Ticket | None, connection: Connection) -> SignUpOutcome:
    if (
        ticket
        and (record := idempotency.begin(connection, ticket, draft.now))
        and (outcome := _replay(services, connection, record, draft.applicant))
    ):
        return outcome
    is_new = (_write_evenly if services.conceal else _write)(services, draft, connection)
    if ticket and (is_new or services.conceal):  # concealed, both branches run the same statements
        idempotency.finish(connection, ticket, draft.id if is_new else None)
    if services.conceal:
        return Accepted()
    return _registered(services, _customer_of(services, draft)) if is_new else EmailTaken()


def _write(services: Services, draft: Draft, connection: Connection) -> bool:
    """Write the account and its traces; false when somebody has the address."""
    if not claim(connection, _address_of(draft), draft.id, draft.now):
        return False
    new = _customer_of(services, draft)
    if insert_new(connection, customer, _row_of(new, draft)):
        with gathered(connection) as inserts:
            token_id = issue_token(inserts, services, new.id, draft.now) if new.confirmed_at is None else None
            traces = NEW if token_id else READY
            _leave(inserts, services, draft, traces, customer_id=new.id, token_id=token_id)
    return True


def _write_evenly(services: Services, draft: Draft, connection: Connection) -> bool:
    """As `_write`, with as many statements and rows when somebody has the address: the account is a shadow then."""
    holder = claim_evenly(connection, _address_of(draft), draft.id, draft.now)
    is_new = holder == draft.id
    row = _row_of(_customer_of(services, draft), draft) | {"anonymized_at": None}
    shadow = shadow_of(row, draft.id)
    if insert_new(connection, customer, row if is_new else shadow):
        with gathered(connection) as inserts:
            issued = issue_token(inserts, services, draft.id, draft.now)
            traces, token_id = (NEW, issued) if is_new else (REPEATED, None)
            _leave(inserts, services, draft, traces, customer_id=holder, token_id=token_id)
    return is_new


def _address_of(draft: Draft) -> str:
    return str(address_key(draft.applicant.email))


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


def _customer_of(services: Services, draft: Draft) -> Customer:
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


def _registered(services: Services, new: Customer) -> Registered:
    return Registered(new, new.created_at + services.confirmation if services.confirmation else None)


def _replay(services: Services, connection: Connection, record: Record, applicant: Applicant) -> SignUpOutcome | None:
    """The outcome of the first use; None if its customer was erased a moment ago, with the record.

    The customer is shown as it was then, whatever has changed since: the same request has the same answer.
    """
    if not record.same_input:
        return IdempotencyConflict()
    if services.conceal:
        return Accepted()
    if record.customer_id is None:
        return EmailTaken()
    row = connection.execute(
        select(customer).where(customer.c.id == record.customer_id, customer.c.anonymized_at.is_(None))
    ).one_or_none()
    return None if row is None else _registered(services, _customer_of(services, _draft_behind(row, applicant)))


def _draft_behind(row: Row[Any], applicant: Applicant) -> Draft:
    return Draft(
        id=row.id,
        reference=row.reference,
        applicant=applicant,
        password_hash=row.password_hash,
        language=Language(row.language),
        client_address="",
        now=row.created_at,
    )
