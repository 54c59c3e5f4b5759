"""Password changes by a signed-in customer."""

from collections.abc import Mapping

from sqlalchemy import Connection

from registration.mail.rendering import MailKind
from registration.outcomes import BadCredentials, Done, Invalid, PasswordChangeOutcome
from registration.passwords.stored import store_password, verified_hash
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.account import read_password_change
from registration.rules.own_words import words_of
from registration.services import Services
from registration.sessions.access_tokens import Caller
from registration.sessions.alerts import enqueue_alert


def change_password(
    services: Services, caller: Caller, raw: Mapping[str, object], client_ip: str, *, sends_notice: bool = True
) -> PasswordChangeOutcome:
    """Replace the password and end every other session; the caller's own goes on with a refreshed access token.

    With `sends_notice` a mail tells the customer; the legacy contract has none (section 7).

    The policy is checked last (contract section 7), so that a client without the current password learns nothing from
    it.
    """
    person = caller.customer
    words = words_of(person.first_name, person.last_name, person.email)
    change = read_password_change(raw, services.policy, words)
    if isinstance(change, list):
        return Invalid(tuple(change))
    old_hash = verified_hash(services, caller.customer.id, change.password, client_ip)
    if not isinstance(old_hash, str):
        return old_hash
    if change.policy_violations:
        return Invalid(change.policy_violations)
    new_hash = services.passwords.hash(change.new_password)

    def work(connection: Connection) -> PasswordChangeOutcome:
        now, customer_id = services.clock(), caller.customer.id
        if not store_password(
            connection, services, customer_id, new_hash, now, old_hash=old_hash, keep=caller.session_id
        ):
            return BadCredentials()  # changed or erased while this request hashed
        if sends_notice:
            enqueue_alert(connection, services, MailKind.PASSWORD_CHANGED, customer_id, person.email)
        audit.record(connection, services.new_id(), AuditKind.PASSWORD_CHANGE, customer_id, now, client_ip=client_ip)
        return Done()

    return services.database.write(work)
