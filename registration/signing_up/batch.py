"""The batch of sign-ups (decision 0015)."""

from functools import partial

from registration.hashing.batch import Batcher
from registration.outcomes import SignUpOutcome
from registration.services import Services
from registration.signing_up.commit import commit
from registration.signing_up.new_account import PreparedSignUp


class SignUpBatcher(Batcher[PreparedSignUp, SignUpOutcome]):
    """Prepares and commits sign-ups."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.passwords, PreparedSignUp, partial(commit, services))
