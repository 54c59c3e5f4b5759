"""How a relay introduces itself to a mail server, and signs in to it."""

from base64 import b64decode
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from registration.environment import SettingsError
from registration.mail.senders import open_sender
from registration.mail.smtp import Manners
from registration.mail.transport import AboutUs, Outcome, Sent
from registration.settings import Settings
from registration.wiring import manners_of
from tests.registration.mail.messages import short_message
from tests.registration.mail.scripted_server import Script

OFFERS_TOKENS = "250-hello\r\n250 AUTH XOAUTH2"


def send(server: Script, manners: Manners, user: str = "") -> Outcome:
    url = server.url.replace("//", f"//{user}@") if user else server.url
    with open_sender(url, manners=manners).session() as session:
        return session.send(UUID(int=1), short_message())


def credentials_in(server: Script) -> list[bytes]:
    """What was sent with each AUTH command."""
    return [b64decode(line.split()[2]) for line in server.heard if line.upper().startswith("AUTH XOAUTH2")]


@pytest.mark.parametrize("name", ["mail.shop.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_the_name_of_the_setting_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """EHLO names the machine as GATEWAY_MAIL_EHLO_NAME does."""
    monkeypatch.setenv("GATEWAY_MAIL_EHLO_NAME", name)
    with Script({}) as server:
        assert send(server, manners_of(Settings())) == Sent()
    assert server.heard[0] == f"ehlo {name}"


@pytest.mark.parametrize("name", ["my host", "shop.example.", "[mail]", "-" * 64, "mail\nx"])
def test_a_name_that_is_none_stops_the_start(name: str) -> None:
    """A text that is neither a host's name nor an address in brackets is no name for EHLO."""
    with pytest.raises(ValidationError, match="mail_ehlo_name"):
        Settings(mail_ehlo_name=name)


def test_without_a_name_the_machine_names_itself() -> None:
    """Without the setting EHLO has a name or an address of the machine."""
    with Script({}) as server:
        assert send(server, Manners()) == Sent()
    assert len(server.heard[0].split()) == 2


def test_an_access_token_signs_in(tmp_path: Path) -> None:
    """With a token file the user signs in by XOAUTH2, with what the file holds at each connection."""
    file = tmp_path / "token"
    with Script({"EHLO": OFFERS_TOKENS, "AUTH": "235 2.7.0 welcome"}) as server:
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            assert send(server, Manners(token_file=file), "shop%40example.org") == Sent()
    assert credentials_in(server) == [
        f"user=shop@example.org\1auth=Bearer {token}\1\1".encode() for token in ("first", "second")
    ]


def test_an_access_token_that_has_expired_is_about_us(tmp_path: Path) -> None:
    """A server says in a challenge why it takes no token; the answer is empty, and mails wait."""
    file = tmp_path / "token"
    file.write_text("secret-token")
    with Script({"EHLO": OFFERS_TOKENS, "AUTH": "334 eyJzdGF0dXMiOiI0MDAifQ==", "": "535 5.7.8 expired"}) as server:
        assert send(server, Manners(token_file=file), "shop") == AboutUs("sign-in refused: 535 5.7.8")
    assert len(credentials_in(server)) == 1


@pytest.mark.parametrize(
    ("content", "offer", "reason"),
    [
        ("secret-token", "250 AUTH PLAIN", "SMTPNotSupportedError: the mail server does not offer XOAUTH2"),
        ("secret-token", "250 hello", "SMTPNotSupportedError: the mail server does not offer XOAUTH2"),
        (
            "secret token",
            "250 AUTH XOAUTH2",
            "SMTPException: the file of GATEWAY_MAIL_TOKEN_FILE holds no access token",
        ),
        (
            "secret-töken",
            "250 AUTH XOAUTH2",
            "SMTPException: the file of GATEWAY_MAIL_TOKEN_FILE holds no access token",
        ),
        ("", "250 AUTH XOAUTH2", "SMTPException: the file of GATEWAY_MAIL_TOKEN_FILE holds no access token"),
        (None, "250 AUTH XOAUTH2", "FileNotFoundError: No such file or directory"),
    ],
)
def test_a_token_that_cannot_be_used_is_about_us(tmp_path: Path, content: str | None, offer: str, reason: str) -> None:
    """A token file without a token, or a server that takes none, makes mails wait; the token is not in the reason."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with Script({"EHLO": f"250-hello\r\n{offer}"}) as server:
        assert send(server, Manners(token_file=file), "shop") == AboutUs(f"sign-in failed: {reason}")
    assert credentials_in(server) == []


def test_a_server_that_takes_only_tokens_is_told_of(tmp_path: Path) -> None:
    """With a password a server that takes access tokens only is about us, and the reason names the setting."""
    with Script({"EHLO": OFFERS_TOKENS}) as server:
        outcome = send(server, Manners(), "shop:secret")
    assert outcome == AboutUs(
        "sign-in failed: SMTPNotSupportedError: the mail server takes access tokens only: set GATEWAY_MAIL_TOKEN_FILE"
    )


def test_a_token_file_stands_instead_of_a_password(tmp_path: Path) -> None:
    """A password beside a token file, and a token file without a user, are refused."""
    manners = Manners(token_file=tmp_path / "token")
    for url, reason in (
        ("smtps://shop:secret@mail.example", "has a password"),
        ("smtps://mail.example", "only a user"),
    ):
        with pytest.raises(ValueError, match=reason) as caught:
            open_sender(url, manners=manners)
        assert "secret" not in str(caught.value)


def test_a_token_file_must_be_there_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with a token file that cannot be read stops with one line; with one that can, it goes on."""
    file = tmp_path / "token"
    monkeypatch.setenv("GATEWAY_MAIL_TOKEN_FILE", str(file))
    with pytest.raises(SettingsError, match="GATEWAY_MAIL_TOKEN_FILE cannot be read: No such file or directory"):
        manners_of(Settings())
    file.touch()
    assert manners_of(Settings()).token_file == file


@pytest.mark.parametrize("mechanism", ["LOGIN", "CRAM-MD5"])
def test_a_challenge_that_cannot_be_read_is_about_us(mechanism: str) -> None:
    """A server whose challenge is no Base64 takes no mail now, and no mail is parked for it."""
    with Script({"EHLO": f"250-hello\r\n250 AUTH {mechanism}", "AUTH": "334 Enter your password"}) as server:
        outcome = send(server, Manners(), "shop:secret")
    assert outcome == AboutUs("sign-in failed: SMTPException: the challenge of the mail server is no Base64")


@pytest.mark.parametrize(("user", "offer", "warnings"), [
    ("shop:secret", "250-STARTTLS\r\n250 AUTH PLAIN", 1), ("shop:secret", "250 AUTH PLAIN", 0), ("", "250 STARTTLS", 0)
])  # fmt: skip
def test_credentials_in_plain_text_are_warned_of(user: str, offer: str, warnings: int) -> None:
    """Credentials over smtp:// at a server that offers STARTTLS are warned of, once."""
    with Script({"EHLO": f"250-hello\r\n{offer}", "AUTH": "235 welcome"}) as server, capture_logs() as logs:
        for _ in range(2):
            assert send(server, Manners(), user) == Sent()
    assert [line["event"] for line in logs] == ["credentials travel in plain text"] * warnings
    assert "secret" not in str(logs)
