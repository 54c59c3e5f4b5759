"""Sign-ups and sign-ins as the gateway makes them, one at a time."""

from contextlib import closing

from registration.outcomes import SignInOutcome, SignUpOutcome
from registration.services import Services
from registration.sessions import sign_in as signing_in
from registration.sessions.batch import SignInBatcher
from registration.sessions.devices import UNKNOWN, Device
from registration.sessions.sign_in import SignInRequest
from registration.signing_up import sign_up as signing_up
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.sign_up import SignUpRequest

LONGEST_WAIT = 60  # seconds


def sign_up(services: Services, request: SignUpRequest) -> SignUpOutcome:
    """The outcome of a sign-up, after its commit."""
    with closing(SignUpBatcher(services)) as batcher:
        return signing_up.sign_up(services, batcher, request).result(LONGEST_WAIT)


def sign_in(services: Services, email: str, password: str, client_ip: str, device: Device = UNKNOWN) -> SignInOutcome:
    """The outcome of a sign-in, after its commit."""
    with closing(SignInBatcher(services)) as batcher:
        request = SignInRequest(email, password, client_ip, device)
        return signing_in.sign_in(services, batcher, request).result(LONGEST_WAIT)
