"""Mails as customers and mail servers get them."""

import re
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest

from registration.language import Language, moment_in_words
from registration.mail import rendering
from registration.mail.composition import LINKS
from registration.mail.message import Message
from registration.mail.rendering import HELLO_NAME, Link, MailKind, greeting_name, parse_sender, render
from registration.shop import Shop
from tests.registration.mail.messages import parsed
from tests.registration.people import NOW, customer

ID = UUID("2c1b5bd5-6d3c-4a4c-8f7f-2f2f0b7d9a10")
KEY = "0123456789abcdef0123456789abcdef"
SITE = "https://shop.example"
URL = f"{SITE}/register/confirm?token={KEY}"
SENDER = Address("Shop", "mail", "shop.example")
PLAIN = Shop()
CAFE = Shop(
    name="Café <Ünal>",
    color="#ffd500",
    mail_logo="https://shop.example/logo.png?a=1&b=2",
    footer="Café Ünal GmbH, Berlin",
    sign_in_url="https://shop.example/login",
)
STYLE = Path(__file__).parents[3] / "graphql_api" / "pages" / "templates" / "style.css"
WRITE = Path(rendering.__file__).parent / "templates" / "write.html"


def written(
    kind: MailKind = MailKind.CONFIRMATION, *, site: str = SITE, shop: Shop = PLAIN, **changes: object
) -> Message:
    """The mail as a sender gets it."""
    link = Link(URL, NOW) if kind in LINKS else None
    return render(ID, kind, customer(**changes), link=link, site=site, sender=SENDER, date=NOW, shop=shop)


def mail(
    kind: MailKind = MailKind.CONFIRMATION, *, site: str = SITE, shop: Shop = PLAIN, **changes: object
) -> EmailMessage:
    """The mail as it arrives."""
    return parsed(written(kind, site=site, shop=shop, **changes))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_has_its_headers() -> None:
    """A mail has the headers that it needs, and none from a customer's data but the address."""
    headers = dict(mail(first_name="Bcc: eve@example.org", last_name="x").items())
    assert headers.pop("Content-Type").startswith("multipart/alternative; boundary=")
    assert headers == {
        "From": "Shop <mail@shop.example>",
        "To": "ada@example.org",
        "Subject": "Please confirm your e-mail address",
        "Date": "Thu, 05 Mar 2026 07:09:00 +0000",
        "Message-ID": f"<{ID}@shop.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_speaks_every_language(kind: MailKind, language: Language) -> None:
    """Each kind of mail has a subject, a text and an HTML part in each language, and names the language in both."""
    message = mail(kind, language=language)
    assert message["Content-Language"] == language
    assert f'<html lang="{language}" dir="{language.direction}">' in part(message, "html")
    assert message["Subject"] in part(message, "html")
    greeting = HELLO_NAME[language] % {"name": "Ada Lovelace"}
    assert part(message, "plain").startswith(greeting)
    assert greeting in part(message, "html")
    assert "shop.example" in part(message, "plain")


@pytest.mark.parametrize(
    ("language", "moment"),
    [(Language.EN, "until 5 March 2026, 07:09 UTC"), (Language("de"), "bis 5. März 2026, 07:09 UTC")],
)
def test_a_confirmation_has_the_link_and_its_end(language: Language, moment: str) -> None:
    """Both parts of a confirmation hold the link, its end, and how to disown the account."""
    message = mail(language=language)
    for kind in ("plain", "html"):
        assert URL in part(message, kind)
        assert moment in part(message, kind)
        assert {Language.EN: "This was not me", Language("de"): "Das war ich nicht"}[language] in part(message, kind)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_a_link_is_in_the_mails_that_need_one(kind: MailKind, language: Language) -> None:
    """The kinds of mail with a link have it in both parts, with its end; the others have no link."""
    message = mail(kind, language=language)
    moment = moment_in_words(NOW, language)
    for form in ("plain", "html"):
        assert (URL in part(message, form)) == (kind in LINKS)
        assert kind not in LINKS or moment in part(message, form)
        assert ("http" in part(message, form)) == (kind in LINKS)


def test_the_text_can_be_read_without_decoding() -> None:
    """An ASCII mail is not encoded, so that its link can be copied from the raw file."""
    assert URL.encode() in written().content


@pytest.mark.parametrize("kind", MailKind)
def test_the_html_fetches_nothing(kind: MailKind) -> None:
    """The HTML part loads nothing and has no script."""
    assert not re.search(r"<(img|script|link|iframe|form|object)|@import|url\(", part(mail(kind), "html"))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_the_shop_is_in_every_mail(kind: MailKind, language: Language) -> None:
    """Both parts name the shop and its footer; the HTML part has its logo, and its colours on buttons."""
    message = mail(kind, language=language, shop=CAFE)
    html, text = part(message, "html"), part(message, "plain")
    assert '<img src="https://shop.example/logo.png?a=1&amp;b=2" alt="Café &lt;Ünal&gt;"' in html
    assert "Café Ünal GmbH, Berlin" in html
    assert text.endswith("\nCafé <Ünal>\nCafé Ünal GmbH, Berlin\n")
    assert ("background:#ffd500;color:#000000" in html) == (kind in LINKS or kind is MailKind.WELCOME)


def test_without_a_logo_the_name_is_shown() -> None:
    """A shop with a name and no logo for mails has its name above the text, and no image."""
    html = part(mail(shop=Shop(name="Café <Ünal>")), "html")
    assert "\nCafé &lt;Ünal&gt;\n" in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("kind", "confirmed_at", "leads"),
    [
        (MailKind.WELCOME, NOW, True),
        (MailKind.ALREADY_REGISTERED, NOW, True),
        (MailKind.ALREADY_REGISTERED, None, False),
        (MailKind.RESET, NOW, False),
    ],
)
def test_mails_that_invite_to_sign_in_lead_there(kind: MailKind, confirmed_at: datetime | None, leads: bool) -> None:
    """Where the reader can sign in, both parts have the sign-in page in the reader's language."""
    message = mail(kind, shop=CAFE, language=Language("de"), confirmed_at=confirmed_at)
    for form in ("plain", "html"):
        assert ("https://shop.example/login?_locale=de_DE" in part(message, form)) == leads
    assert (">Anmelden</a>" in part(message, "html")) == leads


