"""Erasure on real databases; test_erasure_proof.py shows that no trace is left."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import Connection, select

from registration.account.data_export import Rows, export_by_key, request_export
from registration.account.email_change import confirm_email_change
from registration.account.erasure import anonymize
from registration.account.profile import update_profile
from registration.keys.link_keys import email_change_key, export_key
from registration.keys.secret import Secret
from registration.limits.address_counts import address_mark
from registration.limits.budgets import mailbox_mark
from registration.limits.lockout import DatabaseLockout, LockoutTerms, attempt_prefix
from registration.mail.rendering import MailKind
from registration.outcomes import BadCredentials, Confirmed, Done, Gone, Registered, Tokens, Updated
from registration.passwords.reset import request_reset
from registration.records.audit import AuditKind, record
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.storage.database import Unavailable
from registration.storage.tables import (
    attempt,
    audit,
    customer,
    email_change,
    event,
    export_token,
    mail,
    metadata,
    session,
)
from tests.clock import Clock
from tests.registration.callers import EMAIL, authenticate, caller_of, with_traces_everywhere
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, confirmed, member
from tests.registration.signing import sign_in, sign_up
from tests.registration.stored import WAITING, counts, rows
from tests.waiting import eventually, wait_for

FORMER = "ada@example.org"  # as EMAIL is compared


@pytest.fixture
def ada(services: Services, clock: Clock) -> Caller:
    caller = with_traces_everywhere(services)
    clock.move(timedelta(minutes=1))
    return caller


def test_the_row_stays_and_its_personal_columns_are_emptied(services: Services, clock: Clock, ada: Caller) -> None:
    """Erasure empties the personal columns as the contract has it (4.7), and the password hash; the others stay."""
    [before] = rows(services.database, customer)
    assert anonymize(services, ada, None, CLIENT) == Done()
    [after] = rows(services.database, customer)
    assert re.fullmatch(r"[0-9a-f]{32}@[0-9a-f]{32}\.[0-9a-f]{32}", after["email"])
    gone = ("salutation", "first_name", "last_name", "gender", "date_of_birth")
    assert [after[name] for name in gone] == [None] * 5
    assert after["password_hash"] == ""
    assert after["anonymized_at"] == after["updated_at"] == clock.now
    kept = ("id", "reference", "language", "terms_accepted_at", "created_at", "confirmed_at")
    assert [after[name] for name in kept] == [before[name] for name in kept]


def test_only_rows_without_personal_data_stay(services: Services, ada: Caller) -> None:
    """After an erasure only events, the audit trail and counts are left, with empty personal columns."""
    full = counts(services.database)
    assert set(full) == {table.name for table in metadata.sorted_tables} - {
        *("counter", "installation", "operator_token", "probe"),  # of no customer
        "confirmation_token",
    }
    anonymize(services, ada, None, CLIENT)
    left = counts(services.database)
    # The count of the customer's own requests holds no personal data, and expires.
    assert set(left) == {"customer", "event", "audit", "attempt"}
    assert left["attempt"] == 1
    trail = rows(services.database, audit)
    assert {(row["client_ip"], row["email_key"]) for row in trail} == {(None, None)}
    assert trail[-1]["kind"] == "erase"
    assert rows(services.database, event)[-1]["kind"] == "customer.erased"


def test_other_customers_stay(services: Services, ada: Caller) -> None:
    """An erasure leaves every row of another customer as it is."""
    other = member(services, email="bob@example.org", firstName="Bob")
    sign_in(services, "bob@example.org", "wrong", CLIENT)
    request_reset(services, "bob@example.org", CLIENT)
    owned = [table for table in metadata.sorted_tables if "customer_id" in table.c]
    before = {
        table: [row for row in rows(services.database, table) if row["customer_id"] == other.customer.id]
        for table in owned
    }
    keys = {row["key"] for row in rows(services.database, attempt)}
    anonymize(services, ada, None, CLIENT)
    for table, theirs in before.items():
        assert [row for row in rows(services.database, table) if row["customer_id"] == other.customer.id] == theirs
    assert len(keys & {row["key"] for row in rows(services.database, attempt)}) == 4
    assert isinstance(authenticate(services, other.tokens.access_token), Caller)


def test_the_erased_customer_cannot_sign_in(services: Services, ada: Caller) -> None:
    """Neither the password nor an access token nor the random address signs the erased customer in."""
    other = sign_in(services, EMAIL, PASSWORD, CLIENT)
    assert isinstance(other, Tokens)
    anonymize(services, ada, None, CLIENT)
    assert authenticate(services, other.access_token) is BadToken.REVOKED
    [row] = rows(services.database, customer)
    assert sign_in(services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
    assert sign_in(services, row["email"], PASSWORD, CLIENT) == BadCredentials()


def test_the_address_is_free(services: Services, ada: Caller) -> None:
    """The address of an erased customer can be signed up again, by another customer."""
    anonymize(services, ada, None, CLIENT)
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
def test_changes_to_the_address_are_deleted(services: Services, held: str, asked: str) -> None:
    """Other accounts' pending changes to the erased address are deleted in every spelling; those to others stay."""
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
    anonymize(services, holder, None, CLIENT)
    assert [row["digest"] for row in rows(services.database, email_change)] == ["eve"]


