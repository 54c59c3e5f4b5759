"""The composition of mails: whether one is still needed, and what goes into it."""

import re
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from html import unescape
from itertools import count
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, delete, event, insert, update

from registration.keys.link_keys import alert_key, confirmation_key, digest
from registration.keys.secret import Secret
from registration.language import Language
from registration.mail.composition import LINKS, Composer, Dropped, look_up
from registration.mail.message import Message
from registration.mail.outbox import Job, claim, due_ids
from registration.mail.rendering import MailKind
from registration.mail.transport import AboutUs, Refused
from registration.storage.database import Database
from registration.storage.tables import alert_token, confirmation_token, customer, session
from tests.registration.mail.messages import parsed
from tests.registration.people import NOW, SECRET, signed_up

COMPOSER = Composer(SECRET, "https://shop.example", Address("Shop", "mail", "shop.example"))


def claim_the_one(database: Database) -> Job:
    def work(connection: Connection) -> list[Job]:
        return claim(connection, due_ids(connection, NOW, 10), NOW)

    [job] = database.write(work)
    return job


def compose(database: Database, job: Job, composer: Composer = COMPOSER) -> EmailMessage | Dropped | Refused | AboutUs:
    """As `Composer.compose`, with the message as it arrives."""
    composed = composer.compose(job, database.read(lambda connection: look_up(connection, [job]))[job.id], NOW)
    return parsed(composed) if isinstance(composed, Message) else composed


def test_a_confirmation_goes_to_the_stored_address_with_the_key(database: Database) -> None:
    """A confirmation goes to the stored address, with the key that the secret derives."""
    signed_up(database, email="Bob@Example.org")
    job = claim_the_one(database)
    message = compose(database, job)
    assert isinstance(message, EmailMessage)
    assert message["To"] == "Bob@example.org"
    assert message["Message-ID"] == f"<{job.id}@shop.example>"
    assert message["Date"].datetime == NOW
    assert job.token_id is not None
    link = f"https://shop.example/register/confirm?token={confirmation_key(SECRET, job.token_id)}&_locale=en_US"
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        assert link in unescape(part.get_content())


def test_links_name_the_language_of_the_mail(database: Database) -> None:
    """A link names the language of the mail, so that a storefront need not guess it (contract 11)."""
    signed_up(database, language=Language("de"))
    message = compose(database, claim_the_one(database))
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert re.search(r"\?token=[0-9a-f]{32}&_locale=de_DE\r$", str(body.get_content()), re.MULTILINE)


def test_a_welcome_needs_no_token(database: Database) -> None:
    """With confirmation off a mail says that the account is ready."""
    signed_up(database, kind=MailKind.WELCOME, confirmed_at=NOW)
    message = compose(database, claim_the_one(database))
    assert isinstance(message, EmailMessage)
    assert message["Subject"] == "Your account is ready"


@pytest.mark.parametrize("kind", [MailKind.RESET, MailKind.EMAIL_CHANGE, MailKind.DATA_EXPORT])
def test_a_mail_whose_token_is_gone_is_not_needed(database: Database, kind: MailKind) -> None:
    """A mail for a link that was used or taken back is dropped, and not kept for an operator."""
    signed_up(database, kind=kind, confirmed_at=NOW)
    database.write(lambda connection: connection.execute(delete(LINKS[kind].tokens)))
    assert compose(database, claim_the_one(database)) == Dropped("the key was used or taken back")


@pytest.mark.parametrize("kind", MailKind)
def test_an_erased_customer_gets_no_mail(database: Database, kind: MailKind) -> None:
    """A mail to an erased customer, or to one whose row is gone, is dropped."""
    customer_id = signed_up(database, kind=kind)
    job = claim_the_one(database)
    erase(database, customer_id)
    assert compose(database, job) == Dropped("the customer is gone")
    database.write(lambda connection: connection.execute(delete(customer)))
    assert compose(database, job) == Dropped("the customer is gone")


def erase(database: Database, customer_id: UUID) -> None:
    emptied = {"email": "gone", "anonymized_at": NOW}
    database.write(
        lambda connection: connection.execute(update(customer).where(customer.c.id == customer_id).values(emptied))
    )


