"""What spam filters think of our mails."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address

import pytest

from registration.language import Language
from registration.mail.composition import LINKS
from registration.mail.message import Message
from registration.mail.rendering import Link, MailKind, UsedDevice, render
from registration.shop import Shop
from tests.registration.mail.messages import parsed
from tests.registration.mail.rspamd import Rspamd, rspamd_of_this_machine, running_rspamd
from tests.registration.mail.test_rendering import CAFE, ID, PLAIN, URL
from tests.registration.people import customer

MOST = 1.0
"""The score that no mail of ours may exceed; filters mark a mail from 6 on, and refuse it from 15 on."""


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rspamd]:
    program = rspamd_of_this_machine()
    with running_rspamd(program, tmp_path_factory.mktemp("rspamd")) as running:
        yield running


def fresh_mail(kind: MailKind, language: Language, shop: Shop, used: UsedDevice) -> Message:
    """A mail of now.

    The name of its sender is ASCII: in mails of languages without accents rspamd takes those in a name for another
    alphabet (0.7 to 1.3 points in English, Dutch and Arabic).
    """
    now = datetime.now(UTC)
    yesterday = now - timedelta(days=1)
    return render(
        ID,
        kind,
        customer(language=language, created_at=yesterday, confirmed_at=now),
        link=Link(f"{URL}&_locale={language.locale}", now + timedelta(days=1), "493021") if kind in LINKS else None,
        site="https://shop.example",
        sender=Address("The Shop", "mail", "shop.example"),
        date=now,
        shop=shop,
        used=used,
    )


@pytest.mark.parametrize("kind", MailKind)
def test_no_mail_looks_like_spam(rspamd: Rspamd, kind: MailKind) -> None:
    """No mail has more than a point, in any language, with the look of the shop or without."""
    bad = dict[object, object]()
    for language in Language:
        for shop, used in ((PLAIN, UsedDevice()), (CAFE, UsedDevice("Firefox (Linux)", "Île-de-France"))):
            scores = rspamd.scores(fresh_mail(kind, language, shop, used))
            if sum(scores.values()) > MOST:
                bad[language, shop.name] = scores
    assert bad == {}


def test_rspamd_finds_spam(rspamd: Rspamd) -> None:
    """A mail that leads elsewhere than it says, of no date, is found: the rules are there."""
    html = '<a href="https://evil.example/">https://shop.example/</a>'
    content = f"From: a@shop.example\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n{html}\r\n"
    scores = rspamd.scores(Message("mail@shop.example", "ada@example.org", content.encode()))
    assert {"MISSING_DATE", "MISSING_MID", "MISSING_TO", "PHISHING"} <= scores.keys()
    assert sum(scores.values()) > 6


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_a_mail_is_from_one_domain(kind: MailKind, language: Language) -> None:
    """From, envelope and Message-ID have one domain, as DMARC wants it (RFC 7489, 3.1); no mail is one of a list."""
    message = fresh_mail(kind, language, PLAIN, UsedDevice())
    read = parsed(message)
    [sender] = read["From"].addresses
    assert sender.addr_spec == message.sender
    assert read["Message-ID"] == f"<{ID}@{sender.domain}>"
    assert "Reply-To" not in read
    assert [name for name in read if name.startswith("List-")] == []
