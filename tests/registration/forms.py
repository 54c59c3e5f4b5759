"""Requests to sign up, as raw attributes."""

from registration.language import Language
from registration.signing_up.sign_up import SignUpRequest

PASSWORD = "correct horse"


def form(**changes: object) -> dict[str, object]:
    """A form that keeps every rule."""
    return {
        "email": "ada@example.org",
        "gender": "Female",
        "salutation": "Ms",
        "firstName": "Ada",
        "lastName": "Beispiel",
        "password": PASSWORD,
        "confirmPassword": PASSWORD,
        "acceptedTerms": True,
        **changes,
    }


def request(**changes: object) -> SignUpRequest:
    return SignUpRequest(form(**changes), Language.EN, "192.0.2.1")
