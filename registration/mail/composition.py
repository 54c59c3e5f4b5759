"""The composition of a mail from a job of the outbox: whether it is still needed, and what goes into it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.headerregistry import Address
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Table, bindparam, func, select

from registration.customer import customer_of
from registration.keys.handles import code_of
from registration.keys.link_keys import alert_key, confirmation_key, digest, email_change_key, export_key, reset_key
from registration.keys.secret import Secret
from registration.language import Language, in_language
from registration.mail.message import Message
from registration.mail.outbox import IS_WAITING, Job
from registration.mail.rendering import Link, MailKind, UsedDevice, render
from registration.mail.transport import AboutUs, Refused
from registration.shop import Shop
from registration.storage.tables import (
    alert_token,
    confirmation_token,
    customer,
    email_change,
    export_token,
    mail,
    reset_token,
    session,
)


@dataclass(frozen=True, slots=True)
class LinkKind:
    """Where the token of a link is stored, how its key is made, and the page that it opens.

    Without `is_needed` a mail whose key is over is sent without a link.
    """

    tokens: Table
    key: Callable[[Secret, UUID], str]
    path: str
    is_needed: bool = True


THIS_WAS_NOT_ME = LinkKind(alert_token, alert_key, "account/secure", is_needed=False)
LINKS = {
    MailKind.CONFIRMATION: LinkKind(confirmation_token, confirmation_key, "register/confirm"),
    MailKind.RESET: LinkKind(reset_token, reset_key, "password/restore"),
    MailKind.EMAIL_CHANGE: LinkKind(email_change, email_change_key, "register/confirm-email"),
    MailKind.DATA_EXPORT: LinkKind(export_token, export_key, "account/export"),
    MailKind.PASSWORD_CHANGED: THIS_WAS_NOT_ME,
    MailKind.EMAIL_CHANGE_NOTICE: THIS_WAS_NOT_ME,
    MailKind.NEW_DEVICE: THIS_WAS_NOT_ME,
}
# At most one such notice for each customer and hour; otherwise any client could flood a stranger's mailbox.
TOLD_EVERY = timedelta(hours=1)
AT_A_TIME = 500  # digests


@dataclass(frozen=True, slots=True)
class Dropped:
    """This mail is not needed any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a mail is made of, as the database has it now; it goes only to an address that is stored there."""

    customer: Row[Any] | None = field(repr=False)
    tokens: dict[str, datetime] = field(repr=False)  # digest to expiry
    new_email: str | None = field(repr=False)
    told_at: datetime | None = field(default=None, repr=False)  # when a mail of the kind was last sent
    is_next: bool = field(default=True, repr=False)  # no older mail of the kind waits
    used: UsedDevice = field(default=UsedDevice(), repr=False)
    coded: frozenset[str] = field(default=frozenset(), repr=False)  # digests of tokens with a code


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes mails; `site` is the base of the storefront's links."""

    secret: Secret
    site: str
    sender: Address
    code_in_subject: bool = False
    shop: Shop = field(default_factory=Shop)

    def compose(self, job: Job, facts: Facts, now: datetime) -> Message | Dropped | Refused | AboutUs:
        """The mail, or why there is none."""
        person, kind = facts.customer, MailKind(job.kind)
        if person is None or person.anonymized_at is not None:
            return Dropped("the customer is gone")
        if needless := _why_needless(kind, facts, now):
            return Dropped(needless)
        addressee = replace(customer_of(person), email=job.recipient or facts.new_email or person.email)
        link = self._link(LINKS[kind], job, facts, now, addressee.language) if kind in LINKS else None
        if isinstance(link, Refused | AboutUs):
            return link
        return render(
            job.id,
            kind,
            addressee,
            link=link,
            site=self.site,
            sender=self.sender,
            date=job.created_at,
            shop=self.shop,
            correlation_id=job.correlation_id,
            used=facts.used,
            code_in_subject=self.code_in_subject,
        )

    def _link(
        self, kind: LinkKind, job: Job, facts: Facts, now: datetime, language: Language
    ) -> Link | Refused | AboutUs | None:
        if job.token_id is None:  # an alert that was enqueued before revision 0009
            return None
        tokens = facts.tokens
        keys = {secret: kind.key(secret, job.token_id) for secret in self.secret.versions()}
        secret = next((secret for secret, key in keys.items() if digest(key) in tokens), self.secret)
        key = keys[secret]
        valid_until = tokens.get(digest(key))
        if not kind.is_needed and (valid_until is None or valid_until <= now):
            return None
        if tokens and valid_until is None:  # while the secret is rotated, another node may have it
            return AboutUs("no secret in GATEWAY_KEYS_DIR is the one that the key was made under", is_for_all=False)
        if valid_until is None or valid_until <= now:
            return Refused("the confirmation key expired before the mail could be sent")
        # The storefront's language, as the legacy contract has it (11); its _store names a shop, which we do not know.
        url = in_language(f"{self.site}/{kind.path}?token={key}", language)
        return Link(url, valid_until, code_of(secret, job.token_id) if digest(key) in facts.coded else None)


