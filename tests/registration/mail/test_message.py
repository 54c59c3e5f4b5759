"""The bytes of mails, as the standard library reads them."""

import re
from datetime import timedelta
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import unquote
from html import unescape

import pytest
from email_validator import EmailNotValidError
from hypothesis import given
from hypothesis import strategies as st

from registration.language import Language
from registration.mail.composition import LINKS
from registration.mail.message import LONGEST_LINE, Message, alternatives, mailbox
from registration.mail.rendering import SUBJECTS, Link, MailKind, UsedDevice, render
from tests.registration.mail.messages import parsed
from tests.registration.mail.test_rendering import CAFE, ID, URL, part
from tests.registration.people import NOW, customer

CAFE_SENDER = Address("Café Ünal, Blumen & mehr", "mail", "shop.example")
# Texts of people, and whatever mail servers and readers stumble over.
LINES = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))),
    st.sampled_from([".", "..", "=", "=20", "a ", " ", "From x", "--=_x", "x" * 997, "ü" * 997, "x" * 999, ". " * 500]),
)


@given(text=st.lists(LINES, min_size=1), html=st.lists(LINES, min_size=1))
def test_parts_arrive_as_they_were_written(text: list[str], html: list[str]) -> None:
    """Whatever the texts are, both parts are read as they were written, from legal lines of ASCII."""
    written = {"plain": "\n".join(text) + "\n", "html": "\n".join(html) + "\n"}
    content = alternatives({"Subject": "x"}, written["plain"], written["html"], f"=_{ID}")
    message = parsed(Message("", "", content))
    assert {kind: part(message, kind) for kind in written} == written
    assert [each.defects for each in message.walk()] == [[], [], []]
    assert content.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= LONGEST_LINE


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_headers_arrive_as_they_were_meant(kind: MailKind, language: Language) -> None:
    """Subject, sender, recipient, date and ids are read as they were meant, from lines of at most 78 characters."""
    message = rendered(kind, language)
    read = parsed(message)
    subject = SUBJECTS[kind][language]
    assert read["From"].addresses == (CAFE_SENDER,)
    assert read["To"] == "ada@example.org"
    assert read["Subject"] == (f"123456: {subject}" if kind in LINKS else subject)
    assert read["Date"].datetime == NOW
    assert read["Message-ID"] == f"<{ID}@shop.example>"
    assert read["X-Correlation-ID"] == "0123456789abcdef"
    assert read["Content-Language"] == language
    assert [each.defects for each in read.walk()] == [[], [], []]
    assert max(map(len, message.content.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert (message.sender, message.recipient) == ("mail@shop.example", "ada@example.org")
    assert not message.needs_smtputf8


@pytest.mark.parametrize("name", ["", "Shop", 'The "Shop", No. 1', "Blumen, Köln", "شركة " * 30 + "!", "花屋" * 40])
def test_any_name_can_send(name: str) -> None:
    """A sender's name is read as it was set, however long it is."""
    value = mailbox(name, "mail@shop.example", "From")
    phrase, _, address = value.rpartition("<") if name else ("", "", value)
    assert address.rstrip(">") == "mail@shop.example"
    assert value.isascii()
    # Not by the newer parser, which in Python 3.11 puts spaces between encoded words of a name.
    assert unquote(str(make_header(decode_header(phrase.strip())))) == name


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_an_international_mail_differs_in_its_recipient_only(kind: MailKind, language: Language) -> None:
    """A mail to a mailbox outside ASCII needs SMTPUTF8, and is otherwise, byte for byte, the mail to any other."""
    message, other = rendered(kind, language, email="jörg@bücher.example"), rendered(kind, language)
    assert message.recipient == "jörg@xn--bcher-kva.example"
    assert message.needs_smtputf8
    assert message.content == other.content.replace(b"To: ada@example.org", f"To: {message.recipient}".encode())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_both_parts_say_the_same(kind: MailKind, language: Language) -> None:
    """Every word of the plain text stands in the HTML part, too, in the same order."""
    message = parsed(rendered(kind, language))
    html = words_of_html(message)
    for word in part(message, "plain").partition(CAFE.name)[0].split():
        assert word in html, word
        html = html[html.index(word) + 1 :]


def words_of_html(message: EmailMessage) -> list[str]:
    body = re.sub(r"(?s)^.*</h1>", "", part(message, "html"))
    return unescape(re.sub(r"<(?!br)[^>]*>", "", body).replace("<br>", " ")).split()


@pytest.mark.parametrize("email", ["ada@example.org\r\nBcc: eve@example.org", "ada", "a b@example.org", "@example.org"])
def test_a_damaged_address_is_not_written(email: str) -> None:
    """What is no address, as in a damaged row, raises instead of becoming a header."""
    with pytest.raises(EmailNotValidError):
        rendered(MailKind.WELCOME, Language.EN, email=email)


def rendered(kind: MailKind, language: Language, *, email: str = "ada@example.org") -> Message:
    return render(
        ID,
        kind,
        customer(language=language, email=email, confirmed_at=NOW + timedelta(days=1)),
        link=Link(URL, NOW, "123456") if kind in LINKS else None,
        site="https://shop.example",
        sender=CAFE_SENDER,
        date=NOW,
        shop=CAFE,
        correlation_id="0123456789abcdef",
        used=UsedDevice("Firefox (Linux)", "Île-de-France"),
        code_in_subject=True,
    )
