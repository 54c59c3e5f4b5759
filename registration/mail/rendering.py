"""The contents of mails: rendered from a customer, in the customer's language."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.utils import format_datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from unicodedata import category, normalize
from urllib.parse import urlsplit
from uuid import UUID

from email_validator import validate_email
from jinja2 import Environment

from registration.customer import Customer
from registration.language import in_language, moment_in_words
from registration.mail.message import Message, alternatives, mailbox, unstructured
from registration.rules.address import PLAIN_DOMAIN, PLAIN_LOCAL
from registration.shop import Shop
from registration.templates import templates
from registration.texts import Text


class MailKind(StrEnum):
    """What a mail is for."""

    CONFIRMATION = "confirmation"
    WELCOME = "welcome"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGE_NOTICE = "email_change_notice"
    ALREADY_REGISTERED = "already_registered"
    NEW_DEVICE = "new_device"
    DATA_EXPORT = "data_export"


@dataclass(frozen=True, slots=True)
class Link:
    """A link with a key, which acts for any client that has it; a code does the same for the client with the handle."""

    url: str = field(repr=False)
    valid_until: datetime
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UsedDevice:
    """A device as people know it, and where it was; None for what is not known."""

    name: str | None = field(default=None, repr=False)
    place: str | None = field(default=None, repr=False)


SUBJECTS = {
    MailKind.CONFIRMATION: Text("Please confirm your e-mail address"),
    MailKind.WELCOME: Text("Your account is ready"),
    MailKind.RESET: Text("Choose a new password"),
    MailKind.PASSWORD_CHANGED: Text("Your password was changed"),
    MailKind.EMAIL_CHANGE: Text("Please confirm your new e-mail address"),
    MailKind.EMAIL_CHANGE_NOTICE: Text("Your e-mail address is about to change"),
    MailKind.ALREADY_REGISTERED: Text("There is an account with this address already"),
    MailKind.NEW_DEVICE: Text("A sign-in from a new device"),
    MailKind.DATA_EXPORT: Text("Your data"),
}
HELLO, HELLO_NAME = Text("Hello,"), Text("Hello %(name)s,")
TEMPLATES = Path(__file__).with_name("templates")
BLANK_LINES = re.compile(r"\n{3,}")
# Mail programs make links of these, or show them as other text: a sign-up must not send words of its own to a
# stranger. A dotted host is a dot with a character before it and two after it, so that "J. R. Smith" is none.
# U+115F and U+1160 are Hangul fillers: letters to Unicode, blanks to readers.
SUSPECT = re.compile(r"[:/<>\u061c\u115f\u1160\u200e\u200f\u202a-\u202e\u2066-\u2069]|[^\s.。][.。][^\s.。]{2}")
# A stranger can sign up with any name and any address: a greeting to an address that is not proven says no more.
SHORT_NAME_WORDS, SHORT_NAME_LENGTH = 2, 30
# A host under another script is given in its xn-- form.
SENDER = re.compile(
    r"""(?P<bracket>(?:"?(?P<name>[^<>"]*?)"?\s*)?<)?(?P<local>[\w.!#$%&'*+/=?^`{|}~-]+)@(?P<host>[\w.-]+)(?(bracket)>)""",
    re.ASCII,
)


def parse_sender(text: str) -> Address:
    """Read the From address, as `name@host` or `Name <name@host>`; raises ValueError with one line."""
    match = SENDER.fullmatch(text.strip())
    if not match or not text.isprintable():
        raise ValueError("must be an ASCII address with or without a name: Shop <mail@shop.example>")
    return Address(match["name"] or "", match["local"], match["host"])