# Built once: SQLAlchemy builds and compares a statement with values in it anew for every execution.
PEOPLE = select(customer).where(customer.c.id.in_(bindparam("ids", expanding=True)))


@cache
def _tokens_of(table: Table) -> Select[Any]:
    return select(table).where(table.c.customer_id.in_(bindparam("ids", expanding=True)))


def look_up(connection: Connection, jobs: Sequence[Job]) -> dict[UUID, Facts]:
    """Read the facts of mails, by mail; one statement for each kind of fact."""
    ids = [job.customer_id for job in jobs]
    people = {row.id: row for row in connection.execute(PEOPLE, {"ids": ids})}
    facts = {job.id: Facts(people.get(job.customer_id), {}, None) for job in jobs}
    for kind in {job.kind for job in jobs}:
        alike = [job for job in jobs if job.kind == kind]
        if kind in LINKS:
            _add_tokens(connection, LINKS[MailKind(kind)].tokens, alike, facts)
        if kind == MailKind.ALREADY_REGISTERED:
            _add_told(connection, alike, facts)
        if kind == MailKind.NEW_DEVICE:
            _add_devices(connection, alike, facts)
    return facts


def _add_tokens(connection: Connection, table: Table, jobs: Sequence[Job], facts: dict[UUID, Facts]) -> None:
    tokens: dict[UUID, list[Row[Any]]] = {job.customer_id: [] for job in jobs}
    for row in connection.execute(_tokens_of(table), {"ids": list(tokens)}):
        tokens[row.customer_id].append(row)
    for job in jobs:
        found = tokens[job.customer_id]
        new_email = next((token.email for token in found), None) if table is email_change else None
        expiries = {token.digest: token.expires_at for token in found}
        coded = frozenset(token.digest for token in found if getattr(token, "code", None))
        facts[job.id] = replace(facts[job.id], tokens=expiries, new_email=new_email, coded=coded)


def _add_devices(connection: Connection, jobs: Sequence[Job], facts: dict[UUID, Facts]) -> None:
    columns = select(session.c.id, session.c.device, session.c.place)
    of_owners = session.c.customer_id.in_([job.customer_id for job in jobs])
    found = connection.execute(columns.where(of_owners, session.c.id.in_([job.token_id for job in jobs])))
    devices = {row.id: UsedDevice(row.device, row.place) for row in found}
    for job in jobs:
        facts[job.id] = replace(facts[job.id], used=devices.get(job.token_id, UsedDevice()))


def _add_told(connection: Connection, jobs: Sequence[Job], facts: dict[UUID, Facts]) -> None:
    """Add when a mail of the kind was last sent to the customer, and whether no older one waits."""
    owner, settled_at = mail.c.customer_id, mail.c.settled_at
    is_alike = owner.in_({job.customer_id for job in jobs}) & (mail.c.kind == MailKind.ALREADY_REGISTERED)
    last = select(owner, func.max(settled_at, type_=settled_at.type)).where(is_alike, mail.c.status == "sent")
    told: dict[UUID, datetime] = {row[0]: row[1] for row in connection.execute(last.group_by(owner))}
    waiting = select(owner, mail.c.id).where(is_alike, IS_WAITING).order_by(mail.c.created_at.desc(), mail.c.id.desc())
    first: dict[UUID, UUID] = {row[0]: row[1] for row in connection.execute(waiting)}
    for job in jobs:
        is_next = first.get(job.customer_id, job.id) == job.id
        facts[job.id] = replace(facts[job.id], told_at=told.get(job.customer_id), is_next=is_next)


def waiting_under(connection: Connection, secret: Secret) -> int:
    """How many mails wait whose keys only this secret derives."""
    count = 0
    for name, kind in LINKS.items():
        waiting = select(mail.c.token_id).where(IS_WAITING, mail.c.kind == name, mail.c.token_id.is_not(None))
        digests = [digest(kind.key(secret, token_id)) for token_id in connection.scalars(waiting)]
        found = kind.tokens.c.digest
        for some in (digests[first : first + AT_A_TIME] for first in range(0, len(digests), AT_A_TIME)):
            count += connection.execute(select(func.count()).where(found.in_(some))).scalar_one()
    return count


def _why_needless(kind: MailKind, facts: Facts, now: datetime) -> str | None:
    """Why a mail of this kind is not needed any more; None when it is."""
    assert facts.customer is not None
    match kind:
        case MailKind.CONFIRMATION if facts.customer.confirmed_at:
            return "the address is confirmed"
        case MailKind.RESET | MailKind.EMAIL_CHANGE | MailKind.DATA_EXPORT if not facts.tokens:
            return "the key was used or taken back"
        case MailKind.ALREADY_REGISTERED if not _is_time_to_tell(facts, now):
            return f"the customer was told less than {TOLD_EVERY} ago"
        case _:
            return None


def _is_time_to_tell(facts: Facts, now: datetime) -> bool:
    return facts.is_next and (facts.told_at is None or facts.told_at <= now - TOLD_EVERY)
