"""Mail servers, by SMTP (RFC 5321). Reasons quote only reply codes: a server's text can hold the address or mail."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPDataError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from uuid import UUID

from registration.mail.transport import Deferred, Outcome, Refused, Sent, Unreachable

PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
# Seconds for each step with the server. A mail takes about ten steps: the lease in outbox.py must outlast them.
TIMEOUT = 15
# Missing or wrong credentials: the operator must correct them, so no mail is given up for that.
SIGN_IN_CODES = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server."""

    host: str
    port: int
    scheme: str
    user: str
    password: str = field(repr=False)
    context: ssl.SSLContext = field(repr=False)

    @contextmanager
    def session(self) -> Iterator["SmtpSession"]:
        session = SmtpSession(self)
        try:
            yield session
        finally:
            session.close()

    def connect(self) -> SMTP:
        """A connection that is ready for mails; raises OSError (as smtplib's errors are) or UnicodeError."""
        if self.scheme == "smtps":
            connection: SMTP = SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=self.context)
        else:
            connection = SMTP(self.host, self.port, timeout=TIMEOUT)
        try:
            if self.scheme == "smtp+starttls":
                connection.starttls(context=self.context)
            if self.user:
                connection.login(self.user, self.password)
            connection.ehlo_or_helo_if_needed()
        except BaseException:
            connection.close()
            raise
        return connection


class SmtpSession:
    """Sends over one connection, and over a new one when that breaks after the server has answered for a mail."""

    def __init__(self, server: Smtp) -> None:
        self._server = server
        self._connection: SMTP | None = None
        self._has_served = False

    def send(self, mail_id: UUID, message: EmailMessage) -> Outcome:
        if self._connection is None or self._connection.sock is None:
            try:
                self._connection = self._server.connect()
            except (OSError, UnicodeError) as error:
                return Unreachable(f"no connection: {_cause(error)}")
            self._has_served = False
        return self._hand_over(self._connection, message)

    def _hand_over(self, connection: SMTP, message: EmailMessage) -> Outcome:
        try:
            connection.send_message(message)
        except SMTPNotSupportedError:
            return self._answered(Refused("the address needs SMTPUTF8, which the mail server does not offer"))
        except SMTPSenderRefused as error:
            return self._judge("sender", error.smtp_code, error.smtp_error)
        except SMTPRecipientsRefused as error:
            [(code, text)] = error.recipients.values()
            return self._judge("recipient", code, text)
        except SMTPDataError as error:
            connection.close()  # smtplib can leave the server in the middle of the mail
            return self._judge("content", error.smtp_code, error.smtp_error)
        except OSError as error:
            connection.close()
            return self._broken(_cause(error))
        except BaseException:
            connection.close()
            raise
        return self._answered(Sent())

    def _judge(self, step: str, code: int, text: bytes | str) -> Outcome:
        reason = f"{step} refused: {_codes(code, text)}"
        if code == 421:  # the server closes the connection
            return self._broken(reason)
        if code in SIGN_IN_CODES:
            return Unreachable(reason)
        return self._answered(Refused(reason) if code >= 500 else Deferred(reason))

    def _answered(self, outcome: Outcome) -> Outcome:
        self._has_served = True
        return outcome

    def _broken(self, reason: str) -> Outcome:
        return Deferred(reason) if self._has_served else Unreachable(reason)

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.quit()
            self._connection.close()


def _cause(error: OSError | UnicodeError) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{type(error).__name__} {_codes(error.smtp_code, error.smtp_error)}"
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"


def _codes(code: int, text: bytes | str) -> str:
    """The reply code with the enhanced one (RFC 3463), as in `550 5.1.1`."""
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text if isinstance(text, str) else text.decode("latin-1"))
    return f"{code} {enhanced[0]}" if enhanced else str(code)
