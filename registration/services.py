"""The services of use cases, opened once for each process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection

from registration.hashing.passwords import Passwords
from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys
from registration.limits.budgets import Bill, Budgets
from registration.limits.lockout import Lockout
from registration.outcomes import TooManyAttempts
from registration.records.ledger import NO_LEDGER, Ledger
from registration.rules.password import PasswordPolicy
from registration.rules.person import PersonPolicy
from registration.shop import Shop
from registration.storage.database import Database
from registration.storage.references import References

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """The audience and the lifetimes of tokens; within `grace` a used refresh token gets one further pair.

    No token of a session is good after its `longest` time, however often it was refreshed.
    """

    audience: str = "frontend"
    access_token: timedelta = timedelta(hours=8)
    refresh_token: timedelta = timedelta(seconds=2_628_000)
    grace: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(days=90)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every use case.

    `confirmation` is the lifetime of a confirmation key, None where customers need not confirm; `reset` is that of a
    reset key. With `new_device_mail` customers are told of sign-ins from devices that they have not used before. With
    `conceal` no outcome, and no time that one takes, tells whether an address is registered. `codes` is whether mails
    of confirmation have a code besides the link. `smtputf8` is whether the mail server takes mails to mailboxes with
    letters outside ASCII.
    """

    database: Database
    passwords: Passwords
    secret: Secret
    references: References
    signing_keys: SigningKeys
    lockout: Lockout
    policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    of_person: PersonPolicy = field(default_factory=PersonPolicy)
    budgets: Budgets = field(default_factory=Budgets)
    confirmation: timedelta | None = timedelta(days=1)
    sessions: SessionTerms = field(default_factory=SessionTerms)
    reset: timedelta = timedelta(hours=2)
    conceal: bool = False
    codes: bool = True
    terms_version: str = ""
    smtputf8: bool = True
    new_device_mail: bool = True
    ledger: Ledger = NO_LEDGER
    shop: Shop = field(default_factory=Shop)
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[], UUID] = uuid4

    def write_charged(self, bill: Bill, work: Callable[[Connection], Outcome]) -> Outcome | TooManyAttempts:
        """Do work in a transaction, as `Database.write` does, if its bill is within all budgets."""
        now = self.clock()
        with self.budgets.charging(self.secret, [bill], now) as charge:
            return self.database.write(lambda connection: charge(connection)[0].refusal(now) or work(connection))

    def close(self) -> None:
        self.passwords.close()
        self.budgets.close()
        self.lockout.close()
        self.database.close()
