"""Erasure on real databases; that nothing is left, anywhere, is shown in test_erasure_proof.py."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import Connection, select

from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.keys.link_keys import email_change_key
from registration.keys.secret import Secret
from registration.limits.address_limits import address_mark
from registration.limits.lockout import DatabaseLockout, LockoutTerms, attempt_prefix
from registration.mail.mails import MailKind
from registration.outcomes import BadCredentials, Confirmed, Done, Registered, Tokens
from registration.passwords.reset import request_reset
from registration.records.audit import AuditKind, record
from registration.services import Services
from registration.sessions.access_tokens import Caller, authenticate
from registration.sessions.sign_in import sign_in
from registration.storage.database import Unavailable
from registration.storage.tables import attempt, audit, customer, email_change, event, mail, metadata, session
from tests.clock import Clock
from tests.registration.callers import EMAIL, caller_of, with_traces_everywhere
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_up
from tests.registration.stored import WAITING, counts, rows
from tests.waiting import eventually, wait_for

FORMER = "ada@example.org"  # as EMAIL is compared


@pytest.fixture
def ada(services: Services, clock: Clock) -> Caller:
    caller = with_traces_everywhere(services)
    clock.move(timedelta(minutes=1))
    return caller


def test_the_row_stays_and_the_person_goes(services: Services, clock: Clock, ada: Caller) -> None:
    """As the contract has it (4.7), and without the hash of the password."""
    [before] = rows(services.database, customer)
    assert anonymize(services, ada, None) == Done()
    [after] = rows(services.database, customer)
    assert re.fullmatch(r"[0-9a-f]{32}@[0-9a-f]{32}\.[0-9a-f]{32}", after["email"])
    gone = ("salutation", "first_name", "last_name", "gender", "date_of_birth")
    assert [after[name] for name in gone] == [None] * 5
    assert after["password_hash"] == ""
    assert after["anonymized_at"] == after["updated_at"] == clock.now
    kept = ("id", "reference", "language", "terms_accepted_at", "created_at", "confirmed_at")
    assert [after[name] for name in kept] == [before[name] for name in kept]


def test_nothing_else_stays_but_what_names_nobody(services: Services, ada: Caller) -> None:
    """Events and the audit trail name the customer by id; its personal columns are empty."""
    full = counts(services.database)
    assert set(full) == {table.name for table in metadata.sorted_tables} - {"counter", "confirmation_token"}
    anonymize(services, ada, None)
    left = counts(services.database)
    # What counts by customer names nobody, and ends by itself.
    assert set(left) == {"customer", "event", "audit", "attempt"}
    assert left["attempt"] == 1
    trail = rows(services.database, audit)
    assert {(row["client_ip"], row["email_key"]) for row in trail} == {(None, None)}
    assert trail[-1]["kind"] == "erase"
    assert rows(services.database, event)[-1]["kind"] == "customer.erased"


def test_everybody_else_stays(services: Services, ada: Caller) -> None:
    """Another customer, with all that is theirs."""
    other = member(services, email="bob@example.org", firstName="Bob")
    sign_in(services, "bob@example.org", "wrong", CLIENT)
    request_reset(services, "bob@example.org", CLIENT)
    owned = [table for table in metadata.sorted_tables if "customer_id" in table.c]
    before = {
        table: [row for row in rows(services.database, table) if row["customer_id"] == other.customer.id]
        for table in owned
    }
    keys = {row["key"] for row in rows(services.database, attempt)}
    anonymize(services, ada, None)
    for table, theirs in before.items():
        assert [row for row in rows(services.database, table) if row["customer_id"] == other.customer.id] == theirs
    assert len(keys & {row["key"] for row in rows(services.database, attempt)}) == 4
    assert authenticate(services, other.tokens.access_token) is not None


def test_nobody_signs_in_any_more(services: Services, ada: Caller) -> None:
    """Not with the password, not with a token; the random address leads nowhere."""
    other = sign_in(services, EMAIL, PASSWORD, CLIENT)
    assert isinstance(other, Tokens)
    anonymize(services, ada, None)
    assert authenticate(services, other.access_token) is None
    [row] = rows(services.database, customer)
    assert sign_in(services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
    assert sign_in(services, row["email"], PASSWORD, CLIENT) == BadCredentials()


def test_the_address_is_free(services: Services, ada: Caller) -> None:
    """Whoever registers with it is another customer."""
    anonymize(services, ada, None)
    again = sign_up(services, request(email=EMAIL))
    assert isinstance(again, Registered)
    assert again.customer.reference != ada.customer.reference


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("ada%_@example.org", "ADA%_@example.org"),
        ("ada@xn--bcher-kva.example", "Ada@BÜCHER.example"),
        ("ada@bücher.example", "ada@XN--BCHER-KVA.example"),
        ("müller@example.org", "Mu\u0308LLER@example.org"),
        ("ödön@example.org", "ÖDÖN@Example.org"),
        ("i\u0307pek@example.org", "İpek@example.org"),
    ],
)
def test_who_asked_for_the_address_asks_again(services: Services, held: str, asked: str) -> None:
    """It waits in nobody's account any more, however it was typed there; another address does."""
    holder = caller_of(services, member(services, email=held).tokens)
    waiting = [
        {
            "customer_id": confirmed(services, email=f"{name}@example.org").id,
            "digest": name,
            "email": email,
            "expires_at": services.clock() + timedelta(hours=1),
        }
        for name, email in (("bob", asked), ("eve", f"x{asked}"))
    ]
    services.database.write(lambda connection: connection.execute(email_change.insert(), waiting))
    anonymize(services, holder, None)
    assert [row["digest"] for row in rows(services.database, email_change)] == ["eve"]


