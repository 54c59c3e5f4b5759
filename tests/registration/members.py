"""Customers that are confirmed and signed in, made by use cases."""

from dataclasses import dataclass, field

from registration.customer import Customer
from registration.outcomes import Confirmed, Tokens
from registration.services import Services
from registration.signing_up.confirmation import confirm
from tests.registration.forms import PASSWORD, request
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import keys

CLIENT = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class Member:
    """A confirmed customer who is signed in."""

    customer: Customer
    tokens: Tokens = field(repr=False)


def confirmed(services: Services, **changes: object) -> Customer:
    """A customer that signed up and confirmed."""
    sign_up(services, request(**changes))
    outcome = confirm(services, keys(services.database, services.secret)[-1])
    assert isinstance(outcome, Confirmed)
    return outcome.customer


def signed_in(services: Services, email: str = "ada@example.org", password: str = PASSWORD) -> Tokens:
    outcome = sign_in(services, email, password, CLIENT)
    assert isinstance(outcome, Tokens)
    return outcome


def member(services: Services, **changes: object) -> Member:
    customer = confirmed(services, **changes)
    return Member(customer, signed_in(services, customer.email))
