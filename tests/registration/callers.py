"""Signed-in customers, made by use cases."""

from registration.account.data_export import request_export
from registration.account.profile import update_profile
from registration.outcomes import Tokens
from registration.passwords.reset import request_reset
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller, authenticate_all
from registration.signing_up.confirmation import resend_confirmation
from tests.registration.members import CLIENT, member
from tests.registration.signing import sign_in

EMAIL, WAITING, BIRTHDAY = "Ada@Example.org", "ada.elsewhere@example.net", "1984-05-17"


def authenticate(services: Services, token: str) -> Caller | BadToken:
    """The caller of a request with this token."""
    return authenticate_all(services, [token])[0]


def caller_of(services: Services, tokens: Tokens) -> Caller:
    caller = authenticate(services, tokens.access_token)
    assert isinstance(caller, Caller)
    return caller


def with_traces_everywhere(services: Services) -> Caller:
    """The customer Ada Beispiel, with a trace in every table that can hold one of a customer."""
    new = member(services, email=EMAIL, dateOfBirth=BIRTHDAY, idempotencyKey="0123456789abcdef")
    caller = caller_of(services, new.tokens)
    sign_in(services, EMAIL, "wrong", CLIENT)
    resend_confirmation(services, EMAIL, CLIENT)
    request_reset(services, EMAIL, CLIENT)
    update_profile(services, caller, {"email": WAITING}, CLIENT)
    request_export(services, caller, CLIENT)
    return caller
