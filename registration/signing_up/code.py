"""Confirmation by the code of a mail, in the tab that has the handle of the sign-up."""

from collections.abc import Mapping

from sqlalchemy import Connection, select, update

from registration.addresses.pending import CODE_ATTEMPTS, has_live_code
from registration.customer import customer_of
from registration.keys.handles import is_code, read_handle
from registration.limits.lockout import forget_attempts
from registration.outcomes import CodeOutcome, CodeRefused, Confirmed, Invalid, ProofOutcome
from registration.rules.account import Code, read_confirmation
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.signing_up.confirmation import confirm, mark_confirmed
from registration.storage.tables import confirmation_token


def confirm_by_proof(services: Services, raw: Mapping[str, object], client_ip: str = "") -> ProofOutcome:
    """Confirm by the key of a link, or by a code and a handle."""
    proof = read_confirmation(raw)
    match proof:
        case str():
            return confirm(services, proof, client_ip)
        case Code():
            return confirm_by_code(services, proof, client_ip)
        case violations:
            return Invalid(tuple(violations))


def confirm_by_code(services: Services, given: Code, client_ip: str = "") -> CodeOutcome:
    """Confirm the customer of a handle, or count a wrong code: the fifth ends the code, but not the link of the mail.

    A decoy has a code that is never mailed: it is refused and counted like any other.
    """
    handle = read_handle(services.secret, given.handle)
    if handle is None:
        return CodeRefused(0)

    def work(connection: Connection) -> CodeOutcome:
        is_live = has_live_code(services.clock()) & (confirmation_token.c.customer_id == handle.customer_id)
        token = connection.execute(select(confirmation_token).where(is_live).with_for_update()).first()
        if token is None:
            return CodeRefused(0)
        if is_code(services.secret, handle.customer_id, given.code, token.code):
            row = mark_confirmed(connection, services, handle.customer_id, client_ip)
            if row is not None:
                return Confirmed(customer_of(row))
        failures = (token.code_failures or 0) + 1
        is_it = (confirmation_token.c.customer_id == token.customer_id) & (confirmation_token.c.digest == token.digest)
        counted = update(confirmation_token).where(is_it)
        connection.execute(counted.values(code_failures=failures))
        return CodeRefused(CODE_ATTEMPTS - failures)

    outcome = services.database.write(work)
    if isinstance(outcome, Confirmed):
        forget_attempts(services.lockout, services.secret, key_of_stored(outcome.customer.email))
    return outcome
