"""The audit trail: what is recorded of a customer's life, and who may read what of it."""

from datetime import timedelta

from registration.outcomes import Disowned, TokenRefused
from registration.records.audit import AuditKind, record, trail
from registration.services import Services
from registration.sessions.sessions import refresh
from registration.sessions.sign_in import sign_in
from registration.signing_up.confirmation import confirm, disown
from registration.storage.tables import audit, customer
from tests.clock import Clock
from tests.registration.forms import PASSWORD, request
from tests.registration.members import confirmed, signed_in
from tests.registration.signing import sign_up
from tests.registration.stored import keys, rows

ADA = "ada@example.org"


def kinds(services: Services, reference: str) -> list[str]:
    entries = services.database.read(lambda connection: trail(connection, reference))
    assert entries is not None
    return [entry.kind for entry in entries]


def test_holds_a_life_in_its_order(services: Services, clock: Clock) -> None:
    """What happened when, and from where."""
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
    """Nobody else's records are in it."""
    confirmed(services)
    ben = confirmed(services, email="ben@example.org")
    assert kinds(services, ben.reference) == ["sign-up", "confirm"]


def test_nobody_has_none(services: Services) -> None:
    """A reference that was never given out, or whose account was disowned."""
    assert services.database.read(lambda connection: trail(connection, "DE--99")) is None
    sign_up(services, request())
    assert disown(services, keys(services.database, services.secret)[0]) == Disowned()
    assert services.database.read(lambda connection: trail(connection, "DE--1")) is None


def test_holds_no_secret(services: Services) -> None:
    """Neither passwords nor tokens, nor what was typed in their place."""
    confirmed(services)
    sign_in(services, PASSWORD, "another password", "192.0.2.1")
    tokens = signed_in(services)
    refresh(services, tokens.refresh_token, "192.0.2.1")
    held = str(rows(services.database, audit))
    for secret in (PASSWORD, "another password", tokens.access_token, tokens.refresh_token):
        assert secret not in held


def test_disowning_forgets_from_where(services: Services) -> None:
    """The owner of the mailbox was never here; that somebody was stays, and so do failures under no name."""
    sign_in(services, ADA, PASSWORD, "198.51.100.7")
    sign_up(services, request())
    key = keys(services.database, services.secret)[0]
    assert disown(services, key) == Disowned()
    assert disown(services, key) == TokenRefused()
    assert sorted(row["kind"] for row in rows(services.database, audit)) == ["disown", "sign-in failure", "sign-up"]
    assert all(row["client_ip"] is row["email_key"] is None for row in rows(services.database, audit))


def test_an_expired_sign_up_is_forgotten_with_the_next(services: Services, clock: Clock) -> None:
    """Whoever takes the address over leaves nothing of who had it before."""
    sign_up(services, request())
    clock.move(timedelta(days=2))
    sign_up(services, request())
    found = {row["customer_id"]: row["client_ip"] for row in rows(services.database, audit)}
    (ours,) = (row["id"] for row in rows(services.database, customer))
    assert found.pop(ours) == "192.0.2.1"
    assert list(found.values()) == [None]


def test_what_is_too_long_is_cut(services: Services) -> None:
    """The zone of an IPv6 address is as long as its sender likes."""
    ada = confirmed(services)
    record_long = {"client_ip": "fe80::1%" + "a" * 100, "email_key": "a" * 400}
    services.database.write(
        lambda connection: record(
            connection, services.new_id(), AuditKind.SIGN_IN, ada.id, services.clock(), **record_long
        )
    )
    lengths = {(len(row["client_ip"] or ""), len(row["email_key"] or "")) for row in rows(services.database, audit)}
    assert lengths == {(9, 0), (0, 0), (64, 320)}
