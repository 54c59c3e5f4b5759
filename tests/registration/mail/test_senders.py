"""Senders against real mail servers on the loopback interface, correct ones and faulty ones."""

import ssl
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from traceback import format_exception
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from aiosmtpd import smtp as aiosmtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from harness.certificate import server_context
from harness.ports import HOST, free_port
from registration.mail.message import Message
from registration.mail.senders import open_sender, open_senders
from registration.mail.smtp import LACKS_SMTPUTF8, LONGEST_REPLY
from registration.mail.transport import AboutUs, Broken, Deferred, Outcome, Refused, Sent, Unknown
from tests.registration.mail.messages import short_message
from tests.registration.mail.scripted_server import Replies, Script

ID = UUID("2c1b5bd5-6d3c-4a4c-8f7f-2f2f0b7d9a10")
NO_END = "SMTPServerDisconnected: Connection unexpectedly closed: the reply has too many lines"
USER, PASSWORD = "shop@example.org", "p@ss:w/rd #1%"


def send(url: str, *mails: Message, context: ssl.SSLContext | None = None) -> list[Outcome]:
    """The outcomes of these mails, sent in one session."""
    with open_sender(url, context).session() as session:
        return [session.send(ID, message) for message in mails]


class Mailbox:
    """A handler of aiosmtpd that keeps the mails it gets."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.user: object = None

    async def handle_DATA(self, server: aiosmtp.SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.envelopes.append(envelope)
        self.user = session.auth_data
        return "250 kept"


@contextmanager
def listening(mailbox: Mailbox, **options: Any) -> Iterator[str]:
    """A correct server; its host and port."""
    controller = Controller(mailbox, hostname=HOST, port=free_port(), **options)
    controller.start()
    try:
        yield f"{HOST}:{controller.port}"
    finally:
        controller.stop()


def accept_password(*arguments: Any) -> AuthResult:
    data = arguments[-1]
    assert isinstance(data, LoginPassword)
    right = data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False, auth_data=data.login.decode())


def test_a_mail_arrives_whole() -> None:
    """The server gets the envelope and every byte of the mail, over one connection for all mails."""
    mailbox = Mailbox()
    with listening(mailbox) as place:
        assert send(f"smtp://{place}", short_message(), short_message("bob@example.org")) == [Sent(), Sent()]
    first, second = mailbox.envelopes
    assert (first.mail_from, first.rcpt_tos, second.rcpt_tos) == (
        "shop@example.org",
        ["ada@example.org"],
        ["bob@example.org"],
    )
    assert first.original_content == short_message().content
    assert first.smtp_utf8 is False


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_mail_travels_encrypted_and_signed_in(scheme: str, tmp_path: Path) -> None:
    """With TLS from the start and by STARTTLS, user and password of the URL are used, decoded."""
    server = server_context(tmp_path)
    tls = {"ssl_context": server} if scheme == "smtps" else {"tls_context": server, "require_starttls": True}
    mailbox = Mailbox()
    # aiosmtpd counts only STARTTLS as TLS.
    with listening(mailbox, authenticator=accept_password, auth_require_tls=scheme != "smtps", **tls) as place:
        url = f"{scheme}://{quote(USER)}:{quote(PASSWORD, safe='')}@{place}"
        context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        assert send(url, short_message(), context=context) == [Sent()]
    assert mailbox.user == USER


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize("fault", ["unknown", "expired", "other host"])
def test_a_server_with_a_wrong_certificate_gets_nothing(scheme: str, fault: str, tmp_path: Path) -> None:
    """A server with a self-signed, expired or foreign certificate gets no mail and is about us: mails wait."""
    server = server_context(
        tmp_path,
        host=b"\x7f\0\0\x02" if fault == "other host" else b"\x7f\0\0\x01",
        days=-1 if fault == "expired" else 1,
    )
    tls = {"ssl_context": server} if scheme == "smtps" else {"tls_context": server}
    context = ssl.create_default_context(cafile=None if fault == "unknown" else tmp_path / "cert.pem")
    mailbox = Mailbox()
    with listening(mailbox, **tls) as place:
        [outcome] = send(f"{scheme}://{place}", short_message(), context=context)
    assert isinstance(outcome, AboutUs)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason
    assert mailbox.envelopes == []


def test_verification_is_on_by_default() -> None:
    """Without a context of the caller, certificates and host names are checked."""
    context = open_sender("smtps://mail.example").context  # type: ignore[attr-defined]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("options", "scheme", "reason"),
    [
        ({"authenticator": accept_password, "auth_require_tls": False}, "smtp", "sign-in refused: 535 5.7.8"),
        ({}, "smtp", "SMTP AUTH extension not supported"),
        ({}, "smtp+starttls", "STARTTLS extension not supported"),
    ],
)
def test_an_operators_mistake_gives_no_mail_up(options: dict[str, Any], scheme: str, reason: str) -> None:
    """A wrong password, or a server that lacks what the URL demands, is about us: mails wait."""
    with listening(Mailbox(), **options) as place:
        [outcome] = send(f"{scheme}://user:wrong@{place}", short_message())
    assert isinstance(outcome, AboutUs)
    assert reason in outcome.reason
    assert "wrong" not in outcome.reason


def test_an_international_mailbox_needs_the_extension() -> None:
    """A local part outside ASCII is sent by SMTPUTF8, and refused for good where the server lacks it."""
    mailbox = Mailbox()
    with listening(mailbox, enable_SMTPUTF8=True) as place:
        assert send(f"smtp://{place}", short_message("jörg@example.org")) == [Sent()]
    [envelope] = mailbox.envelopes
    assert (envelope.rcpt_tos, envelope.smtp_utf8) == (["jörg@example.org"], True)
    with listening(mailbox, enable_SMTPUTF8=False) as place:
        outcomes = send(f"smtp://{place}", short_message("jörg@example.org"), short_message())
    assert outcomes == [Refused(LACKS_SMTPUTF8), Sent()]


@pytest.mark.parametrize(("verb", "step"), [("RCPT", "recipient"), ("DATA", "DATA"), (".", "content")])
def test_a_refusal_is_of_one_mail(verb: str, step: str) -> None:
    """When a 5xx code refuses a recipient or a 4xx code defers one, the mail after it is sent."""
    for code, kind in (("550", Refused), ("451", Deferred)):
        refusal = f"{code} {code[0]}.1.1 <ada@example.org>: secret-key is not welcome"
        again: list[str | None] = [refusal, str(Script.POLITE[verb])]
        with Script({verb: again}) as server:
            outcomes = send(server.url, short_message(), short_message())
            assert outcomes == [kind(f"{step} refused: {code} {code[0]}.1.1"), Sent()]
            assert server.connections == 1


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_a_missing_password_gives_no_mail_up(verb: str) -> None:
    """A server that demands a sign-in is about us, whatever the step."""
    with Script({verb: "530 5.7.0 sign in first"}) as server:
        [outcome] = send(server.url, short_message())
    assert isinstance(outcome, AboutUs)
    assert outcome.reason.endswith("530 5.7.0")


def test_a_refused_sender_is_about_us() -> None:
    """A server that refuses our sender refuses every mail of ours, until an operator acts."""
    with Script({"MAIL": "553 5.7.1 <shop@example.org>: not owned by user"}) as server:
        outcomes = send(server.url, short_message(), short_message())
    assert outcomes == [AboutUs("sender refused: 553 5.7.1", is_for_all=True, is_lasting=True)] * 2


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"GREET": None}, "connection failed: SMTPServerDisconnected: Connection unexpectedly closed"),
        ({"GREET": "554 go away"}, "connection refused: 554"),
        ({"GREET": "421 4.3.2 too busy"}, "connection refused: 421 4.3.2"),
        ({"GREET": "what?"}, "connection failed: not a reply of SMTP"),
        ({"GREET": "220 hello", "EHLO": None}, "EHLO failed: SMTPServerDisconnected: Connection unexpectedly closed"),
        ({"EHLO": "500 what?", "HELO": "502 5.5.1 what?"}, "EHLO refused: 502 5.5.1"),
        ({"MAIL": "421 too busy"}, "sender refused: 421"),
        ({"RCPT": "421 too busy"}, "recipient refused: 421"),
        ({".": "421 too busy"}, "content refused: 421"),
    ],
)
def test_a_server_that_takes_no_mail_is_about_us(script: Replies, reason: str) -> None:
    """A server that does not come as far as the first mail, or closes the connection by 421, does so for any mail."""
    with Script(script) as server:
        [outcome] = send(server.url, short_message())
        assert outcome == AboutUs(reason, is_for_all=True, is_lasting="421" not in reason)
        assert server.connections == 1


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("reply", [None, "what?", "250 " + "x" * 10_000])
def test_a_connection_that_breaks_early_has_carried_no_mail(verb: str, reply: str | None) -> None:
    """When the server hangs up or talks nonsense before the content, the mail has not arrived; the next connects."""
    with Script({verb: reply}, {}) as server:
        outcomes = send(server.url, short_message(), short_message())
        assert [type(outcome) for outcome in outcomes] == [Broken, Sent]
        assert server.connections == 2


@pytest.mark.parametrize("reply", [None, "what?", "500 " + "x" * 10_000])
def test_a_connection_that_breaks_late_may_have_carried_the_mail(reply: str | None) -> None:
    """When the server was sent the content and hangs up, or talks nonsense, it may have kept the mail."""
    with Script({".": reply}, {}) as server:
        outcomes = send(server.url, short_message(), short_message())
        assert [type(outcome) for outcome in outcomes] == [Unknown, Sent]
        assert server.connections == 2


@pytest.mark.parametrize("reply", [None, "421 4.7.0 enough for today"])
def test_a_connection_that_breaks_after_serving_is_opened_anew(reply: str | None) -> None:
    """When a connection breaks after it has carried a mail, one mail waits a little, and the next uses a new one."""
    with Script({"MAIL": ["250 ok", reply]}, {}) as server:
        first, second, third = send(server.url, short_message(), short_message(), short_message())
        assert (first, third) == (Sent(), Sent())
        assert isinstance(second, Broken)
        assert server.connections == 2


def test_a_server_that_hangs_up_after_a_refusal_is_connected_to_anew() -> None:
    """When the server hangs up instead of resetting, the refusal stands, and the next mail has a new connection."""
    with Script({"RCPT": "550 5.1.1 no", "RSET": None}, {}) as server:
        assert send(server.url, short_message(), short_message()) == [Refused("recipient refused: 550 5.1.1"), Sent()]
        assert server.connections == 2


def test_a_mail_that_cannot_be_written_does_not_spoil_the_next() -> None:
    """After an exception in one mail the session sends the next one."""
    broken = replace(short_message(), content=None)  # type: ignore[arg-type]
    with Script({}) as server, open_sender(server.url).session() as session:
        assert session.send(ID, short_message()) == Sent()
        with pytest.raises(AttributeError):
            session.send(ID, broken)
        assert session.send(ID, short_message()) == Sent()


def test_a_server_that_hangs_up_at_quit_has_the_mail() -> None:
    """A mail is sent although the end of its session fails."""
    with Script({"QUIT": None}) as server:
        assert send(server.url, short_message()) == [Sent()]


@pytest.mark.parametrize(("verb", "outcome"), [
    ("GREET", AboutUs(f"connection failed: {NO_END}")), ("RCPT", Broken(f"the connection broke at recipient: {NO_END}"))
])  # fmt: skip
def test_a_reply_without_end_ends(verb: str, outcome: Outcome) -> None:
    """A reply of more lines than any server needs breaks the connection, instead of filling the memory."""
    with Script({verb: "250-and so on\r\n" * LONGEST_REPLY + "250 done"}) as server:
        assert send(server.url, short_message()) == [outcome]
    with Script({verb: "250-and so on\r\n" * (LONGEST_REPLY - 1) + Script.POLITE[verb]}) as server:
        assert isinstance(send(server.url, short_message())[0], Sent | AboutUs)


def test_a_server_that_is_down_is_about_us() -> None:
    """A server that is down is about us, with a reason that holds no secret."""
    [outcome] = send(f"smtp://user:secret@{HOST}:{free_port()}", short_message())
    assert outcome == AboutUs("connection failed: ConnectionRefusedError: Connection refused")


def test_an_impossible_host_is_about_us() -> None:
    """A host name that cannot be looked up is about us."""
    [outcome] = send(f"smtp://{'x' * 64}.example", short_message())
    assert isinstance(outcome, AboutUs)


def test_a_mail_becomes_a_file(tmp_path: Path) -> None:
    """A directory gets one file for each mail, readable by its owner only; a second try replaces the first."""
    directory = tmp_path / "mail box"
    url = f"file://{quote(str(directory))}"
    assert send(url, short_message("bob@example.org"), short_message()) == [Sent(), Sent()]
    [file] = directory.iterdir()
    assert file.name == f"{ID}.eml"
    assert file.read_bytes() == short_message().content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_is_gone_delays_mails(tmp_path: Path) -> None:
    """A directory that cannot be written is about us, so that mails wait."""
    sender = open_sender(f"file://{tmp_path}/mail")
    (tmp_path / "mail").rmdir()
    with sender.session() as session:
        outcome = session.send(ID, short_message())
    assert outcome == AboutUs("the directory cannot be written: No such file or directory")


def test_a_mail_that_two_relays_send_becomes_a_file(tmp_path: Path) -> None:
    """Relays that write the same mail at the same time do not disturb each other."""
    sender = open_sender(f"file://{tmp_path}")

    def send_often(_: int) -> set[Outcome]:
        with sender.session() as session:
            return {session.send(ID, short_message()) for _ in range(200)}

    with ThreadPoolExecutor(4) as relays:
        assert list(relays.map(send_often, range(4))) == [{Sent()}] * 4
    assert [file.name for file in tmp_path.iterdir()] == [f"{ID}.eml"]


def test_a_mail_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    """What was written of a mail is removed when it cannot get its name."""
    (tmp_path / f"{ID}.eml").mkdir()
    [outcome] = send(f"file://{tmp_path}", short_message())
    assert outcome == AboutUs("the directory cannot be written: Is a directory")
    assert [file.name for file in tmp_path.iterdir()] == [f"{ID}.eml"]


def test_the_console_shows_a_mail(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The console shows headers and text decoded, in UTF-8."""
    assert send("console:", short_message()) == [Sent()]
    shown = capsysbinary.readouterr().out.decode()
    assert "To: ada@example.org\n" in shown
    assert "Subject: Grüße\n" in shown
    assert "The key is secret-key.\n" in shown.replace("\r", "")


