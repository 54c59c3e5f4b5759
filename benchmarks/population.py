"""Customers by the thousand, inserted into a database without a use case, so without mails."""

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
UNKNOWN_HASH = "*" * 97


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A customer with an access token."""

    reference: str
    token: str = field(repr=False)


def new_address() -> str:
    """Random, so that addresses spread over the index, and always of the same length."""
    return f"{token_hex(8)}@example.org"


def populate(
    services: Services, number: int, state: str = "confirmed", *, password_hash: str = UNKNOWN_HASH
) -> list[str]:
    """Insert customers in one of the STATES; return their addresses."""
    customers = [_new_row(services, state) | {"password_hash": password_hash} for _ in range(number)]
    services.database.write(lambda connection: _write(connection, customers))
    if state != "confirmed":
        lifetime = timedelta(days=1 if state == "pending" else -1)
        keys = [
            {"digest": token_hex(32), "customer_id": row["id"], "expires_at": services.clock() + lifetime}
            for row in customers
        ]
        services.database.write(lambda connection: connection.execute(insert(confirmation_token), keys))
    return [str(row["email"]) for row in customers]


def populate_signed_in(services: Services, number: int) -> list[SignedIn]:
    """Insert confirmed customers with a session each."""
    customers = [_new_row(services, "confirmed") for _ in range(number)]
    services.database.write(lambda connection: _write(connection, customers))
    return [_sign_in(services, row) for row in customers]


def _new_row(services: Services, state: str) -> dict[str, object]:
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
        "password_hash": UNKNOWN_HASH,
        "terms_accepted_at": now,
        "created_at": now,
        "updated_at": now,
        "confirmed_at": now if state == "confirmed" else None,
    }


def _write(connection: Connection, customers: Sequence[dict[str, object]]) -> None:
    connection.execute(insert(customer), customers)
    claims = [{"address": row["email"], "customer_id": row["id"]} for row in customers]
    connection.execute(insert(email_claim), claims)


def _sign_in(services: Services, row: dict[str, object]) -> SignedIn:
    customer_id, session_id, now = UUID(str(row["id"])), services.new_id(), services.clock()
    begun = {"id": session_id, "customer_id": customer_id, "created_at": now}
    services.database.write(lambda connection: connection.execute(insert(session).values(begun)))
    reference, ends_at = str(row["reference"]), now + services.sessions.longest
    grant = access_tokens.Grant(customer_id, reference, session_id, ends_at, now)
    return SignedIn(reference, access_tokens.issue(services, grant))