def test_mails_have_the_colours_of_pages() -> None:
    """Each colour of a mail is one of the style sheet of pages; white is written in full, for old mail programs."""
    colours = set(re.findall(r"#[0-9a-f]{6}\b", WRITE.read_text()))
    assert len(colours) > 10
    assert colours - set(re.findall(r"#[0-9a-f]{6}\b", STYLE.read_text())) == {"#ffffff"}


def test_markup_in_a_name_is_shown_as_text() -> None:
    """Markup in a name is escaped in the HTML part."""
    proven = NOW + timedelta(days=1)
    html = part(mail(MailKind.WELCOME, first_name='"A&B"', last_name="O'Hara", confirmed_at=proven), "html")
    assert "Hello &#34;A&amp;B&#34; O&#39;Hara," in html


@pytest.mark.parametrize(
    ("first_name", "last_name"),
    [
        ("see http://evil.example", "now"),
        ("evil.example", "x"),
        ("visit", "1.23.4.56"),
        ("a/b", "c"),
        ("a: b", "c"),
        ("<b>", "c"),
        ("c", "b>"),
        ("full\uff0ewidth", "x"),
        ("ideographic\u3002stop", "x"),
        ("half\uff61width", "x"),
        ("one\u2024dot", "leader"),
        ("\u202eadA", "x"),
        ("\u200fA", "x"),
        ("\u2066A", "x"),
        ("\u061cA", "x"),
    ],
)
def test_a_name_that_looks_like_a_link_is_left_out(first_name: str, last_name: str) -> None:
    """A name that a mail program could turn into a link or show as other text is in neither part."""
    message = mail(first_name=first_name, last_name=last_name)
    assert part(message, "plain").startswith("Hello,\n")
    assert "<p>Hello,</p>" in part(message, "html")


@pytest.mark.parametrize(
    "name",
    ["J. R. R.", "J.R.R.", "Anne-Marie", "O'Neil", "李", "Ünal", "St. John", "עדה", "🦊", "María de los Ángeles"],
)
def test_an_ordinary_name_is_greeted(name: str) -> None:
    """At a proven address a name with initials, accents, other scripts, many words or emoji is greeted."""
    assert greeting_name(customer(first_name=name), is_proven=True) == f"{name} Lovelace"


@pytest.mark.parametrize("name", ["Ada", "李", "Ünal", "A\u0308nne", "עדה", "अदिति", "x" * 21])
def test_a_short_name_is_greeted(name: str) -> None:
    """Two words of letters, with accents and in any script, greet an address that is not proven."""
    assert part(mail(first_name=name), "plain").startswith(f"Hello {name} Lovelace,\n")


