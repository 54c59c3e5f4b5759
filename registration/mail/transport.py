"""What a sender is, and what it answers when handed a mail; it never sends one itself."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sent:
    """The next server has the mail."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This mail will never be taken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """This mail was not taken now; another may be."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No mail can be sent now; the rest of the session need not be tried."""

    reason: str


Outcome = Sent | Refused | Deferred | Unreachable


class Session(Protocol):
    """One connection for many mails, of one thread; it opens at the first mail."""

    def send(self, mail_id: UUID, message: EmailMessage) -> Outcome: ...


class Sender(Protocol):
    """Where mails go."""

    def session(self) -> AbstractContextManager[Session]: ...