def test_a_confirmed_customer_gets_no_confirmation(database: Database) -> None:
    """A confirmation for a customer that confirmed meanwhile is dropped."""
    signed_up(database)
    job = claim_the_one(database)
    database.write(lambda connection: connection.execute(update(customer).values(confirmed_at=NOW)))
    assert compose(database, job) == Dropped("the address is confirmed")


@pytest.mark.parametrize("before", [1, 2])
def test_a_confirmation_during_the_look_up_parks_no_mail(database: Database, before: int) -> None:
    """A customer that confirms between two statements of the look-up has confirmed before all of them, or after."""
    signed_up(database)
    job, statements = claim_the_one(database), count(1)

    def confirm(connection: Connection) -> None:
        connection.execute(delete(confirmation_token))
        connection.execute(update(customer).values(confirmed_at=NOW))

    def look(connection: Connection) -> object:
        @event.listens_for(connection, "before_cursor_execute")
        def _interrupt(*_: object) -> None:
            if next(statements) == before:
                database.write(confirm)

        return COMPOSER.compose(job, look_up(connection, [job])[job.id], NOW)

    assert isinstance(database.read(look), Dropped if before == 1 else Message)
    assert next(statements) == 3


def test_another_secret_is_a_reason(database: Database) -> None:
    """A relay with another secret than the sign-up's leaves the mail to the other nodes, and sends no dead link."""
    signed_up(database)
    composer = replace(COMPOSER, secret=Secret(b"1" * 32))
    assert compose(database, claim_the_one(database), composer) == AboutUs(
        "no secret in GATEWAY_KEYS_DIR is the one that the key was made under", is_for_all=False
    )


def test_a_link_that_expired_is_not_sent(database: Database) -> None:
    """A mail whose key has expired is refused with the reason, whether its token is still there or not."""
    signed_up(database, lifetime=timedelta())
    job = claim_the_one(database)
    too_late = Refused("the confirmation key expired before the mail could be sent")
    assert compose(database, job) == too_late
    database.write(lambda connection: connection.execute(delete(confirmation_token)))
    assert compose(database, job) == too_late


def test_repr_of_facts_holds_no_person(database: Database) -> None:
    """The repr of a mail's facts is empty."""
    signed_up(database)
    job = claim_the_one(database)
    assert repr(database.read(lambda connection: look_up(connection, [job]))[job.id]) == "Facts()"


@pytest.mark.parametrize(("place", "lines"), [("Köln", "Place: Köln\n"), (None, "")])
def test_a_new_device_is_named(database: Database, place: str | None, lines: str) -> None:
    """The mail about a new device says which, where and when; without its session it still says when."""
    customer_id = signed_up(database, kind=MailKind.NEW_DEVICE)
    job = claim_the_one(database)
    assert "Device: unknown\nTime: 5 March 2026, 07:09 UTC\n" in text_of(database, job)
    row = {"id": job.token_id, "customer_id": customer_id, "created_at": NOW, "device": "Firefox (Linux)"}
    database.write(lambda connection: connection.execute(insert(session).values(**row, place=place)))
    assert f"Device: Firefox (Linux)\n{lines}Time: 5 March 2026, 07:09 UTC\n" in text_of(database, job)


def text_of(database: Database, job: Job) -> str:
    message = compose(database, job)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")


ALERTS = [kind for kind, link in LINKS.items() if not link.is_needed]


@pytest.mark.parametrize("kind", ALERTS)
def test_an_alert_has_its_link_while_it_is_good(database: Database, kind: MailKind) -> None:
    """A mail about security has the link "this was not me"; when that is over, or was never made, it goes without."""
    customer_id = signed_up(database, kind=kind)
    job = replace(claim_the_one(database), token_id=uuid4())
    assert job.token_id
    key = alert_key(SECRET, job.token_id)
    assert "http" not in text_of(database, job)
    assert "http" not in text_of(database, replace(job, token_id=None))
    assert "ask for a new password at shop.example" in text_of(database, job).lower()
    row = {"digest": digest(key), "customer_id": customer_id, "email": "ada@example.org"}
    database.write(
        lambda connection: connection.execute(insert(alert_token).values(**row, expires_at=NOW + timedelta(days=7)))
    )
    text = text_of(database, job)
    assert f"https://shop.example/account/secure?token={key}&_locale=en_US" in text
    assert "until 12 March 2026, 07:09 UTC" in text
    database.write(lambda connection: connection.execute(update(alert_token).values(expires_at=NOW)))
    assert "http" not in text_of(database, job)