def test_a_console_that_is_gone_delays_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that the console cannot take waits, as one whose directory is gone does."""
    with suppress(OSError), open("/dev/full", "w", encoding="utf-8") as full:  # it cannot be closed either
        monkeypatch.setattr("sys.stdout", full)
        outcomes = send("console:", short_message())
    assert outcomes == [AboutUs("the console cannot be written: No space left on device")]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must start with smtp://, smtps://, smtp+starttls://, file:/// or console:"),
        ("http://mail.example", "must start with smtp://, smtps://, smtp+starttls://, file:/// or console:"),
        ("smtp://user:secret#1@mail.example", "is not an address; percent-encode special characters of the password"),
        (
            "smtp://user:secret@mail.example:port",
            "is not an address; percent-encode special characters of the password",
        ),
        ("smtp://user:secret@[mail.example", "is not an address; percent-encode special characters of the password"),
        ("smtp://user:secret@", "must be like smtp://user:password@host:port; percent-encode special characters"),
        ("smtp://mail .example", "must be like smtp://user:password@host:port; percent-encode special characters"),
        ("smtps:", "must be like smtps://user:password@host:port; percent-encode special characters"),
        (
            "smtp://user:25/secret@host",
            "must be like smtp://user:password@host:port; percent-encode special characters",
        ),
        (
            "smtp://user:25?secret@host",
            "must be like smtp://user:password@host:port; percent-encode special characters",
        ),
        (
            "smtp://user:25#secret@host",
            "must be like smtp://user:password@host:port; percent-encode special characters",
        ),
        (
            "smtp://user@mail.example",
            "must have both a user and a password, or neither; with GATEWAY_MAIL_TOKEN_FILE only a user",
        ),
        (
            "smtp://:secret@mail.example",
            "must have both a user and a password, or neither; with GATEWAY_MAIL_TOKEN_FILE only a user",
        ),
        ("smtp://user:secrét@mail.example", "can only have ASCII characters in user and password"),
        ("file:mail", "must name an absolute directory: file:///directory"),
        ("file://var/mail", "must name an absolute directory: file:///directory"),
        ("file:///tmp/c#/mail", "must name its directory with %23 for # and %3F for ?"),
        ("file:///tmp/what?/mail", "must name its directory with %23 for # and %3F for ?"),
        ("file:///dev/null/mail", "names a directory that cannot be made: Not a directory"),
    ],
)
def test_a_wrong_url_is_explained(url: str, message: str) -> None:
    """A wrong URL raises ValueError with one line that does not show the password."""
    with pytest.raises(ValueError, match=r".") as caught:
        open_sender(url)
    assert str(caught.value) == message
    assert "secret" not in "".join(format_exception(caught.value))


@pytest.mark.parametrize(("scheme", "port"), [("smtp", 25), ("smtps", 465), ("smtp+starttls", 587)])
def test_ports_have_defaults(scheme: str, port: int) -> None:
    """Without a port the usual one of the scheme is used, and the password is in no repr."""
    sender = open_sender(f"{scheme}://user:secret@[::1]/")
    assert (sender.host, sender.port, sender.password) == ("::1", port, "secret")  # type: ignore[attr-defined]
    assert "secret" not in repr(sender)


def test_an_address_can_name_several_servers() -> None:
    """Commas part mail servers, but not the letters of a password or of a path."""
    servers = open_senders("smtp://one.example, smtps://user:pass,word@two.example,smtp+starttls://three.example")
    assert [server.host for server in servers] == ["one.example", "two.example", "three.example"]  # type: ignore[attr-defined]
    assert servers[1].password == "pass,word"  # type: ignore[attr-defined]
    assert len(open_senders("console:")) == 1
