"""Customers by the thousand, written straight into a database; no use case is run, and nobody gets a mail."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_hex
from uuid import UUID

from sqlalchemy import Connection, insert

from registration.services import Services
from registration.sessions import access_tokens
from registration.storage.tables import confirmation_token, customer, email_claim, session

STATES = ("confirmed", "pending", "expired")
NOBODYS_HASH = "*" * 97


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A customer with an access token."""

    reference: str
    token: str = field(repr=False)


def new_address() -> str:
    """Random, so that known and unknown ones lie everywhere in an index, and all of one length."""
    return f"{token_hex(8)}@example.org"


def populate(
    services: Services, number: int, state: str = "confirmed", *, password_hash: str = NOBODYS_HASH
) -> list[str]:
    """Write customers in one of the states; their addresses."""
    people = [_person(services, state) | {"password_hash": password_hash} for _ in range(number)]
    services.database.write(lambda connection: _write(connection, people))
    if state != "confirmed":
        lifetime = timedelta(days=1 if state == "pending" else -1)
        keys = [
            {"digest": token_hex(32), "customer_id": person["id"], "expires_at": services.clock() + lifetime}
            for person in people
        ]
        services.database.write(lambda connection: connection.execute(insert(confirmation_token), keys))
    return [str(person["email"]) for person in people]


def populate_signed_in(services: Services, number: int) -> list[SignedIn]:
    """Write confirmed customers with a session each."""
    people = [_person(services, "confirmed") for _ in range(number)]
    services.database.write(lambda connection: _write(connection, people))
    return [_sign_in(services, person) for person in people]


def _person(services: Services, state: str) -> dict[str, object]:
    now = services.clock()
    return {
        "id": services.new_id(),
        "reference": services.references.draw(),
        "email": new_address(),
        "salutation": "Ms",
        "first_name": "Ada",
        "last_name": "Beispiel",
        "gender": "Female",
        "date_of_birth": None,
        "language": "en",
        "password_hash": NOBODYS_HASH,
        "terms_accepted_at": now,
        "created_at": now,
        "updated_at": now,
        "confirmed_at": now if state == "confirmed" else None,
    }


def _write(connection: Connection, people: Sequence[dict[str, object]]) -> None:
    connection.execute(insert(customer), people)
    claims = [{"address": person["email"], "customer_id": person["id"]} for person in people]
    connection.execute(insert(email_claim), claims)


def _sign_in(services: Services, person: dict[str, object]) -> SignedIn:
    customer_id, session_id, now = UUID(str(person["id"])), services.new_id(), services.clock()
    row = {"id": session_id, "customer_id": customer_id, "created_at": now}
    services.database.write(lambda connection: connection.execute(insert(session).values(row)))
    reference = str(person["reference"])
    return SignedIn(reference, access_tokens.issue(services, customer_id, reference, session_id, now))
