"""Sign-ups under way: made ready on the thread of a hash slot, then written in company; it decides nothing itself."""

from concurrent.futures import Future
from functools import partial

from registration.outcomes import SignUpOutcome
from registration.services import Services
from registration.signing_up.group_commit import GroupCommit
from registration.signing_up.new_account import Draft
from registration.signing_up.sign_up import SignUp, prepare, register

GROUP = 8
"""Sign-ups in one transaction at most: what they share is 7/8 saved then."""

PATIENCE = 0.05
"""Seconds that a sign-up waits for company, if slots are so slow."""

LOCK_WAIT = 0.05
"""Seconds that a transaction waits for an address that another node is writing, before its company is let go."""


class SignUps:
    """Takes sign-ups from any thread; costs no thread of its own for each that waits."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._commits: GroupCommit[Draft, SignUpOutcome] = GroupCommit(
            partial(register, services, lock_wait=LOCK_WAIT),
            lambda draft: register(services, [draft])[0],
            most=GROUP,
            spare=services.passwords.slots,
            patience=PATIENCE,
        )

    def submit(self, request: SignUp) -> "Future[SignUpOutcome]":
        """What `sign_up` would answer; cannot be cancelled."""
        outcome: Future[SignUpOutcome] = Future()
        outcome.set_running_or_notify_cancel()
        self._commits.expect()
        self._services.passwords.submit(partial(self._prepare, request, outcome))
        return outcome

    def close(self) -> None:
        """Wait for those under way; nobody may submit any more."""
        self._commits.close()

    def _prepare(self, request: SignUp, outcome: "Future[SignUpOutcome]") -> None:
        try:
            draft = prepare(self._services, request)
        except Exception as error:
            self._commits.forgo()
            outcome.set_exception(error)
            return
        if isinstance(draft, Draft):
            self._commits.add(draft, outcome)
        else:
            self._commits.forgo()
            outcome.set_result(draft)
