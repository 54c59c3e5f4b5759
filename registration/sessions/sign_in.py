"""Signing in with a password, the one way to open a session; a refusal of a wrong password does not tell its reason.

sign_in        on the caller's thread: hands the attempt to the batch
begin          on a thread of the batch: counts, and looks up, all attempts that came together (attempt.py)
prepare        on the hash thread: compares the password
commit         on another thread of the batch: one transaction for all sign-ins that are ready, and then their tokens
               (commit.py, batch.py); a hash thread has a low priority, and would keep the interpreter for too long
"""

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from registration.hashing.passwords import Verdict
from registration.keys.signing_keys import Algorithm
from registration.limits.lockout import attempt_key
from registration.notes import current_correlation_id
from registration.outcomes import SignInOutcome
from registration.rules.address import email_key
from registration.rules.password import forms_of
from registration.rules.password import prepare as prepare_password
from registration.services import Services
from registration.sessions.attempt import Attempt, Begun
from registration.sessions.batch import SignInBatcher
from registration.sessions.commit import Opening, PreparedSignIn
from registration.sessions.devices import UNKNOWN, Device
from registration.sessions.sessions import new_grant, new_token
from registration.tracing import traces


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """A request to sign in, as it was typed; `algorithm` signs the access token where there is such a key."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    client_ip: str = field(repr=False)
    device: Device = UNKNOWN
    algorithm: Algorithm = "ES256"


def sign_in(services: Services, batcher: SignInBatcher, request: SignInRequest) -> "Future[SignInOutcome]":
    """Open a session. Whatever the reason of a refusal, outcome and work are the same: one password hash.

    EmailNotConfirmed needs the right password, and is no failure that the lock-out counts. The future gets the outcome
    when it is committed, and cannot be cancelled.
    """
    attempt = Attempt(
        email_key(request.email),
        _lockout_key(services, request.email, request.client_ip),
        request.client_ip,
        request.device,
        current_correlation_id(),
        traces.traceparent(),
    )
    return batcher.submit(attempt, partial(prepare, services, request, attempt))


def seconds_blocked(services: Services, email: str, client_ip: str) -> int | None:
    """The seconds until a lock-out ends; None when there is none. For requests that are refused before `sign_in`."""
    blocked = services.lockout.blocked(_lockout_key(services, email, client_ip))
    return None if blocked is None else blocked.seconds


def prepare(services: Services, request: SignInRequest, attempt: Attempt, begun: Begun) -> PreparedSignIn:
    """Compare the password, and make what is written: a transaction that runs again writes the same session.

    It is a failure if the password is wrong, or the account must not tell that it is there.
    """
    customer_row = begun.customer_row
    verdict = services.passwords.verify(
        customer_row.password_hash if customer_row else None, *forms_of(request.password)
    )
    if customer_row is None or not verdict.is_right or customer_row.blocked_at:
        return PreparedSignIn(attempt, begun)
    if customer_row.confirmed_at is None:
        return PreparedSignIn(attempt, begun, is_unconfirmed=not services.conceal)
    new_hash = services.passwords.hash(prepare_password(request.password)) if verdict is Verdict.OUTDATED else None
    opened_at = services.clock()
    grant = new_grant(services, customer_row, services.new_id(), opened_at + services.sessions.longest)
    return PreparedSignIn(attempt, begun, Opening(grant, opened_at, new_token(), request.algorithm, new_hash))


def _lockout_key(services: Services, email: str, client_ip: str) -> str:
    return attempt_key(services.secret, email_key(email) or "", client_ip)
