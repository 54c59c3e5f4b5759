"""An operation of a client: what it asked, from when to when, and what it was told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

DONE = "DONE"
UNKNOWN = "UNKNOWN"
"""The connection broke, or the gateway was not available: it may have happened, now or later, or not."""
UNAUTHENTICATED = "UNAUTHENTICATED"


class Kind(StrEnum):
    """Each names the facts that `given` has; those in `told` are after the arrow."""

    SIGN_UP = "sign up"  # email, password, name, [key] -> reference
    CONFIRM = "confirm"  # key, email, name -> [reference]
    SIGN_IN = "sign in"  # email, password -> reference, session, access, refresh
    ME = "me"  # access -> reference, email, name
    RENAME = "rename"  # access, name
    REFRESH = "refresh"  # refresh -> reference, session, access, refresh
    END_SESSION = "end session"  # access, session
    SIGN_OUT = "sign out"  # access, which: current, all or refresh, session
    CHANGE_PASSWORD = "change password"  # access, old, password
    REQUEST_RESET = "request reset"  # email
    RESET = "reset"  # key, email, name, password
    CHANGE_EMAIL = "change email"  # access, email
    CONFIRM_EMAIL = "confirm email"  # key, email, name -> reference, email
    ERASE = "erase"  # access
    LETTER = "letter"  # key, kind, email, name: a mail arrived, which the greeting says is for that first name


@dataclass(frozen=True, slots=True)
class Operation:
    """`began` and `ended` are moments of one clock that only goes on.

    `verdict` is DONE, UNKNOWN, UNAUTHENTICATED, or the code of a refusal. Tokens are named by their last characters.
    """

    kind: Kind
    given: Mapping[str, str]
    began: float
    ended: float
    verdict: str = DONE
    told: Mapping[str, str] = field(default_factory=dict)
    client: str = ""

    @property
    def is_done(self) -> bool:
        return self.verdict == DONE

    @property
    def may_be_done(self) -> bool:
        return self.verdict in {DONE, UNKNOWN}

    @property
    def until(self) -> float:
        """When it had happened, if it happened at all; infinity where that is not known."""
        return self.ended if self.is_done else inf

    def __str__(self) -> str:
        facts = (" ".join(f"{name}={value}" for name, value in facts.items()) for facts in (self.given, self.told))
        given, told = facts
        return (
            f"{self.began:.3f} to {self.ended:.3f} {self.client}: {self.kind} {given} -> {self.verdict} {told}".rstrip()
        )
