"""Opens the services, and the parts of them, as the settings say."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from email.headerregistry import Address
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Connection

from registration.account.housekeeping import Housekeeping
from registration.environment import SettingsError
from registration.hashing.passwords import Passwords
from registration.keys.agreement import disagreement, keys_of_node
from registration.keys.secret import load_secret
from registration.keys.signing_keys import SigningKeys
from registration.limits.attempts import Limit
from registration.limits.budgets import Budget, Budgets, Cost, CountServer, Payer
from registration.limits.lockout import DatabaseLockout, Lockout, LockoutTerms
from registration.mail.composition import Composer
from registration.mail.relay import Relay
from registration.mail.rendering import parse_sender
from registration.mail.senders import open_senders
from registration.mail.smtp import Manners, TimeLimits
from registration.mail.transport import Sender
from registration.records.ledger import open_ledger
from registration.rules.breaches import Breaches, BreachFileError
from registration.rules.deny_list import PasswordListError, read_deny_list
from registration.rules.own_words import words_of
from registration.rules.password import PasswordPolicy
from registration.services import Services, SessionTerms, utc_now
from registration.settings import Settings
from registration.shop import Shop, shop_of
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.references import References

Client = TypeVar("Client")
HOUR, QUARTER = 3600, 900  # seconds


def open_services(settings: Settings) -> Services:
    """Open the services that the settings name.

    Raises KeyFileError, SettingsError and, for the ledger, Unavailable, each with one line for the operator.
    """
    secret = load_secret(Path(settings.keys_dir))
    signing_keys = SigningKeys(Path(settings.keys_dir))
    policy, shop = password_policy(settings), open_shop(settings)
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
        signing_keys=signing_keys,
        lockout=open_lockout(settings, database),
        budgets=Budgets(budgets_of(settings), open_counts(settings)),
        policy=policy,
        of_person=settings.of_person,
        confirmation=timedelta(seconds=settings.confirmation_seconds) if settings.confirmation == "on" else None,
        sessions=session_terms(settings),
        reset=timedelta(seconds=settings.reset_seconds),
        conceal=settings.disclosure == "conceal",
        codes=settings.confirmation_code != "off",
        terms_version=settings.terms_version,
        smtputf8=settings.mail_smtputf8 == "on",
        new_device_mail=settings.new_device_mail == "on",
        shop=shop,
        ledger=open_ledger(settings.erasure_ledger, Path(settings.keys_dir)),
    )


def session_terms(settings: Settings) -> SessionTerms:
    return SessionTerms(
        audience=settings.token_audience,
        access_token=timedelta(seconds=settings.access_token_seconds),
        refresh_token=timedelta(seconds=settings.refresh_token_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
        longest=timedelta(seconds=settings.session_seconds),
    )


def budgets_of(settings: Settings) -> Iterator[Budget]:
    """The budgets that the settings ask for; a count of 0 is no budget."""
    yield Budget(Cost.SIGN_UP, Payer.CLIENT, Limit(settings.sign_up_limit, HOUR))
    if settings.are_limits_on:
        yield Budget(Cost.MAIL, Payer.CLIENT, Limit(settings.limit_mails_per_client, HOUR))
        yield Budget(Cost.MAIL, Payer.NETWORK, Limit(settings.limit_mails_per_network, HOUR))
        yield Budget(Cost.MAIL, Payer.MAILBOX, Limit(settings.limit_mails_per_mailbox, HOUR))
        yield Budget(Cost.MAIL, Payer.ALL, Limit(settings.limit_mails, HOUR))
        yield Budget(Cost.GUESS, Payer.CLIENT, Limit(settings.limit_guesses_per_client, QUARTER))
        yield Budget(Cost.GUESS, Payer.NETWORK, Limit(settings.limit_guesses_per_network, QUARTER))
        yield Budget(Cost.HASH, Payer.CLIENT, Limit(settings.limit_hashes_per_client, QUARTER))
        yield Budget(Cost.HASH, Payer.NETWORK, Limit(settings.limit_hashes_per_network, QUARTER))


def lockout_terms(settings: Settings) -> LockoutTerms:
    return LockoutTerms(
        failures=settings.lockout_failures,
        window=timedelta(seconds=settings.lockout_window_seconds),
        block=timedelta(seconds=settings.lockout_block_seconds),
    )


def open_lockout(settings: Settings, database: Database) -> Lockout:
    terms = lockout_terms(settings)
    if not settings.attempts_url:
        return DatabaseLockout(database, terms, utc_now)
    from registration.limits.redis_lockout import RedisLockout  # noqa: PLC0415 - a client that most installations do not need

    return _at_server(partial(RedisLockout, terms=terms), settings.attempts_url)


def open_counts(settings: Settings) -> CountServer | None:
    """The server that counts budgets; None where the database does. Raises SettingsError."""
    if not settings.attempts_url:
        return None
    from registration.limits.redis_counts import RedisCounts  # noqa: PLC0415 - as above

    return _at_server(RedisCounts, settings.attempts_url)


def _at_server(connect: Callable[[str], Client], url: str) -> Client:
    try:
        return connect(url)
    except ValueError:  # its text can quote the password
        raise SettingsError("GATEWAY_ATTEMPTS_URL is not an address of a Redis or Valkey server") from None


def password_policy(settings: Settings) -> PasswordPolicy:
    """The password policy of the settings; raises SettingsError."""
    try:
        deny_list = read_deny_list(settings.password_deny_list, settings.password_min_length)
    except PasswordListError as error:
        raise SettingsError(f"GATEWAY_PASSWORD_DENY_LIST {error}") from None
    return PasswordPolicy(
        min_length=settings.password_min_length,
        max_length=settings.password_max_length,
        character_rule=settings.password_character_rule == "on",
        repeats_rule=settings.password_repeats_rule == "on",
        deny_list=deny_list,
        min_strength=settings.password_min_strength,
        breaches=open_breaches(settings),
        shop_words=_shop_words(settings),
    )


def _shop_words(settings: Settings) -> frozenset[str]:
    """The words of the shop's name, of its hosts, and of the sender of its mails."""
    urls = (settings.public_url, settings.storefront_url, settings.sign_in_url)
    return words_of(settings.shop_name, settings.mail_from, *(urlsplit(url).hostname for url in urls))


