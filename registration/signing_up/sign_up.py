"""Sign-up: from raw attributes to a customer with an unproven address; it never sends a mail itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select

from registration.customer import Gender, Salutation
from registration.language import Language
from registration.limits import idempotency
from registration.limits.attempts import Limit, count_attempt
from registration.limits.idempotency import Record, Ticket
from registration.outcomes import (
    Accepted,
    EmailTaken,
    IdempotencyConflict,
    Invalid,
    Registered,
    SignUpOutcome,
    TooManyAttempts,
)
from registration.rules.attributes import as_date
from registration.rules.sign_up import sign_up_violations
from registration.services import Services
from registration.signing_up.new_account import (
    Applicant,
    Draft,
    new_customer,
    write_account,
    write_account_evenly,
    write_accounts,
)
from registration.storage.database import wait_briefly
from registration.storage.tables import customer


@dataclass(frozen=True, slots=True)
class SignUp:
    """A request to sign up: attributes by their public names with the values of the wire, as they came."""

    attributes: Mapping[str, object] = field(repr=False)
    language: Language
    client_address: str


def sign_up(services: Services, request: SignUp) -> SignUpOutcome:
    """Register a customer, or say why not; costs one password hash unless the answer is known before.

    Concealing, it answers and does the same whether or not somebody has the address; who has it gets a mail.
    """
    draft = prepare(services, request)
    return register(services, [draft])[0] if isinstance(draft, Draft) else draft


def prepare(services: Services, request: SignUp) -> Draft | SignUpOutcome:
    """All that comes before the transaction, the hash among it; the outcome if that is known by then."""
    violations = sign_up_violations(request.attributes, services.policy)
    if violations:
        return Invalid(tuple(violations))
    applicant = _applicant_of(request.attributes)
    ticket = _ticket_of(services, request, applicant)
    outcome = _known_outcome(services, ticket, applicant) or _limit_reached(services, request.client_address)
    return outcome or _draft_of(services, request, applicant, ticket)


def register(services: Services, drafts: Sequence[Draft], lock_wait: float | None = None) -> list[SignUpOutcome]:
    """Write drafts; what came of each, in their order. Raises Locked after `lock_wait` seconds behind another writer.

    One transaction for all but those with an idempotency key: who holds keys and addresses both, and waits for more,
    could wait in a circle with another node.
    """
    company = [draft for draft in drafts if draft.ticket is None]
    outcomes: dict[UUID, SignUpOutcome] = {}
    for group in ([company] if company else []) + [[draft] for draft in drafts if draft.ticket]:
        outcomes |= services.database.write(partial(_register, services, group, lock_wait))
    services.mail_posted()
    return [outcomes[draft.id] for draft in drafts]


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


def _draft_of(services: Services, request: SignUp, applicant: Applicant, ticket: Ticket | None) -> Draft:
    return Draft(
        id=services.new_id(),
        password_hash=services.passwords.hash(applicant.password),
        reference=services.references.draw(),
        applicant=applicant,
        language=request.language,
        client_address=request.client_address,
        now=services.clock(),
        ticket=ticket,
    )


def _register(
    services: Services, drafts: Sequence[Draft], lock_wait: float | None, connection: Connection
) -> dict[UUID, SignUpOutcome]:
    if lock_wait is not None:
        wait_briefly(connection, lock_wait)
    # Two nodes that write the same addresses in the same order never wait for each other in a circle.
    in_order = sorted(drafts, key=lambda draft: draft.address)
    plain = [] if services.conceal else [draft for draft in in_order if draft.ticket is None]
    written = write_accounts(services, plain, connection)
    return {
        draft.id: _registered(services, draft) if draft.id in written else _register_alone(services, draft, connection)
        for draft in in_order
    }


def _register_alone(services: Services, draft: Draft, connection: Connection) -> SignUpOutcome:
    ticket = draft.ticket
    if (
        ticket
        and (record := idempotency.begin(connection, ticket, draft.now))
        and (outcome := _replay(services, connection, record, draft.applicant))
    ):
        return outcome
    is_new = (write_account_evenly if services.conceal else write_account)(services, draft, connection)
    if ticket and (is_new or services.conceal):
        idempotency.finish(connection, ticket, draft.id if is_new else None)
    if services.conceal:
        return Accepted()
    return _registered(services, draft) if is_new else EmailTaken()


def _registered(services: Services, draft: Draft) -> Registered:
    confirm_before = draft.now + services.confirmation if services.confirmation else None
    return Registered(new_customer(services, draft), confirm_before)


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
    return None if row is None else _registered(services, _draft_behind(row, applicant))


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
