"""How far sign-ups are, by their handles."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, select, update

from registration.addresses.pending import erase_pending
from registration.keys.handles import Handle, handle_of, read_handle
from registration.outcomes import Registered, SignUpAccepted
from registration.services import Services
from registration.signing_up.confirmation import confirm, resend_confirmation
from registration.signing_up.progress import RegistrationState, settled, states_of
from registration.storage.tables import customer
from tests.clock import Clock
from tests.registration.forms import request
from tests.registration.members import CLIENT, confirmed
from tests.registration.signing import sign_up
from tests.registration.stored import keys
from tests.registration.tidying import tidied

ADA = "ada@example.org"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
PENDING, CONFIRMED, EXPIRED = RegistrationState


def signed_up(services: Services, **changes: object) -> Handle:
    outcome = sign_up(services, request(**changes))
    assert isinstance(outcome, Registered | SignUpAccepted)
    handle = read_handle(services.secret, outcome.handle)
    assert handle
    return handle


def state(services: Services, handle: Handle) -> RegistrationState:
    return states_of(services, [handle])[handle]


def erase(connection: Connection) -> None:
    erase_pending(connection, connection.scalars(select(customer.c.id)).one())


def test_a_confirmation_settles_a_sign_up(services: Services) -> None:
    """A sign-up is pending until its link is followed; only those that are settled are listed as such."""
    ada, eve = signed_up(services), signed_up(services, email="eve@example.org")
    assert [state(services, ada), settled(services, [ada, eve])] == [PENDING, {}]
    confirm(services, keys(services.database, services.secret)[0])
    assert settled(services, [ada, eve]) == {ada: CONFIRMED}


def test_a_sign_up_expires_with_its_last_key(services: Services, clock: Clock) -> None:
    """A sign-up expires when the last key that was mailed does, and stays so when its rows are gone."""
    ada = signed_up(services)
    clock.move(MINUTE)
    resend_confirmation(services, ADA, CLIENT)
    clock.move(DAY - MINUTE)
    assert state(services, ada) is PENDING
    clock.move(MINUTE)
    assert state(services, ada) is EXPIRED
    services.database.write(erase)
    assert state(services, ada) is EXPIRED


def test_a_sign_up_that_is_disowned_stays_pending(services: Services, clock: Clock) -> None:
    """Nothing tells that the owner of the address disowned the sign-up: it is pending until it would have expired."""
    ada = signed_up(services)
    services.database.write(erase)
    assert state(services, ada) is PENDING
    clock.move(DAY)
    assert state(services, ada) is EXPIRED


def test_a_decoy_waits_like_a_sign_up(services: Services, clock: Clock) -> None:
    """In conceal mode a known address has the states of an unknown one that nothing confirms, also after tidying."""
    services = replace(services, conceal=True)
    confirmed(services)
    known, new = signed_up(services, email=ADA), signed_up(services, email="new@example.org")
    tidied(services.database, clock())
    assert [state(services, known), state(services, new)] == [PENDING] * 2
    clock.move(DAY)
    assert [state(services, known), state(services, new)] == [EXPIRED] * 2


def test_an_erased_customer_is_no_confirmed_one(services: Services, clock: Clock) -> None:
    """The handle of a customer who was confirmed and then erased tells of no customer any more."""
    ada = signed_up(services)
    confirm(services, keys(services.database, services.secret)[0])
    emptied = update(customer).values(anonymized_at=clock())
    services.database.write(lambda connection: connection.execute(emptied))
    assert state(services, ada) is EXPIRED


def test_without_confirmations_a_sign_up_is_settled_at_once(services: Services, clock: Clock) -> None:
    """Where no confirmation is asked for, a new customer is confirmed, and one that is not there has expired."""
    services = replace(services, confirmation=None)
    assert state(services, signed_up(services)) is CONFIRMED
    gone = read_handle(services.secret, handle_of(services.secret, services.new_id(), clock()))
    assert gone
    assert state(services, gone) is EXPIRED