def render(
    mail_id: UUID,
    kind: MailKind,
    customer: Customer,
    *,
    link: Link | None,
    site: str,
    sender: Address,
    date: datetime,
    shop: Shop,
    correlation_id: str | None = None,
    used: UsedDevice = UsedDevice(),
    code_in_subject: bool = False,
) -> Message:
    """The mail with a text and an HTML part, the same at every try; `site` is the base of the storefront's links.

    `used` is for a mail about a device, and `date` is then when it was used.
    """
    recipient = _recipient(customer.email)
    code, subject = link and link.code, SUBJECTS[kind][customer.language]
    encoded = unstructured(subject, "Subject: 123456:" if code else "Subject")
    headers = {
        "From": mailbox(sender.display_name, sender.addr_spec, "From"),
        "To": recipient,
        "Subject": f"{code}: {encoded}" if code and code_in_subject else encoded,
        "Date": format_datetime(date),
        "Message-ID": f"<{mail_id}@{sender.domain}>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": customer.language,
    }
    if correlation_id:
        headers["X-Correlation-ID"] = correlation_id
    words = _words(kind, customer, link, site=site, date=date, used=used)
    words |= {"subject": subject, "shop": shop, "sign_in_url": in_language(shop.sign_in_url, customer.language)}
    template = f"{kind}.mail"
    html = mail_templates(shop.mail_templates, escape=True).get_template(template).render(words, form="write.html")
    text = mail_templates(shop.mail_templates, escape=False).get_template(template).render(words, form="write.txt")
    text = BLANK_LINES.sub("\n\n", text).strip()
    return Message(sender.addr_spec, recipient, alternatives(headers, text, html, boundary=f"=_{mail_id}"))


def _words(
    kind: MailKind, customer: Customer, link: Link | None, *, site: str, date: datetime, used: UsedDevice
) -> dict[str, object]:
    return {
        "code": link and link.code,
        "language": customer.language,
        "greeting": _greeting(customer, is_proven=_is_proven(kind, customer)),
        "is_confirmed": customer.confirmed_at is not None,
        "site": urlsplit(site).netloc.rpartition("@")[2],
        "url": link.url if link else None,
        "valid_until": moment_in_words(link.valid_until, customer.language) if link else None,
        "used": used,
        "moment": moment_in_words(date, customer.language),
    }


def _greeting(customer: Customer, *, is_proven: bool) -> str:
    name = greeting_name(customer, is_proven=is_proven)
    return HELLO_NAME[customer.language] % {"name": name} if name else HELLO[customer.language]


def greeting_name(customer: Customer, *, is_proven: bool) -> str:
    """First and last name as far as they are known; nothing when a mail program could take them for a link or for text.

    Nothing either when they could be a message of the client that typed them, unless the address is proven.
    """
    name = " ".join(f"{customer.first_name or ''} {customer.last_name or ''}".split())
    return name if (is_proven or _is_short_name(name)) and not SUSPECT.search(normalize("NFKC", name)) else ""


def _is_short_name(name: str) -> bool:
    """Whether a text is too short, and of too few words, to be a message: letters and accents, and one space."""
    words = name.split(" ")
    is_letters = all(category(letter)[0] in "LM" for word in words for letter in word)
    return is_letters and len(words) <= SHORT_NAME_WORDS and len(name) <= SHORT_NAME_LENGTH


def _is_proven(kind: MailKind, customer: Customer) -> bool:
    """Whether the reader of the mail is the customer: a mailbox counts as the customer's after a confirmation.

    Without confirmations customers are confirmed when they are created, which proves nothing.
    """
    return kind is not MailKind.EMAIL_CHANGE and (customer.confirmed_at or customer.created_at) > customer.created_at


def _recipient(email: str) -> str:
    """The address with its host in ASCII, so that only a non-ASCII local part asks the mail server for SMTPUTF8."""
    local, _, domain = email.rpartition("@")
    if PLAIN_LOCAL.fullmatch(local) and PLAIN_DOMAIN.fullmatch(domain):
        return f"{local}@{domain.lower()}"
    address = validate_email(email, check_deliverability=False, test_environment=True)
    return f"{address.local_part}@{address.ascii_domain}"


@cache
def mail_templates(own: str, *, escape: bool) -> Environment:
    """The templates of mails, for the HTML part with `escape`; those in the directory `own` are taken instead."""
    return templates(TEMPLATES, own=own, escape=escape)
