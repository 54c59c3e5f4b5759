"""What use cases work with, opened once per process; it never decides anything."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from registration.database import Database, open_database
from registration.passwords import Passwords, read_deny_list
from registration.references import References
from registration.rules import PasswordPolicy
from registration.secret import Secret, load_secret
from registration.settings import Settings


def utc_now() -> datetime:
    return datetime.now(UTC)


def nobody_listens() -> None:
    """The default of `mail_posted`: the relay polls anyway."""


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every use case; `confirmation` is the lifetime of a key, None when nobody must confirm."""

    database: Database
    passwords: Passwords
    secret: Secret
    references: References
    policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    confirmation: timedelta | None = timedelta(days=1)
    sign_ups_per_hour: int = 0
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[], UUID] = uuid4
    mail_posted: Callable[[], None] = nobody_listens

    def close(self) -> None:
        self.passwords.close()
        self.database.close()


def password_policy(settings: Settings) -> PasswordPolicy:
    return PasswordPolicy(
        min_length=settings.password_min_length,
        max_length=settings.password_max_length,
        character_rule=settings.password_character_rule == "on",
        repeats_rule=settings.password_repeats_rule == "on",
        deny_list=read_deny_list(settings.password_deny_list),
    )


def open_services(settings: Settings, mail_posted: Callable[[], None] = nobody_listens) -> Services:
    """Open what the settings name; `mail_posted` is called after a transaction that posted a mail."""
    secret = load_secret(Path(settings.keys_dir))
    policy = password_policy(settings)
    database = open_database(settings.database_url)
    return Services(
        database=database,
        passwords=Passwords(
            memory_kib=settings.hash_memory_kib,
            time_cost=settings.hash_time_cost,
            parallelism=settings.hash_parallelism,
            slots=settings.slots,
        ),
        secret=secret,
        references=References(database, settings.reference_prefix),
        policy=policy,
        confirmation=timedelta(seconds=settings.confirmation_seconds) if settings.confirmation == "on" else None,
        sign_ups_per_hour=settings.sign_up_limit,
        mail_posted=mail_posted,
    )
