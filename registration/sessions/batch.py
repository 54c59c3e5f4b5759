"""The batch of sign-ins: attempts are counted together, and what comes of them is written together."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial

from registration.hashing.batch import MAX_BATCH, Batcher, grouped, promised
from registration.outcomes import SignInOutcome, TooManyAttempts
from registration.services import Services
from registration.sessions.attempt import Attempt, Begun, begin, take_back
from registration.sessions.commit import PreparedSignIn, commit
from registration.storage.group_commit import GroupCommit
from registration.storage.outages import Unavailable

Prepare = Callable[[Begun], PreparedSignIn]


class SignInBatcher:
    """Begins, prepares and commits sign-ins; safe for any thread. One that waits for a batch occupies no thread."""

    def __init__(self, services: Services) -> None:
        # A group is those that came while the one before was written: it waits for no others.
        self._attempts: GroupCommit[Attempt, Begun | TooManyAttempts] = grouped(
            partial(begin, services), min_in_flight=MAX_BATCH
        )
        self._sign_ins: Batcher[PreparedSignIn, SignInOutcome] = Batcher(
            services.passwords, PreparedSignIn, partial(commit, services)
        )
        self._untold: GroupCommit[Attempt, None] = grouped(partial(take_back, services), min_in_flight=MAX_BATCH)

    def submit(self, attempt: Attempt, prepare: Prepare) -> "Future[SignInOutcome]":
        """Count an attempt; unless it is refused then, prepare it when a hash slot is free, and commit it.

        The future gets the outcome, or what was raised, after the commit.
        """
        outcome: Future[SignInOutcome] = promised()
        begun: Future[Begun | TooManyAttempts] = promised()
        begun.add_done_callback(partial(self._go_on, copy_context(), attempt, prepare, outcome))
        self._attempts.reserve()
        self._attempts.submit(attempt, begun)
        return outcome

    def close(self) -> None:
        """Wait for the sign-ins in flight; the caller must not submit any more."""
        self._attempts.close()
        self._sign_ins.close()
        self._untold.close()

    def _go_on(
        self,
        context: Context,
        attempt: Attempt,
        prepare: Prepare,
        outcome: "Future[SignInOutcome]",
        begun: "Future[Begun | TooManyAttempts]",
    ) -> None:
        error = begun.exception()
        if error:
            outcome.set_exception(error)
        elif isinstance(result := begun.result(), TooManyAttempts):
            outcome.set_result(result)
        else:
            outcome.add_done_callback(partial(self._take_back_if_untold, attempt))
            context.run(self._sign_ins.submit, partial(prepare, result), outcome)

    def _take_back_if_untold(self, attempt: Attempt, outcome: "Future[SignInOutcome]") -> None:
        """After an outage: else clients that try again and again would lock their customers out.

        Not after a bug, which may be met by wrong passwords alone: those would not be counted.
        """
        if isinstance(outcome.exception(), Unavailable):
            self._untold.reserve()
            self._untold.submit(attempt, promised())