def open_breaches(settings: Settings) -> Breaches | None:
    """The breach list of the settings; None without one. Raises SettingsError."""
    try:
        return Breaches(Path(settings.breach_file)) if settings.breach_file else None
    except BreachFileError as error:
        raise SettingsError(f"GATEWAY_BREACH_FILE {error}") from None


def open_shop(settings: Settings) -> Shop:
    """The look of the shop. Raises SettingsError."""
    try:
        return shop_of(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def open_relay(settings: Settings, services: Services) -> Relay:
    """The relay of the settings, which does not run yet. Raises SettingsError."""
    senders, address = senders_of(settings)
    return Relay(
        services.database,
        Composer(
            services.secret,
            settings.link_url,
            address,
            code_in_subject=settings.confirmation_code == "subject",
            shop=services.shop,
        ),
        senders,
        clock=services.clock,
        random=random.Random(),  # noqa: S311 - jitter
        connections=settings.mail_connections,
        chore=housekeeping(settings, services).tidy_up,
        check=partial(_check_keys, services),
    )


def senders_of(settings: Settings) -> tuple[Sequence[Sender], Address]:
    """Where mails go, not yet connected, and the address that they come from. Raises SettingsError."""
    if not settings.mail_url:
        raise SettingsError("GATEWAY_MAIL_URL is not set: name a mail server, or set GATEWAY_RELAY=off")
    try:
        senders = open_senders(settings.mail_url, manners_of(settings))
    except ValueError as error:
        raise SettingsError(f"GATEWAY_MAIL_URL {error}") from None
    try:
        return senders, parse_sender(settings.mail_from)
    except ValueError as error:
        raise SettingsError(f"GATEWAY_MAIL_FROM {error}") from None


def housekeeping(settings: Settings, services: Services) -> Housekeeping:
    return Housekeeping(
        pending=timedelta(days=settings.keep_pending_days),
        audit=timedelta(days=settings.keep_audit_days),
        events=timedelta(days=settings.keep_events_days),
        session=timedelta(seconds=settings.session_seconds),
        new_id=services.new_id,
        ledger=services.ledger,
    )


def manners_of(settings: Settings) -> Manners:
    """How the relay talks to the mail server. Raises SettingsError."""
    token_file = Path(settings.mail_token_file) if settings.mail_token_file else None
    if token_file:
        try:
            token_file.open("rb").close()
        except OSError as error:
            raise SettingsError(f"GATEWAY_MAIL_TOKEN_FILE cannot be read: {error.strerror}") from None
    return Manners(
        TimeLimits(settings.mail_connect_seconds, settings.mail_reply_seconds, settings.mail_end_seconds),
        settings.mail_ehlo_name,
        token_file,
    )


def _check_keys(services: Services, connection: Connection) -> None:
    """With another secret than that of the node that took a sign-up, its mail could only be parked."""
    difference = disagreement(connection, keys_of_node(services.secret, services.signing_keys))
    if difference:
        raise Unavailable(difference)
