"""The senders that a GATEWAY_MAIL_URL can name; those that need no network are here."""

import os
import re
import ssl
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from secrets import token_hex
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID

from registration.mail.message import Message
from registration.mail.smtp import PORTS, Manners, Smtp
from registration.mail.transport import AboutUs, Outcome, Sender, Sent

DEFAULT_MANNERS = Manners()
# A path or a password can hold a comma, too.
NEXT_SERVER = re.compile(r"\s*,\s*(?=smtp(?:s|\+starttls)?://)")


def open_senders(urls: str, manners: Manners = DEFAULT_MANNERS) -> list[Sender]:
    """As `open_sender`, for one address or several mail servers with commas between them."""
    return [open_sender(url, manners=manners) for url in NEXT_SERVER.split(urls)]


def open_sender(url: str, context: ssl.SSLContext | None = None, manners: Manners = DEFAULT_MANNERS) -> Sender:
    """The sender a GATEWAY_MAIL_URL names, not yet connected; raises ValueError with one line without the password."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises when it is no number
    except ValueError:  # its text can quote the password
        raise ValueError("is not an address; percent-encode special characters of the password") from None
    if parts.scheme == "console":
        return Console()
    if parts.scheme == "file":
        return _open_directory(parts)
    if parts.scheme in PORTS:
        return _open_smtp(parts, port or PORTS[parts.scheme], context or ssl.create_default_context(), manners)
    raise ValueError("must start with smtp://, smtps://, smtp+starttls://, file:/// or console:")


def _open_directory(parts: SplitResult) -> Sender:
    if parts.netloc or not parts.path.startswith("/"):
        raise ValueError("must name an absolute directory: file:///directory")
    if parts.query or parts.fragment:
        raise ValueError("must name its directory with %23 for # and %3F for ?")
    path = Path(unquote(parts.path))
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ValueError(f"names a directory that cannot be made: {error.strerror}") from None
    return Directory(path)


def _open_smtp(parts: SplitResult, port: int, context: ssl.SSLContext, manners: Manners) -> Sender:
    user, password = (unquote(parts.username or ""), unquote(parts.password or ""))
    if not parts.hostname or " " in parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"must be like {parts.scheme}://user:password@host:port; percent-encode special characters")
    if password and manners.token_file:
        raise ValueError("has a password, and GATEWAY_MAIL_TOKEN_FILE is there instead of one")
    if bool(user) != bool(password or manners.token_file):
        raise ValueError("must have both a user and a password, or neither; with GATEWAY_MAIL_TOKEN_FILE only a user")
    if not (user + password).isascii():
        raise ValueError("can only have ASCII characters in user and password")
    return Smtp(parts.hostname, port, parts.scheme, user, password, context, manners)


@dataclass(frozen=True, slots=True)
class Console:
    """Prints mails with their keys, for an operator that chose this sender."""

    def session(self) -> AbstractContextManager["Console"]:
        return nullcontext(self)

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        parsed = message_from_bytes(message.content, EmailMessage, policy=policy.default)
        text = parsed.get_body(("plain",))
        headers = "".join(f"{name}: {value}\n" for name, value in parsed.items())
        # Bytes, because the console's own encoding may lack a letter of a name.
        try:
            sys.stdout.buffer.write(f"{headers}\n{text.get_content() if text else ''}\n".encode())
            sys.stdout.flush()
        except OSError as error:
            return AboutUs(f"the console cannot be written: {error.strerror}")
        return Sent()

    def abort(self) -> None:
        """The console takes what it is given."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Writes each mail as <id>.eml, for development."""

    path: Path

    def session(self) -> AbstractContextManager["Directory"]:
        return nullcontext(self)

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        # A file of this attempt: after a lease has ended, two relays may send the same mail.
        temp_path = self.path / f".{mail_id}.{token_hex(8)}"
        try:
            with os.fdopen(os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(message.content)
            temp_path.replace(self.path / f"{mail_id}.eml")
        except OSError as error:
            with suppress(OSError):
                temp_path.unlink()
            return AboutUs(f"the directory cannot be written: {error.strerror}")
        return Sent()

    def abort(self) -> None:
        """Files are written at once."""
