"""Whether a mail is still needed, and what goes into it."""

import re
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, update

from registration.keys.link_keys import confirmation_key
from registration.keys.secret import Secret
from registration.language import Language
from registration.mail.composition import Composer, Dropped, look_up
from registration.mail.mails import MailKind
from registration.mail.outbox import BUCKETS, Job, claim
from registration.mail.transport import Refused
from registration.storage.database import Database
from registration.storage.tables import confirmation_token, customer
from tests.registration.people import NOW, SECRET, signed_up

COMPOSER = Composer(SECRET, "https://shop.example", Address("Shop", "mail", "shop.example"))


def claim_the_one(database: Database) -> Job:
    def work(connection: Connection) -> list[Job]:
        return [job for bucket in range(BUCKETS) for job in claim(connection, bucket, NOW, 10)]

    [job] = database.write(work)
    return job


def compose(database: Database, job: Job, composer: Composer = COMPOSER) -> EmailMessage | Dropped | Refused:
    return composer.compose(job, database.read(lambda connection: look_up(connection, job)), NOW)


def test_a_confirmation_goes_to_the_stored_address_with_the_key(database: Database) -> None:
    """The mail is made from the customer's row and from the key that only the secret gives."""
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
    """So that a storefront need not guess it (contract 11)."""
    signed_up(database, language=Language.DE)
    message = compose(database, claim_the_one(database))
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    assert re.search(r"\?token=[0-9a-f]{32}&_locale=de_DE$", body.get_content(), re.MULTILINE)


def test_a_welcome_needs_no_token(database: Database) -> None:
    """Where nobody must confirm, a mail says that the account is ready."""
    signed_up(database, kind=MailKind.WELCOME, confirmed_at=NOW)
    message = compose(database, claim_the_one(database))
    assert isinstance(message, EmailMessage)
    assert message["Subject"] == "Your account is ready"


@pytest.mark.parametrize("kind", MailKind)
def test_nothing_goes_to_who_is_gone(database: Database, kind: MailKind) -> None:
    """An erased customer gets no mail, whether the row is gone or only the person in it."""
    customer_id = signed_up(database, kind=kind)
    job = claim_the_one(database)
    erase(database, customer_id)
    assert compose(database, job) == Dropped("the customer is gone")
    database.write(lambda connection: connection.execute(delete(customer)))
    assert compose(database, job) == Dropped("the customer is gone")


def erase(database: Database, customer_id: UUID) -> None:
    nobody = {"first_name": None, "last_name": None, "salutation": None, "gender": None, "email": "gone"}
    database.write(
        lambda connection: connection.execute(update(customer).where(customer.c.id == customer_id).values(nobody))
    )


def test_nobody_is_asked_twice(database: Database) -> None:
    """Who has confirmed meanwhile, with the key of another mail, is not asked again."""
    signed_up(database)
    job = claim_the_one(database)
    database.write(lambda connection: connection.execute(update(customer).values(confirmed_at=NOW)))
    assert compose(database, job) == Dropped("the address is confirmed")


def test_another_secret_is_told(database: Database) -> None:
    """A relay with another secret than the sign-up's sends no dead link: the mail is kept, with the reason."""
    signed_up(database)
    composer = replace(COMPOSER, secret=Secret(b"1" * 32))
    assert compose(database, claim_the_one(database), composer) == Refused(
        "the secret in GATEWAY_KEYS_DIR is not the one the customer signed up under"
    )


def test_a_link_that_expired_is_not_sent(database: Database) -> None:
    """A mail that waited longer than its key lives is kept for the operator to see, with the token there or cleared."""
    signed_up(database, lifetime=timedelta())
    job = claim_the_one(database)
    too_late = Refused("the confirmation key expired before the mail could be sent")
    assert compose(database, job) == too_late
    database.write(lambda connection: connection.execute(delete(confirmation_token)))
    assert compose(database, job) == too_late


def test_facts_show_no_person(database: Database) -> None:
    """What a mail is made of is in no repr."""
    signed_up(database)
    job = claim_the_one(database)
    assert repr(database.read(lambda connection: look_up(connection, job))) == "Facts()"
