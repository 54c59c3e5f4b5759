"""The interface of senders, and the outcomes of sending a mail."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sent:
    """The next mail server has accepted the mail."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This mail is refused for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """This mail is refused for now; another one may be accepted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No mail can be sent now; the rest of the session need not be tried."""

    reason: str


Outcome = Sent | Refused | Deferred | Unreachable


class Session(Protocol):
    """A connection for many mails, used by one thread; it opens at the first mail."""

    def send(self, mail_id: UUID, message: EmailMessage) -> Outcome: ...


class Sender(Protocol):
    """Sends mails, in sessions."""

    def session(self) -> AbstractContextManager[Session]: ...
