"""What a sign-up is answered when there is no room for it, before it is looked at; it never decides when that is."""

from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from registration.language import Language
from rest_compat.errors import UNAVAILABLE
from rest_compat.negotiation import header_refusal, is_versioned
from rest_compat.resource import Refused
from rest_compat.response import dressed, error_response, language_of

SIGN_UP_PATHS = ("/customers", "/customers/")


def refuse(request: Request) -> Callable[[bytes, int], Response] | None:
    """How a POST to one of these paths is refused, by its head, whatever its body; None where the head is wrong."""
    if header_refusal(request) or is_versioned(request.headers):
        return None
    language = language_of(request)
    return lambda _body, seconds: _refusal(language, seconds)


@lru_cache(maxsize=64)
def _refusal(language: Language, seconds: int) -> Response:
    """Made once for thousands of requests."""
    return dressed(error_response(Refused((UNAVAILABLE,), seconds)), language)
