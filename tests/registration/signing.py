"""Sign-ups as the gateway makes them, one at a time."""

from contextlib import closing

from registration.outcomes import SignUpOutcome
from registration.services import Services
from registration.signing_up import sign_up as production
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.sign_up import SignUpRequest

LONGEST_WAIT = 60  # seconds


def sign_up(services: Services, request: SignUpRequest) -> SignUpOutcome:
    """The outcome of a sign-up, after its commit."""
    with closing(SignUpBatcher(services)) as batcher:
        return production.sign_up(services, batcher, request).result(LONGEST_WAIT)