def test_a_password_must_be_the_right_one(services: Services, ada: Caller) -> None:
    """A wrong password is refused and erases nothing; the right one erases."""
    before = rows(services.database, customer)
    for wrong in ("wrong", "", "\ud800"):
        assert anonymize(services, ada, wrong, CLIENT) == BadCredentials()
    assert rows(services.database, customer) == before
    assert anonymize(services, ada, PASSWORD, CLIENT) == Done()


def export_by_mailed_key(services: Services) -> Rows | None:
    [token_id] = [row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.DATA_EXPORT]
    return export_by_key(services, export_key(services.secret, token_id), CLIENT)


def test_a_second_time_changes_nothing(services: Services, clock: Clock, ada: Caller) -> None:
    """A second erasure, by a request whose token was good at the same moment, changes no row."""
    anonymize(services, ada, None, CLIENT)
    before = {table: rows(services.database, table) for table in metadata.sorted_tables}
    clock.move(timedelta(minutes=1))
    assert anonymize(services, ada, None, CLIENT) == Done()
    assert {table: rows(services.database, table) for table in metadata.sorted_tables} == before


def test_counts_in_another_server_are_deleted(services: Services, clock: Clock, ada: Caller) -> None:
    """Counts in another server are deleted; when it does not answer, nothing is erased."""
    other_server = OtherServer(services.database, LockoutTerms(), clock)
    before = rows(services.database, customer)
    with pytest.raises(Unavailable):
        anonymize(replace(services, lockout=other_server), ada, None, CLIENT)
    assert rows(services.database, customer) == before
    other_server.forgotten = []
    anonymize(replace(services, lockout=other_server), ada, None, CLIENT)
    marks = [mark(services.secret, "ada@example.org") for mark in (attempt_prefix, mailbox_mark)]
    assert other_server.forgotten == marks


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_reuse_that_is_being_recorded_is_emptied(services: Services, ada: Caller) -> None:
    """An erasure waits for a transaction that records a reused token, and then empties its audit row."""
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
        anonymize(services, ada, None, CLIENT)
        reusing.result()
    trail = {row["kind"]: row["client_ip"] for row in rows(services.database, audit)}
    assert trail["token reuse"] is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda services, caller: anonymize(services, caller, None, CLIENT), Done()),
        (lambda services, caller: update_profile(services, caller, {"firstName": "Zoë"}, CLIENT), Gone()),
        (lambda services, caller: request_export(services, caller, CLIENT), Gone()),
        (lambda services, _caller: export_by_mailed_key(services), None),
    ],
    ids=["erasure", "change of profile", "request for an export", "export"],
)
def test_a_request_that_waits_for_an_erasure_changes_nothing(
    services: Services, ada: Caller, use: Callable[[Services, Caller], object], expected: object
) -> None:
    """A request of a customer waits for an erasure in flight, then finds no customer and writes nothing."""
    before = {table: rows(services.database, table) for table in (audit, event, export_token, mail)}
    is_erased = Event()

    def erase(connection: Connection) -> None:
        connection.execute(select(customer.c.id).with_for_update())
        connection.execute(customer.update().values(anonymized_at=services.clock()))
        is_erased.set()
        eventually(lambda: connection.exec_driver_sql(WAITING).fetchall())

    with ThreadPoolExecutor(1) as threads:
        erasing = threads.submit(services.database.write, erase)
        wait_for(is_erased)
        assert use(services, ada) == expected
        erasing.result()
    assert [row["first_name"] for row in rows(services.database, customer)] == ["Ada"]
    assert {table: rows(services.database, table) for table in before} == before