@pytest.mark.parametrize(
    "name",
    [
        "URGENT your account is suspended call +49 900 123456",
        "Call now",
        "Call-now",
        "0900",
        "Call\u00a0now",
        "Call\u200bnow",
        "Call\u115fnow",
        "Call\u3164now",
        "Call\uffa0now",
        "🦊",
        "O'Neil",
        "x" * 22,
    ],
)
@pytest.mark.parametrize(
    ("kind", "confirmed_at"),
    [
        (MailKind.CONFIRMATION, None),
        (MailKind.ALREADY_REGISTERED, None),
        (MailKind.EMAIL_CHANGE, NOW + timedelta(days=1)),
        (MailKind.WELCOME, NOW),
    ],
)
def test_a_name_that_could_be_a_message_greets_no_unproven_address(
    name: str, kind: MailKind, confirmed_at: datetime | None
) -> None:
    """More than two words, 30 characters, or other characters than letters are in no mail before a proof."""
    message = mail(kind, first_name=name, confirmed_at=confirmed_at)
    for form in ("plain", "html"):
        assert name not in part(message, form)
        assert "Lovelace" not in part(message, form)
    assert part(message, "plain").startswith("Hello,\n")


@pytest.mark.parametrize("kind", [MailKind.WELCOME, MailKind.EMAIL_CHANGE_NOTICE])
def test_a_name_of_any_length_greets_a_proven_address(kind: MailKind) -> None:
    """After the confirmation of the address a long name is greeted."""
    message = mail(kind, first_name="María de los Ángeles", confirmed_at=NOW + timedelta(seconds=1))
    assert part(message, "plain").startswith("Hello María de los Ángeles Lovelace,\n")


def test_white_space_in_a_name_is_one_space() -> None:
    """White space in a name becomes one space, so that no name breaks a line of the mail."""
    person = customer(first_name="Ada\u2028\u00a0 Augusta", last_name=" King ")
    assert greeting_name(person, is_proven=True) == "Ada Augusta King"


def test_a_very_long_name_keeps_lines_legal() -> None:
    """No line of a mail has more than 998 characters, however long the name is in HTML."""
    proven = NOW + timedelta(days=1)
    message = written(MailKind.WELCOME, first_name="'" * 100, last_name='"' * 100, confirmed_at=proven)
    assert max(map(len, message.content.split(b"\r\n"))) <= 998
    assert "&#39;" * 100 in part(parsed(message), "html")


def test_an_international_host_needs_no_international_server() -> None:
    """The host of an address is sent in its ASCII form, which every mail server accepts."""
    message = mail(email="Ada@Bücher.example", language=Language("de"))
    assert message["To"] == "Ada@xn--bcher-kva.example"
    assert written(email="Ada@Bücher.example").content.isascii()


def test_an_international_mailbox_is_written_in_utf8() -> None:
    """A local part outside ASCII is written in UTF-8."""
    message = written(MailKind.WELCOME, email="jörg@bücher.example")
    assert "To: jörg@xn--bcher-kva.example\r\n".encode() in message.content


def test_credentials_in_the_storefront_address_stay_out() -> None:
    """A mail names only the host and the port of the storefront's URL."""
    message = written(MailKind.WELCOME, site="https://user:secret@shop.example:8443/de")
    assert "at shop.example:8443 is ready" in part(parsed(message), "plain")


def test_repr_of_a_link_holds_no_key() -> None:
    """The repr of a link does not hold its key."""
    assert KEY not in repr(Link(URL, NOW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail@shop.example", Address("", "mail", "shop.example")),
        ("<mail@shop.example>", Address("", "mail", "shop.example")),
        ("Registration <registration@localhost>", Address("Registration", "registration", "localhost")),
        ('"Müller, Söhne" <no-reply+x@shop.example>', Address("Müller, Söhne", "no-reply+x", "shop.example")),
    ],
)
def test_a_sender_is_read(text: str, expected: Address) -> None:
    """A sender is an address with or without a name, quoted or not."""
    assert parse_sender(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "a@b@c",
        "Shop mail@shop.example",
        "Shop <mail@shop.example",
        "mail@shop.example>",
        "ä@shop.example",
        "mail@bücher.example",
        "Shop\nBcc: x@y.example <a@b.example>",
        "a b@c.example",
        "<a@b.example>, <c@d.example>",
    ],
)
def test_a_wrong_sender_is_refused(text: str) -> None:
    """Any other text raises ValueError with one line."""
    with pytest.raises(ValueError, match=r"^must be an ASCII address[^\n]*$"):
        parse_sender(text)


def test_mails_greet_customers_without_a_name() -> None:
    """A mail to a customer who told no name, or only one of two, greets with what there is."""
    assert part(mail(first_name=None, last_name=None), "plain").startswith("Hello,\n")
    assert part(mail(first_name=None), "plain").startswith("Hello Lovelace,\n")
