"""Alerts: mails about the security of an account, each with a key by which its reader can say "this was not me"."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from registration.keys.link_keys import alert_key, digest
from registration.mail import outbox
from registration.mail.rendering import MailKind
from registration.services import Services
from registration.storage.database import insert_new
from registration.storage.tables import alert_token

LIFETIME = timedelta(days=7)
"""Of a key: a customer may read mails once a week, and an older mailbox must not govern the account for long."""


def enqueue_alert(
    connection: Connection,
    services: Services,
    kind: MailKind,
    customer_id: UUID,
    email: str,
    *,
    token_id: UUID | None = None,
    recipient: str | None = None,
    correlation_id: str = "",
    traceparent: str | None = None,
) -> None:
    """Promise an alert inside the caller's transaction.

    `email` is the customer's present address: the key gives it back if it is changed. See `outbox.enqueue` for the last
    three; `token_id` is a new one by default.
    """
    now, token_id = services.clock(), token_id or services.new_id()
    row = {
        "digest": digest(alert_key(services.secret, token_id)),
        "customer_id": customer_id,
        "email": email,
        "expires_at": now + LIFETIME,
    }
    insert_new(connection, alert_token, row)  # not `insert`: a commit whose answer was lost is run again
    outbox.enqueue(
        connection,
        kind=kind,
        customer_id=customer_id,
        token_id=token_id,
        now=now,
        recipient=recipient,
        correlation_id=correlation_id,
        traceparent=traceparent,
    )
