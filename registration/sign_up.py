"""Sign-up: from raw attributes to a customer with an unproven address; it never sends a mail itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, select

from registration import idempotency, outbox
from registration.address import address_key
from registration.attempts import Limit, count_attempt
from registration.confirmation import erase_pending, is_pending, issue_token
from registration.customer import Customer, Gender, Salutation, customer_of, row_of
from registration.database import insert_new
from registration.events import record_event
from registration.idempotency import Record, Ticket
from registration.inserts import gathered
from registration.language import Language
from registration.outcomes import (
    EmailTaken,
    IdempotencyConflict,
    Invalid,
    Registered,
    SignUpOutcome,
    TooManyAttempts,
)
from registration.rules import as_date, sign_up_violations
from registration.services import Services
from registration.tables import customer, email_claim


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
    now: datetime


def sign_up(services: Services, request: SignUp) -> SignUpOutcome:
    """Register a customer, or say why not; costs one password hash unless the answer is known before."""
    violations = sign_up_violations(request.attributes, services.policy)
    if violations:
        return Invalid(tuple(violations))
    applicant = _applicant_of(request.attributes)
    ticket = _ticket_of(services, request, applicant)
    outcome = _known_outcome(services, ticket) or _limit_reached(services, request.client_address)
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


def _known_outcome(services: Services, ticket: Ticket | None) -> SignUpOutcome | None:
    if ticket is None:
        return None

    def look(connection: Connection) -> SignUpOutcome | None:
        record = idempotency.recall(connection, ticket, services.clock())
        return None if record is None else _replay(services, connection, record)

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
        now=services.clock(),
    )


def _register(services: Services, draft: Draft, ticket: Ticket | None, connection: Connection) -> SignUpOutcome:
    if (
        ticket
        and (record := idempotency.begin(connection, ticket, draft.now))
        and (outcome := _replay(services, connection, record))
    ):
        return outcome
    if not _claim(connection, draft):
        return EmailTaken()
    outcome = _write(services, draft, connection)
    if ticket:
        idempotency.finish(connection, ticket, draft.id)
    return outcome


def _claim(connection: Connection, draft: Draft) -> bool:
    """Take the address for the draft: free, or held by a pending account whose confirmation has expired."""
    address = address_key(draft.applicant.email)
    if insert_new(connection, email_claim, {"address": address, "customer_id": draft.id}):
        return True
    holder = connection.execute(
        select(email_claim.c.customer_id).where(email_claim.c.address == address).with_for_update()
    ).scalar_one_or_none()
    if holder is None:  # given up by its holder between the two statements
        return _claim(connection, draft)
    if holder == draft.id:  # a commit whose answer was lost: everything is written
        return True
    if is_pending(connection, holder, draft.now) or not erase_pending(connection, holder):
        return False
    return _claim(connection, draft)


def _write(services: Services, draft: Draft, connection: Connection) -> Registered:
    new = _customer_of(draft, services)
    row = row_of(new) | {"password_hash": draft.password_hash, "terms_accepted_at": draft.now}
    if insert_new(connection, customer, row):
        with gathered(connection) as inserts:
            token_id = issue_token(inserts, services, new.id, draft.now) if new.confirmed_at is None else None
            kind = "confirmation" if token_id else "welcome"
            outbox.post(inserts, kind=kind, customer_id=new.id, token_id=token_id, now=draft.now)
            record_event(inserts, services, "customer.created", new.id, draft.now)
    return _registered(services, new)


def _customer_of(draft: Draft, services: Services) -> Customer:
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


def _replay(services: Services, connection: Connection, record: Record) -> SignUpOutcome | None:
    """The outcome of the first use; None if its customer was erased a moment ago, with the record."""
    if not record.same_input:
        return IdempotencyConflict()
    if record.customer_id is None:
        return EmailTaken()
    row = connection.execute(select(customer).where(customer.c.id == record.customer_id)).one_or_none()
    return None if row is None else _registered(services, customer_of(row))
