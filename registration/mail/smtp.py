"""Mail servers, by SMTP (RFC 5321). Reasons quote only reply codes: a server's text can hold the address or mail."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from smtplib import SMTP, SMTPResponseException
from socket import SHUT_RDWR, create_connection, socket
from uuid import UUID

from registration.mail.message import Message
from registration.mail.replies import OF_A_MAIL, Step, judge
from registration.mail.smtp_auth import sign_in, warn_of_plain_text
from registration.mail.transport import AboutUs, Broken, Outcome, Refused, Sent, Unknown

PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
QUIT_SECONDS = 2.0
LONGEST_REPLY = 100  # lines; EHLO has about a dozen
LACKS_SMTPUTF8 = (
    "the address needs SMTPUTF8, which the mail server does not offer; GATEWAY_MAIL_SMTPUTF8=off refuses such addresses"
)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds to wait for a mail server: for a connection, for a reply, and for its word that it keeps a mail.

    The last two are what RFC 5321, 4.5.3.2 asks for: a mail that is given up too early arrives twice.
    """

    connect: float = 10
    reply: float = 300
    end: float = 600


@dataclass(frozen=True, slots=True)
class Manners:
    """How we talk to a mail server.

    `ehlo_name` is empty for the machine's own name. The access token in `token_file` signs in instead of a password.
    """

    limits: TimeLimits = TimeLimits()
    ehlo_name: str = ""
    token_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server."""

    host: str
    port: int
    scheme: str
    user: str
    password: str = field(repr=False)
    context: ssl.SSLContext = field(repr=False)
    manners: Manners

    @contextmanager
    def session(self) -> Iterator["SmtpSession"]:
        session = SmtpSession(self)
        try:
            yield session
        finally:
            session.close()


class ReplyReader:
    """Reads replies, each with a bound that smtplib lacks: a reply without end would fill the memory."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.close = file.close
        self.lines = 0
        """Of the present reply."""

    def readline(self, limit: int) -> bytes:
        self.lines += 1
        if self.lines > LONGEST_REPLY:
            raise OSError("the reply has too many lines")  # smtplib then closes the connection
        return self._file.readline(limit)


class Client(SMTP):
    """A client that is not connected yet, so that another thread can shut its socket down while it connects."""

    file: ReplyReader | None

    def __init__(self, server: Smtp) -> None:
        super().__init__(local_hostname=server.manners.ehlo_name or None)
        self._host = server.host  # the name in the certificate that STARTTLS must show
        self._server = server

    def _get_socket(self, host: str, port: int, _timeout: object) -> socket:  # called by smtplib
        limits = self._server.manners.limits
        opened = create_connection((host, port), limits.connect)
        opened.settimeout(limits.reply)
        is_wrapped = self._server.scheme == "smtps"
        return self._server.context.wrap_socket(opened, server_hostname=host) if is_wrapped else opened

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            assert self.sock
            self.file = ReplyReader(self.sock.makefile("rb"))
        self.file.lines = 0
        return super().getreply()


class SmtpSession:
    """Sends over one connection, and over a new one after that has broken."""

    def __init__(self, server: Smtp) -> None:
        self._server = server
        self._client: Client | None = None
        self._step = Step.CONNECT
        self._has_served = False
        self._is_aborted = False

    def send(self, mail_id: UUID, message: Message) -> Outcome:
        try:
            outcome = self._hand_over(self._client or self._connect(), message)
        except SMTPResponseException as error:
            outcome = self._refused(error)
        except (OSError, UnicodeError) as error:  # all of smtplib's are OSErrors; UnicodeError is an impossible host
            outcome = self._broken(_cause(error))
        except BaseException:
            self._drop()
            raise
        self._has_served = self._client is not None
        return outcome

    def _connect(self) -> Client:
        self._step = Step.CONNECT
        client = self._client = Client(self._server)
        _expect(client.connect(self._server.host, self._server.port), 220)
        self._greet(client)
        if self._server.scheme == "smtp" and self._server.user and client.has_extn("starttls"):
            warn_of_plain_text(self._server.host, self._server.port)
        if self._server.scheme == "smtp+starttls":
            self._step = Step.STARTTLS
            client.starttls(context=self._server.context)
            self._greet(client)
        if self._server.user:
            self._step = Step.AUTH
            sign_in(client, self._server.user, self._server.password, self._server.manners.token_file)
        return client

    def _greet(self, client: Client) -> None:
        self._step = Step.EHLO
        client.ehlo_or_helo_if_needed()

    def _hand_over(self, client: Client, message: Message) -> Outcome:
        if message.needs_smtputf8 and not client.has_extn("smtputf8"):
            return Refused(LACKS_SMTPUTF8)
        self._step = Step.MAIL
        if self._is_aborted:  # while it connected, when there was no socket yet
            raise ConnectionAbortedError
        _expect(client.mail(message.sender, ("SMTPUTF8", "BODY=8BITMIME") if message.needs_smtputf8 else ()), 250)
        self._step = Step.RCPT
        _expect(client.rcpt(message.recipient), 250, 251)
        self._step = Step.DATA
        _expect(client.docmd("DATA"), 354)
        self._step = Step.END
        assert client.sock
        client.sock.settimeout(self._server.manners.limits.end)
        client.send(message.content.replace(b"\r\n.", b"\r\n..") + b".\r\n")  # RFC 5321, 4.5.2
        _expect(client.getreply(), 250)
        client.sock.settimeout(self._server.manners.limits.reply)
        return Sent()

    def _refused(self, error: SMTPResponseException) -> Outcome:
        code, text = error.smtp_code, error.smtp_error
        assert self._client
        if not 400 <= code < 600 or self._client.sock is None:
            return self._broken("not a reply of SMTP")
        outcome = judge(self._step, code, text if isinstance(text, str) else text.decode("latin-1"))
        if code == 421 or self._step not in OF_A_MAIL:  # with 421 the server closes the connection
            has_served = self._has_served
            self._drop()
            return Broken(outcome.reason) if has_served else outcome
        try:
            self._client.rset()
        except OSError:
            self._drop()
        return outcome

    def _broken(self, cause: str) -> AboutUs | Broken | Unknown:
        self._drop()
        if self._step not in OF_A_MAIL:
            return AboutUs(f"{self._step} failed: {cause}")
        reason = f"the connection broke at {self._step}: {cause}"
        return Unknown(reason) if self._step is Step.END else Broken(reason)

    def _drop(self) -> None:
        self._has_served = False
        if self._client:
            self._client.close()
            self._client = None

    def abort(self) -> None:
        self._is_aborted = True
        client = self._client
        if client and client.sock:
            with suppress(OSError):
                client.sock.shutdown(SHUT_RDWR)

    def close(self) -> None:
        if self._client and self._client.sock:
            self._client.sock.settimeout(QUIT_SECONDS)
            with suppress(OSError):
                self._client.quit()
        self._drop()


def _expect(reply: tuple[int, bytes], *codes: int) -> None:
    if reply[0] not in codes:
        raise SMTPResponseException(*reply)


def _cause(error: OSError | UnicodeError) -> str:
    # smtplib quotes the server in one of its errors.
    text = str(getattr(error, "strerror", None) or error).partition(" Last response")[0]
    return f"{type(error).__name__}: {text}"
