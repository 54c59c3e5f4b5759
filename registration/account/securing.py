"""Securing an account after "this was not me": every intruder is out, and the way back is the customer's mailbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from registration.account.email_change import move_address
from registration.addresses.claims import claim
from registration.addresses.holders import find_holder
from registration.addresses.pending import erase_pending
from registration.keys.link_keys import digest
from registration.keys.used_keys import KeyKind, remember_used
from registration.outcomes import Done, EmailTaken, SecuringOutcome, TokenRefused
from registration.passwords.reset import enqueue_reset_key
from registration.passwords.stored import store_password
from registration.records import audit
from registration.records.audit import AuditKind
from registration.rules.address import key_of_stored
from registration.services import Services
from registration.storage.tables import alert_token, customer, session

NO_PASSWORD = ""
"""A hash that no password has."""
FORGOTTEN = ""
"""`device_mark` after "this was not me": it matches no device. Null is that of sessions before there were marks."""


def is_alert_key(services: Services, key: str) -> bool:
    """Whether an account can be secured with this key. Changes nothing."""
    good = select(alert_token.c.digest).where(_is_good(key, services.clock()))
    return services.database.read(lambda connection: connection.execute(good).one_or_none()) is not None


def secure_account(services: Services, key: str, client_ip: str) -> SecuringOutcome:
    """Use a key up, and with it all others that were mailed to the customer before.

    Every session ends, the password does not work any more, each device is new again, and a mail leads to a new
    password. An address that was changed since the mail is changed back: the new one may be the intruder's. EmailTaken
    when another account has the address by now: the rest is done, but no mail is sent.
    """

    def work(connection: Connection) -> SecuringOutcome:
        now = services.clock()
        columns = (alert_token.c.customer_id, alert_token.c.email)
        alert = connection.execute(delete(alert_token).where(_is_good(key, now)).returning(*columns)).one_or_none()
        if alert is None:
            return TokenRefused()
        person = connection.execute(select(customer).where(customer.c.id == alert.customer_id).with_for_update()).one()
        others = delete(alert_token).where(alert_token.c.customer_id == person.id).returning(alert_token.c.digest)
        digests = [digest(key), *connection.scalars(others).all()]
        has_address = _give_address_back(connection, services, person, alert.email, client_ip)
        remember_used(connection, KeyKind.ALERT if has_address else KeyKind.ALERT_TAKEN, person.id, digests, now)
        store_password(connection, services, person.id, NO_PASSWORD, now)
        connection.execute(update(session).where(session.c.customer_id == person.id).values(device_mark=FORGOTTEN))
        audit.record(connection, services.new_id(), AuditKind.SECURE, person.id, now, client_ip=client_ip)
        if not has_address:
            return EmailTaken()
        enqueue_reset_key(connection, services, person.id, now)
        return Done()

    return services.database.write(work)


def _is_good(key: str, now: datetime) -> ColumnElement[bool]:
    return (alert_token.c.digest == digest(key)) & (alert_token.c.expires_at > now)


def _give_address_back(
    connection: Connection, services: Services, person: Row[Any], email: str, client_ip: str
) -> bool:
    """Give the customer the address of the mail again; False when another account has it.

    An account that waits for its confirmation is erased, as the owner of the mailbox could have it erased by its mail.
    """
    wanted, now = key_of_stored(email), services.clock()
    if wanted == key_of_stored(person.email):
        return True
    holder = find_holder(connection, wanted, now)
    if holder and not holder.is_confirmed:
        erase_pending(connection, holder.id)
    if not claim(connection, wanted, person.id, now):
        return False
    move_address(connection, services, person.id, email, client_ip)
    return True
