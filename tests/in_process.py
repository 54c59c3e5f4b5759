"""The real application in this process, without a socket, on a real database with the cheapest hashes."""

import atexit
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, select
from starlette.testclient import TestClient

from graphql_api.app import create_app
from graphql_api.settings import GatewaySettings
from registration.hashing.passwords import Passwords
from registration.keys.link_keys import alert_key, confirmation_key, email_change_key, export_key, reset_key
from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys, create_signing_key
from registration.limits.budgets import Budgets
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.mail.rendering import MailKind
from registration.services import Services
from registration.shop import shop_of
from registration.storage.database import Database
from registration.storage.references import References
from registration.storage.tables import mail
from registration.wiring import budgets_of, password_policy, session_terms
from tests.clock import Clock

KEYS: dict[MailKind, Callable[[Secret, UUID], str]] = {
    MailKind.CONFIRMATION: confirmation_key,
    MailKind.RESET: reset_key,
    MailKind.EMAIL_CHANGE: email_change_key,
    MailKind.PASSWORD_CHANGED: alert_key,
    MailKind.EMAIL_CHANGE_NOTICE: alert_key,
    MailKind.NEW_DEVICE: alert_key,
    MailKind.DATA_EXPORT: export_key,
}


@dataclass(frozen=True, slots=True)
class Installation:
    """A running application: its HTTP client, its database and its time."""

    client: TestClient
    services: Services
    clock: Clock

    def rows(self, table: Table) -> list[dict[str, Any]]:
        def look(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

        return self.services.database.read(look)

    def confirmation_keys(self) -> list[str]:
        """The keys in the mails that wait, oldest first."""
        return self.keys(MailKind.CONFIRMATION)

    def keys(self, kind: MailKind) -> list[str]:
        """The keys in the mails of a kind that wait, oldest first."""
        waiting = sorted(self.rows(mail), key=lambda row: row["created_at"])
        return [KEYS[kind](self.services.secret, row["token_id"]) for row in waiting if row["kind"] == kind]


@contextmanager
def installation(database: Database, settings: GatewaySettings, **changed: Any) -> Iterator[Installation]:
    """An application made from settings; `changed` replaces members of its services."""
    clock = Clock()
    terms = LockoutTerms(
        failures=settings.lockout_failures,
        window=timedelta(seconds=settings.lockout_window_seconds),
        block=timedelta(seconds=settings.lockout_block_seconds),
    )
    services = Services(
        database=database,
        passwords=Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=2),
        secret=Secret(b"s" * 32),
        references=References(database, settings.reference_prefix),
        signing_keys=signing_keys(),
        lockout=DatabaseLockout(database, terms, clock),
        policy=password_policy(settings),
        of_person=settings.of_person,
        confirmation=timedelta(seconds=settings.confirmation_seconds) if settings.confirmation == "on" else None,
        budgets=Budgets(budgets_of(settings)),
        sessions=session_terms(settings),
        conceal=settings.disclosure == "conceal",
        codes=settings.confirmation_code != "off",
        terms_version=settings.terms_version,
        shop=shop_of(settings),
        clock=clock,
    )
    services = replace(services, **changed)
    with TestClient(create_app(settings, services), follow_redirects=False) as client:
        yield Installation(client, services, clock)


@cache
def signing_keys() -> SigningKeys:
    """Made once, because making an RSA key takes a while."""
    directory = Path(mkdtemp())
    atexit.register(shutil.rmtree, directory)
    create_signing_key(directory)
    return SigningKeys(directory)
