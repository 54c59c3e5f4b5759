"""The interface of senders, and the outcomes of an attempt to send a mail (decision 0034)."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from registration.mail.message import Message


@dataclass(frozen=True, slots=True)
class Sent:
    """The next mail server has accepted the mail."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The recipient does not get this mail: it is refused for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The recipient does not get this mail for now."""

    reason: str


@dataclass(frozen=True, slots=True)
class AboutUs:
    """Not the recipient is the cause, but the mail server, or how this installation uses it.

    `is_for_all`: any other mail would have the same answer. `is_lasting`: it stays so until an operator acts.
    """

    reason: str
    is_for_all: bool = True
    is_lasting: bool = True


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection broke before the mail was handed over: it has not arrived."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The mail was handed over, and no answer came: it may have arrived."""

    reason: str


Outcome = Sent | Refused | Deferred | AboutUs | Broken | Unknown


class Session(Protocol):
    """A connection for many mails, which opens at the first one. One thread sends."""

    def send(self, mail_id: UUID, message: Message) -> Outcome: ...

    def abort(self) -> None:
        """End the send that is under way. For other threads; a mail server that is being looked up is not noticed."""


class Sender(Protocol):
    """Sends mails, in sessions."""

    def session(self) -> AbstractContextManager[Session]: ...
