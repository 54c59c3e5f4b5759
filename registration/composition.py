"""From a job of the outbox to a mail: whether it is still needed, and what goes into it; it never sends."""

from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from sqlalchemy import Connection, Row, select

from registration.customer import customer_of
from registration.delivery import Refused
from registration.mails import Link, MailKind, render
from registration.outbox import Job
from registration.secret import Secret
from registration.tables import confirmation_token, customer
from registration.tokens import confirmation_key, digest


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody needs this mail any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a mail is made of, as the database has it now: it goes to the address stored there, and to no other."""

    customer: Row[Any] | None = field(repr=False)
    tokens: dict[str, datetime] = field(repr=False)  # digest to expiry


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes mails; `site` is the base of the storefront's links."""

    secret: Secret
    site: str
    sender: Address

    def compose(self, job: Job, facts: Facts, now: datetime) -> EmailMessage | Dropped | Refused:
        """The mail, or why there is none."""
        if facts.customer is None or facts.customer.first_name is None:
            return Dropped("the customer is gone")
        link: Link | None = None
        if job.kind == MailKind.CONFIRMATION:
            if facts.customer.confirmed_at:
                return Dropped("the address is confirmed")
            answer = self._link(job, facts.tokens, now)
            if isinstance(answer, Refused):
                return answer
            link = answer
        return render(
            job.id,
            MailKind(job.kind),
            customer_of(facts.customer),
            link=link,
            site=self.site,
            sender=self.sender,
            date=job.created_at,
        )

    def _link(self, job: Job, tokens: dict[str, datetime], now: datetime) -> Link | Refused:
        assert job.token_id is not None
        key = confirmation_key(self.secret, job.token_id)
        valid_until = tokens.get(digest(key))
        if tokens and valid_until is None:
            return Refused("the secret in GATEWAY_KEYS_DIR is not the one the customer signed up under")
        if valid_until is None or valid_until <= now:
            return Refused("the confirmation key expired before the mail could be sent")
        return Link(f"{self.site}/register/confirm?token={key}", valid_until)


def look_up(connection: Connection, job: Job) -> Facts:
    """Read the facts of a mail."""
    tokens = connection.execute(
        select(confirmation_token.c.digest, confirmation_token.c.expires_at).where(
            confirmation_token.c.customer_id == job.customer_id
        )
    )
    row = connection.execute(select(customer).where(customer.c.id == job.customer_id)).one_or_none()
    return Facts(row, {token.digest: token.expires_at for token in tokens})
