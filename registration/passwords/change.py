"""Password changes by who is signed in; it never mails, because the legacy contract sends none (section 7)."""

from collections.abc import Mapping

from sqlalchemy import Connection

from registration.outcomes import BadCredentials, Done, Invalid, PasswordChangeOutcome, Stage
from registration.passwords.stored import store_password, verified_hash
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.account import password_change_violations
from registration.services import Services
from registration.sessions.access_tokens import Caller


def change_password(
    services: Services, caller: Caller, raw: Mapping[str, object], client_address: str
) -> PasswordChangeOutcome:
    """Replace the password and end every other session; the caller's own goes on with a refreshed access token.

    The policy is looked at last (contract section 7), so that it tells nothing to who does not know the password.
    """
    violations = password_change_violations(raw, services.policy)
    if any(violation.stage < Stage.PASSWORD for violation in violations):
        return Invalid(tuple(violations))
    old_hash = verified_hash(services, caller.customer.id, str(raw["password"]))
    if old_hash is None:
        return BadCredentials()
    if violations:
        return Invalid(tuple(violations))
    new_hash = services.passwords.hash(str(raw["newPassword"]))

    def work(connection: Connection) -> PasswordChangeOutcome:
        now, customer_id = services.clock(), caller.customer.id
        if not store_password(
            connection, services, customer_id, new_hash, now, old_hash=old_hash, keep=caller.session_id
        ):
            return BadCredentials()  # changed or erased while this request hashed
        audit.record(connection, services, AuditKind.PASSWORD_CHANGE, customer_id, now, client_address=client_address)
        return Done()

    return services.database.write(work)
