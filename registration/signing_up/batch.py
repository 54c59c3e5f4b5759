"""The batch: sign-ups in flight are prepared on the threads of hash slots, and committed together."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from registration.outcomes import SignUpOutcome
from registration.services import Services
from registration.signing_up.commit import commit
from registration.signing_up.new_account import PreparedSignUp
from registration.storage.group_commit import GroupCommit

MAX_BATCH = 8
"""Sign-ups in one transaction at most: what they share is 7/8 saved then."""

MAX_WAIT = 0.05
"""Seconds that a sign-up waits for others, if slots are so slow."""

LOCK_WAIT = 0.05
"""Seconds that a batch waits for an address that another node is writing; then its sign-ups are written one by one."""

Prepare = Callable[[], PreparedSignUp | SignUpOutcome]


class SignUpBatcher:
    """Takes sign-ups from any thread; a sign-up that waits costs no thread of its own."""

    def __init__(self, services: Services) -> None:
        self._passwords = services.passwords
        self._commits: GroupCommit[PreparedSignUp, SignUpOutcome] = GroupCommit(
            partial(commit, services, lock_wait=LOCK_WAIT),
            lambda sign_up: commit(services, [sign_up])[0],
            max_batch=MAX_BATCH,
            min_in_flight=services.passwords.slots,
            max_wait=MAX_WAIT,
        )

    def submit(self, prepare: Prepare) -> "Future[SignUpOutcome]":
        """Prepare a sign-up when a hash slot is free, then commit it unless its outcome is known by then."""
        outcome: Future[SignUpOutcome] = Future()
        outcome.set_running_or_notify_cancel()
        self._commits.reserve()
        self._passwords.submit(partial(self._prepare, prepare, outcome))
        return outcome

    def close(self) -> None:
        """Wait for the sign-ups in flight; the caller must not submit any more."""
        self._commits.close()

    def _prepare(self, prepare: Prepare, outcome: "Future[SignUpOutcome]") -> None:
        try:
            prepared = prepare()
        except Exception as error:
            self._commits.release()
            outcome.set_exception(error)
            return
        if isinstance(prepared, PreparedSignUp):
            self._commits.submit(prepared, outcome)
        else:
            self._commits.release()
            outcome.set_result(prepared)
