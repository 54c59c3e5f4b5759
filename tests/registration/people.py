"""Customers for tests, in memory and in a database."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert

from registration.customer import Customer, Gender, Salutation, row_of
from registration.keys.link_keys import confirmation_key, digest
from registration.keys.secret import Secret
from registration.language import Language
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.storage import tables
from registration.storage.database import Database

NOW = datetime(2026, 3, 5, 7, 9, tzinfo=UTC)
SECRET = Secret(b"0" * 32)


def customer(**changes: object) -> Customer:
    """The customer Ada, not confirmed."""
    values: dict[str, object] = {
        "id": uuid4(),
        "reference": f"DE--{uuid4()}",
        "email": "ada@example.org",
        "salutation": Salutation.MS,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "gender": Gender.FEMALE,
        "date_of_birth": date(1915, 12, 10),
        "language": Language.EN,
        "created_at": NOW,
        "updated_at": NOW,
        "confirmed_at": None,
    }
    return Customer(**(values | changes))  # type: ignore[arg-type]


def signed_up(
    database: Database,
    *,
    kind: MailKind = MailKind.CONFIRMATION,
    secret: Secret = SECRET,
    now: datetime = NOW,
    lifetime: timedelta = timedelta(days=30),
    **changes: object,
) -> UUID:
    """Write the rows of a sign-up, as far as mails need them; returns the customer's id."""
    person = customer(**changes)
    token_id = uuid4() if kind in {MailKind.CONFIRMATION, MailKind.NEW_DEVICE} else None

    def work(connection: Connection) -> None:
        connection.execute(insert(tables.customer).values(**row_of(person), password_hash="", terms_accepted_at=now))
        if token_id and kind is MailKind.CONFIRMATION:
            key = confirmation_key(secret, token_id)
            connection.execute(
                insert(tables.confirmation_token).values(
                    digest=digest(key), customer_id=person.id, expires_at=now + lifetime
                )
            )
        outbox.enqueue(connection, kind=kind, customer_id=person.id, token_id=token_id, now=now)

    database.write(work)
    return person.id