def test_a_password_must_be_the_right_one(services: Services, ada: Caller) -> None:
    """If one is given; else the access token is enough."""
    before = rows(services.database, customer)
    for wrong in ("wrong", "", "\ud800"):
        assert anonymize(services, ada, wrong) == BadCredentials()
    assert rows(services.database, customer) == before
    assert anonymize(services, ada, PASSWORD) == Done()


def test_a_second_time_changes_nothing(services: Services, clock: Clock, ada: Caller) -> None:
    """Two requests at the same moment may both have seen a good token."""
    anonymize(services, ada, None)
    before = {table: rows(services.database, table) for table in metadata.sorted_tables}
    clock.move(timedelta(minutes=1))
    assert anonymize(services, ada, None) == Done()
    assert {table: rows(services.database, table) for table in metadata.sorted_tables} == before


def test_counts_elsewhere_are_forgotten_too(services: Services, clock: Clock, ada: Caller) -> None:
    """Installations may count failed sign-ins in another server; an outage of that leaves everything as it was."""
    elsewhere = Elsewhere(services.database, LockoutTerms(), clock)
    before = rows(services.database, customer)
    with pytest.raises(Unavailable):
        anonymize(replace(services, lockout=elsewhere), ada, None)
    assert rows(services.database, customer) == before
    elsewhere.forgotten = []
    anonymize(replace(services, lockout=elsewhere), ada, None)
    assert elsewhere.forgotten == [attempt_prefix(services.secret, "ada@example.org")]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_reuse_that_is_recorded_at_this_moment_is_forgotten_too(services: Services, ada: Caller) -> None:
    """Where transactions run side by side: the erasure waits for the session, and looks at the trail after that."""
    is_locked = Event()

    def reuse(connection: Connection) -> None:
        connection.execute(select(session).where(session.c.id == ada.session_id).with_for_update())
        is_locked.set()
        eventually(lambda: connection.exec_driver_sql(WAITING).fetchall())
        now = services.clock()
        record(connection, services.new_id(), AuditKind.TOKEN_REUSE, ada.customer.id, now, client_ip=CLIENT)

    with ThreadPoolExecutor(1) as threads:
        reusing = threads.submit(services.database.write, reuse)
        wait_for(is_locked)
        anonymize(services, ada, None)
        reusing.result()
    trail = {row["kind"]: row["client_ip"] for row in rows(services.database, audit)}
    assert trail["token reuse"] is None


class Elsewhere(DatabaseLockout):
    """Not in our database, and not always there."""

    forgotten: list[str] | None = None

    def forget(self, prefix: str) -> None:
        if self.forgotten is None:
            raise Unavailable("elsewhere")
        self.forgotten.append(prefix)


def moved(services: Services, caller: Caller) -> Caller:
    """The caller under the address that has waited for its proof."""
    (token_id,) = (row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.EMAIL_CHANGE)
    outcome = confirm_email_change(services, email_change_key(services.secret, token_id), CLIENT)
    assert isinstance(outcome, Confirmed)
    return replace(caller, customer=outcome.customer)


def counts_of(services: Services, mark: Callable[[Secret, str], str]) -> int:
    """How many counts are kept for the former address."""
    kept = [row["key"] for row in rows(services.database, attempt)]
    return sum(key.startswith(mark(services.secret, FORMER)) for key in kept)


def test_a_former_address_goes_too(services: Services, ada: Caller) -> None:
    """Whatever was typed under it after the change."""
    caller = moved(services, ada)
    sign_in(services, FORMER, "wrong", CLIENT)
    request_reset(services, FORMER, CLIENT)
    assert counts_of(services, address_mark)
    assert counts_of(services, attempt_prefix)
    anonymize(services, caller, None)
    assert not counts_of(services, address_mark)
    assert not counts_of(services, attempt_prefix)
    assert {row["email_key"] for row in rows(services.database, audit)} == {None}


def test_a_former_address_that_somebody_else_has_is_theirs(services: Services, clock: Clock, ada: Caller) -> None:
    """Wrong passwords for their account still count."""
    caller = moved(services, ada)
    clock.move(timedelta(days=1))
    confirmed(services, email=FORMER, firstName="Eve")
    sign_in(services, FORMER, "wrong", CLIENT)
    anonymize(services, caller, None)
    assert counts_of(services, attempt_prefix) == 1
    assert {row["email_key"] for row in rows(services.database, audit)} == {None}
