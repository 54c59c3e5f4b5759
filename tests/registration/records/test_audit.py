"""The audit trail: what it records of a customer, and what is emptied when."""

from datetime import timedelta

from registration.outcomes import Disowned, TokenRefused
from registration.records.audit import AuditKind, record, trail
from registration.services import Services
from registration.sessions.sessions import refresh
from registration.signing_up.confirmation import confirm, disown
from registration.storage.tables import audit, customer
from tests.clock import Clock
from tests.registration.forms import PASSWORD, request
from tests.registration.members import confirmed, signed_in
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import keys, rows

ADA = "ada@example.org"


def kinds(services: Services, reference: str) -> list[str]:
    entries = services.database.read(lambda connection: trail(connection, reference))
    assert entries is not None
    return [entry.kind for entry in entries]


def test_holds_what_happened_in_its_order(services: Services, clock: Clock) -> None:
    """The trail of a customer lists what happened in its order, with the moment and the client's address."""
    start = clock.now
    sign_up(services, request())
    clock.move(timedelta(seconds=1))
    key = keys(services.database, services.secret)[0]
    confirm(services, key, "198.51.100.7")
    clock.move(timedelta(seconds=1))
    sign_in(services, ADA, "wrong password", "198.51.100.7")
    clock.move(timedelta(seconds=1))
    token = signed_in(services).refresh_token
    refresh(services, token, "")
    clock.move(timedelta(seconds=10))
    refresh(services, token, "203.0.113.9")
    entries = services.database.read(lambda connection: trail(connection, "DE--1"))
    assert entries is not None
    assert [((entry.created_at - start).seconds, entry.kind, entry.client_ip) for entry in entries] == [
        (0, "sign-up", "192.0.2.1"),
        (1, "confirm", "198.51.100.7"),
        (2, "sign-in failure", "198.51.100.7"),
        (3, "sign-in", "192.0.2.1"),
        (13, "token reuse", "203.0.113.9"),
    ]


def test_is_of_one_customer(services: Services) -> None:
    """The trail of a customer holds no record of another one."""
    confirmed(services)
    ben = confirmed(services, email="ben@example.org")
    assert kinds(services, ben.reference) == ["sign-up", "confirm"]


def test_an_unknown_reference_has_no_trail(services: Services) -> None:
    """A reference that no customer has, or whose account was disowned, has no trail."""
    assert services.database.read(lambda connection: trail(connection, "DE--99")) is None
    sign_up(services, request())
    assert disown(services, keys(services.database, services.secret)[0]) == Disowned()
    assert services.database.read(lambda connection: trail(connection, "DE--1")) is None


def test_holds_no_secret(services: Services) -> None:
    """No audit row holds a password, a token, or what was typed in the place of an address."""
    confirmed(services)
    sign_in(services, PASSWORD, "another password", "192.0.2.1")
    tokens = signed_in(services)
    refresh(services, tokens.refresh_token, "192.0.2.1")
    held = str(rows(services.database, audit))
    for secret in (PASSWORD, "another password", tokens.access_token, tokens.refresh_token):
        assert secret not in held


def test_disowning_empties_the_rows(services: Services) -> None:
    """Disowning keeps the audit rows of the address and empties their personal columns."""
    sign_in(services, ADA, PASSWORD, "198.51.100.7")
    sign_up(services, request())
    key = keys(services.database, services.secret)[0]
    assert disown(services, key) == Disowned()
    assert disown(services, key) == TokenRefused()
    assert sorted(row["kind"] for row in rows(services.database, audit)) == ["disown", "sign-in failure", "sign-up"]
    assert all(row["client_ip"] is row["email_key"] is None for row in rows(services.database, audit))


def test_a_replaced_account_leaves_no_client_ip(services: Services, clock: Clock) -> None:
    """A sign-up that replaces an expired account empties the personal columns of that account's rows."""
    sign_up(services, request())
    clock.move(timedelta(days=2))
    sign_up(services, request())
    found = {row["customer_id"]: row["client_ip"] for row in rows(services.database, audit)}
    (ours,) = (row["id"] for row in rows(services.database, customer))
    assert found.pop(ours) == "192.0.2.1"
    assert list(found.values()) == [None]


def test_too_long_values_are_cut(services: Services) -> None:
    """A client's address with a long zone, and a long e-mail address, are cut to the lengths of their columns."""
    ada = confirmed(services)
    record_long = {"client_ip": "fe80::1%" + "a" * 100, "email_key": "a" * 400}
    services.database.write(
        lambda connection: record(
            connection, services.new_id(), AuditKind.SIGN_IN, ada.id, services.clock(), **record_long
        )
    )
    lengths = {(len(row["client_ip"] or ""), len(row["email_key"] or "")) for row in rows(services.database, audit)}
    assert lengths == {(9, 0), (0, 0), (64, 320)}
