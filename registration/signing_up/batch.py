"""The batch: sign-ups in flight are prepared on the threads of hash slots, and committed together."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial

from registration.outcomes import SignUpOutcome
from registration.services import Services
from registration.signing_up.commit import commit
from registration.signing_up.new_account import PreparedSignUp
from registration.storage.group_commit import GroupCommit

MAX_BATCH = 8
"""At most this many sign-ups share a transaction; eight of them save 7/8 of the cost that they share."""

MAX_WAIT = 0.05
"""Seconds that a prepared sign-up waits at most for others to fill its batch."""

LOCK_WAIT = 0.05
"""Seconds that a batch waits for an address that another node is writing; then its sign-ups are written one by one."""

Prepare = Callable[[], PreparedSignUp | SignUpOutcome]
"""Returns what is to be committed, or the outcome where that needs no transaction."""


class SignUpBatcher:
    """Prepares and commits sign-ups; safe for any thread. A sign-up that waits for its batch occupies no thread."""

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
        """Prepare a sign-up when a hash slot is free, then commit it unless its outcome is known by then.

        The future gets the outcome, or what was raised, after the commit.
        """
        outcome: Future[SignUpOutcome] = Future()
        outcome.set_running_or_notify_cancel()
        self._commits.reserve()
        self._passwords.submit(partial(copy_context().run, self._prepare, prepare, outcome))
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
