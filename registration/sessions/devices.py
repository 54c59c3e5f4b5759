"""Devices: what a session remembers of the browser or app that signed in, and whether the customer used it before."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from registration.keys.secret import Secret
from registration.limits.attempts import Limit, count_attempt
from registration.mail.rendering import MailKind
from registration.services import Services
from registration.sessions.alerts import enqueue_alert
from registration.storage.tables import session

LONGEST_USER_AGENT = 512
LONGEST_PLACE = 60
# A client that knows the password can name any device: no mailbox is flooded.
MAILS_OF_A_CUSTOMER = Limit(5, 3600)
# In this order: most browsers also name those that they descend from.
BROWSERS = {
    "Edge": r"\bEdg(e|A|iOS)?/",
    "Opera": r"\b(OPR|Opera)/",
    "Samsung Internet": r"\bSamsungBrowser/",
    "Firefox": r"\b(Firefox|FxiOS)/",
    "Chrome": r"\b(Chrome|CriOS)/",
    "Safari": r"\bVersion/.*\bSafari/",
}
SYSTEMS = {
    "iPhone": r"\biPhone\b",
    "iPad": r"\biPad\b",
    "Android": r"\bAndroid\b",
    "Windows": r"\bWindows\b",
    "ChromeOS": r"\bCrOS\b",
    "macOS": r"\bMacintosh\b",
    "Linux": r"\b(Linux|X11)\b",
}
MARKS = select(session.c.customer_id, session.c.device_mark).where(
    session.c.customer_id.in_(bindparam("owners", expanding=True))
)
NUMBERS = re.compile(r"[0-9._]+")


@dataclass(frozen=True, slots=True)
class Device:
    """What a request says about its device: the header User-Agent, and the place where a trusted proxy names one."""

    user_agent: str = field(default="", repr=False)
    place: str = field(default="", repr=False)


UNKNOWN = Device()


@dataclass(frozen=True, slots=True)
class Visit:
    """A sign-in of a customer on a device, which opens the session; with what a mail about it keeps of its request."""

    customer_row: Row[Any] = field(repr=False)
    session_id: UUID
    device: Device
    mark: str
    correlation_id: str = ""
    traceparent: str | None = None


def device_name(device: Device) -> str | None:
    """A name such as "Firefox (Linux)", made of known words only; None when none of them is recognised.

    It has no other words, because mails show it: a client can write anything into its User-Agent.
    """
    browser, system = (_first_in(device.user_agent[:LONGEST_USER_AGENT], words) for words in (BROWSERS, SYSTEMS))
    return f"{browser} ({system})" if browser and system else browser or system


def place_name(device: Device) -> str | None:
    """The place in characters that can be seen, at most 60; None without one."""
    seen = "".join(letter if letter.isprintable() else " " for letter in device.place)
    return " ".join(seen.split())[:LONGEST_PLACE].strip() or None


def device_mark(secret: Secret, customer_id: UUID, device: Device) -> str:
    """What a session keeps to recognise the device, at this place; it tells nothing without the secret.

    Numbers of the User-Agent do not count, because each update of a browser changes them.
    """
    known = NUMBERS.sub("", device.user_agent[:LONGEST_USER_AGENT])
    return secret.derive("device of a session", str(customer_id), known, place_name(device) or "")


def tell_of_new_devices(connection: Connection, services: Services, visits: Sequence[Visit]) -> None:
    """Enqueue a mail, inside the caller's transaction, for each visit unless its customer used the device before.

    Call it before the sessions are written, with the customers' rows locked. The first sign-in after the registration
    gets no mail: an account that is younger than the longest session still has all its sessions in the table.
    """
    known: dict[UUID, set[str | None]] = {visit.customer_row.id: set() for visit in visits}
    for customer_id, mark in connection.execute(MARKS, {"owners": list(known)}) if visits else ():
        known[customer_id].add(mark)
    now = services.clock()
    for visit in visits:
        marks_of_customer = known[visit.customer_row.id]
        if _is_new(services, visit, marks_of_customer, now):
            _tell(connection, services, visit, now)
        marks_of_customer.add(visit.mark)


def _is_new(services: Services, visit: Visit, known: Set[str | None], now: datetime) -> bool:
    # None is the mark of a session that was opened before there were marks.
    if visit.mark in known or None in known:
        return False
    if not known and now < visit.customer_row.created_at + services.sessions.longest:
        return False
    return known.isdisjoint(_marks(services.secret, visit.customer_row.id, visit.device))


def _tell(connection: Connection, services: Services, visit: Visit, now: datetime) -> None:
    customer_id = visit.customer_row.id
    key = services.secret.derive("new device mails of a customer", str(customer_id))
    if count_attempt(connection, key, MAILS_OF_A_CUSTOMER, now) is None:
        enqueue_alert(
            connection,
            services,
            MailKind.NEW_DEVICE,
            customer_id,
            visit.customer_row.email,
            token_id=visit.session_id,
            correlation_id=visit.correlation_id,
            traceparent=visit.traceparent,
        )


def _marks(secret: Secret, customer_id: UUID, device: Device) -> Iterable[str]:
    return [device_mark(version, customer_id, device) for version in secret.versions()]


def _first_in(user_agent: str, words: dict[str, str]) -> str | None:
    return next((name for name, pattern in words.items() if re.search(pattern, user_agent)), None)