class OtherServer(DatabaseLockout):
    """Counts as if in another server, which does not answer while `forgotten` is None."""

    forgotten: list[str] | None = None

    def forget(self, prefix: str) -> None:
        if self.forgotten is None:
            raise Unavailable("the other server")
        self.forgotten.append(prefix)


def moved(services: Services, caller: Caller) -> Caller:
    """The caller after the pending change of address is proven."""
    (token_id,) = (row["token_id"] for row in rows(services.database, mail) if row["kind"] == MailKind.EMAIL_CHANGE)
    outcome = confirm_email_change(services, email_change_key(services.secret, token_id), CLIENT)
    assert isinstance(outcome, Confirmed)
    return replace(caller, customer=outcome.customer)


def counts_of(services: Services, mark: Callable[[Secret, str], str]) -> int:
    """How many counts the former address has."""
    kept = [row["key"] for row in rows(services.database, attempt)]
    return sum(key.startswith(mark(services.secret, FORMER)) for key in kept)


def test_a_former_address_is_forgotten(services: Services, ada: Caller) -> None:
    """An erasure deletes the counts of a former address, and empties what was recorded under it."""
    caller = moved(services, ada)
    sign_in(services, FORMER, "wrong", CLIENT)
    request_reset(services, FORMER, CLIENT)
    assert counts_of(services, address_mark)
    assert counts_of(services, attempt_prefix)
    anonymize(services, caller, None, CLIENT)
    assert not counts_of(services, address_mark)
    assert not counts_of(services, attempt_prefix)
    assert {row["email_key"] for row in rows(services.database, audit)} == {None}


def test_a_former_address_of_another_account_keeps_its_counts(services: Services, clock: Clock, ada: Caller) -> None:
    """Counts of a former address that another account has by now stay."""
    caller = moved(services, ada)
    clock.move(timedelta(days=1))
    confirmed(services, email=FORMER, firstName="Eve")
    sign_in(services, FORMER, "wrong", CLIENT)
    anonymize(services, caller, None, CLIENT)
    assert counts_of(services, attempt_prefix) == 1
    assert {row["email_key"] for row in rows(services.database, audit)} == {None}


def test_an_address_of_another_account_keeps_its_counts_although_a_change_to_it_waits(services: Services) -> None:
    """A customer that asks for the address of another one, and goes, ends none of the counts of that one."""
    conceal = replace(services, conceal=True)
    confirmed(conceal, email=FORMER, firstName="Eve")
    asking = caller_of(conceal, member(conceal, email="bob@example.org").tokens)
    sign_in(conceal, FORMER, "wrong", CLIENT)
    request_reset(conceal, FORMER, CLIENT)
    before = [counts_of(conceal, mark) for mark in (attempt_prefix, address_mark, mailbox_mark)]
    assert isinstance(update_profile(conceal, asking, {"email": FORMER}, CLIENT), Updated)
    assert anonymize(conceal, asking, None, CLIENT) == Done()
    assert [counts_of(conceal, mark) for mark in (attempt_prefix, address_mark, mailbox_mark)] >= before
    assert min(before[:2]) > 0


def test_the_trail_of_another_customer_loses_the_address_only(services: Services, clock: Clock, ada: Caller) -> None:
    """What another customer had before is nulled in its rows, because it is the erased one's; its clients stay."""
    moved(services, ada)
    clock.move(timedelta(days=1))
    eve = caller_of(services, member(services, email=FORMER, firstName="Eve").tokens)
    former = [row for row in rows(services.database, audit) if row["email_key"] == FORMER]
    assert [row["kind"] for row in former] == [AuditKind.EMAIL_CHANGE]
    anonymize(services, eve, None, CLIENT)
    [after] = [row for row in rows(services.database, audit) if row["id"] == former[0]["id"]]
    assert (after["email_key"], after["client_ip"]) == (None, former[0]["client_ip"])
    assert after["client_ip"]
