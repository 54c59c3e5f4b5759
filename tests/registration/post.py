"""Mails as they arrive: the real relay sends what waits in the outbox into files."""

import re
from collections.abc import Callable
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from random import Random
from typing import TypeAlias

from registration.mail.composition import Composer
from registration.mail.relay import Relay
from registration.mail.senders import open_sender
from registration.services import Services

SITE = "https://shop.example"
Deliver: TypeAlias = Callable[[], list[EmailMessage]]
"""Sends the mails that are due; returns the messages that arrived, in the order of their subjects."""


def deliver(services: Services, directory: Path) -> list[EmailMessage]:
    composer = Composer(services.secret, SITE, Address("Shop", "mail", "shop.example"))
    sender = open_sender(directory.as_uri())
    Relay(services.database, composer, [sender], clock=services.clock, random=Random(1)).run_once()  # noqa: S311 - jitter
    arrived = []
    for path in directory.glob("*.eml"):
        arrived.append(message_from_bytes(path.read_bytes(), EmailMessage, policy=default))
        path.unlink()
    return sorted(arrived, key=lambda message: str(message["Subject"]))


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def key_in(message: EmailMessage, path: str) -> str:
    """The key in a mail's link to this page."""
    found = re.search(
        rf"^{SITE}/{path}\?token=([0-9a-f]{{32}})&_locale=[a-z]{{2}}_[A-Z]{{2}}$", text_of(message), re.MULTILINE
    )
    assert found, text_of(message)
    return found[1]
