"""Sign-up: from raw attributes to a customer with an unproven address.

sign_up        on the caller's thread: hands the request to a hash slot
prepare        on the hash thread: rules, replay, limit, hash
commit         on the commit thread: one transaction for all sign-ups that are ready (commit.py, batch.py)
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from registration.customer import personal_data
from registration.keys.secret import Secret
from registration.language import Language
from registration.limits import idempotency
from registration.limits.idempotency import Ticket
from registration.notes import current_correlation_id
from registration.outcomes import Invalid, SignUpOutcome
from registration.rules.sign_up import NewCustomer, read_sign_up
from registration.services import Services
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.commit import bill_of, replayed
from registration.signing_up.new_account import PreparedSignUp, customer_of_sign_up
from registration.tracing import traces


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """A request to sign up: attributes by their public names, as they came from JSON or already typed.

    `language` is that of the request, for a customer who chose none. `with_code` is whether the client has a use for a
    code besides the link: one that gets the handle has.
    """

    attributes: Mapping[str, object] = field(repr=False)
    language: Language
    client_ip: str = field(repr=False)
    with_code: bool = True


def sign_up(services: Services, batcher: SignUpBatcher, request: SignUpRequest) -> "Future[SignUpOutcome]":
    """Register a customer, or say why not; costs one password hash unless the outcome is known before.

    The future gets the outcome when it is committed, and cannot be cancelled. In conceal mode the outcome and the work
    are the same whether or not an account has the address; its holder gets a mail.
    """
    return batcher.submit(partial(prepare, services, request))


def prepare(services: Services, request: SignUpRequest) -> PreparedSignUp | SignUpOutcome:
    """Check the rules, the idempotency key and the limit, and hash the password; the outcome if it is known by then."""
    now = services.clock()
    new = read_sign_up(
        request.attributes, services.policy, now.date(), of_person=services.of_person, smtputf8=services.smtputf8
    )
    if isinstance(new, list):
        return Invalid(tuple(new))
    tickets = _tickets_of(services.secret, new)
    known = _known_outcome(services, tickets, new) if tickets else None
    bill = bill_of(request.client_ip, new)
    refusal = known or services.budgets.remembered(services.secret, bill, now)
    return refusal or _prepared(services, request, new, tickets[0] if tickets else None)


def _tickets_of(secret: Secret, new: NewCustomer) -> list[Ticket]:
    """The ticket of a sign-up with an idempotency key and, during a rotation, the one under the secret before."""
    if new.idempotency_key is None:
        return []
    chosen = {"language": new.language} if new.language else {}
    # What is not told is left out, because a name may be "None". The date of birth stays, for keys of older versions.
    told = {name: value for name, value in personal_data(new).items() if value is not None or name == "date_of_birth"}
    given = {"email": new.email, **told, "password": new.password, **chosen}
    key = new.idempotency_key
    return [idempotency.ticket_of(version, "createCustomer", key, given) for version in secret.versions()]


def _known_outcome(services: Services, tickets: Sequence[Ticket], new: NewCustomer) -> SignUpOutcome | None:
    def look(connection: Connection) -> SignUpOutcome | None:
        records = (idempotency.recall(connection, ticket, services.clock()) for ticket in tickets)
        return next((replayed(services, connection, record, new) for record in records if record), None)

    return services.database.read(look)


def _prepared(services: Services, request: SignUpRequest, new: NewCustomer, ticket: Ticket | None) -> PreparedSignUp:
    password_hash = services.passwords.hash(new.password)
    customer = customer_of_sign_up(
        services,
        new,
        customer_id=services.new_id(),
        reference=services.references.draw(),
        language=new.language or request.language,
        now=services.clock(),
    )
    with_code, correlation_id = request.with_code and services.codes, current_correlation_id()
    return PreparedSignUp(
        new, customer, password_hash, request.client_ip, with_code, correlation_id, ticket, traces.traceparent()
    )
