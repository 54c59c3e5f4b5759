"""The shop's own templates of mails: whether they can be used, tried with sample values before a start."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from uuid import UUID

from registration.customer import Customer
from registration.language import Language
from registration.mail.composition import LINKS
from registration.mail.rendering import TEMPLATES, Link, MailKind, UsedDevice, mail_templates, render
from registration.shop import Shop
from registration.templates import compile_own, faults_told

MOMENT = datetime(2026, 3, 5, 7, 9, tzinfo=UTC)
SITE = "https://shop.example"
CONFIRMED = Customer(
    id=UUID(int=1),
    reference="DE--1",
    email="ada@example.org",
    salutation=None,
    first_name="Ada",
    last_name="Lovelace",
    gender=None,
    date_of_birth=None,
    language=Language.EN,
    created_at=MOMENT,
    updated_at=MOMENT,
    confirmed_at=MOMENT,
)
PENDING = replace(CONFIRMED, first_name=None, last_name=None, confirmed_at=None)
"""A customer with as few attributes as possible."""


def try_mails(shop: Shop) -> None:
    """Render every kind of mail in every language, with as much in it as can be and as little. Raises TemplateFault."""
    if not shop.mail_templates:
        return
    own = Path(shop.mail_templates)
    compile_own(mail_templates(shop.mail_templates, escape=True), own, TEMPLATES)
    for kind in MailKind:
        for language in Language:
            for customer, link, used in _samples(kind):
                with faults_told(own):
                    render(
                        UUID(int=2),
                        kind,
                        replace(customer, language=language),
                        link=link,
                        site=SITE,
                        sender=Address("", "mail", "shop.example"),
                        date=MOMENT,
                        shop=shop,
                        used=used,
                    )


def _samples(kind: MailKind) -> Iterator[tuple[Customer, Link | None, UsedDevice]]:
    link = Link(f"{SITE}/{LINKS[kind].path}?token={'0' * 32}", MOMENT, "123456") if kind in LINKS else None
    yield CONFIRMED, link, UsedDevice("Firefox (Linux)", "Berlin")
    yield PENDING, replace(link, code=None) if link and LINKS[kind].is_needed else None, UsedDevice()
