"""The settings of the domain."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import ArgumentError

from registration.form_settings import FormSettings
from registration.hashing.machine import cores
from registration.rules.web_address import is_web_address
from registration.shop import ShopSettings
from registration.storage.address import address_of

PREFIX = "GATEWAY_"
Switch = Literal["on", "off"]
ByMode = Literal["on", "off", "mode"]
Wait = Annotated[float, Field(gt=0, le=86_400)]  # seconds
MAIL_SCHEMES = ("smtp", "smtps", "smtp+starttls", "file", "console")


class Settings(FormSettings, ShopSettings, BaseSettings):
    """What an operator can choose about customers; each field is the variable GATEWAY_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    workers: Annotated[int, Field(ge=1, le=64, description="server processes")] = 1
    database_url: Annotated[str, Field(description="sqlite:///file or postgresql://user:password@host/name")] = (
        "sqlite:///var/registration.db"
    )
    keys_dir: Annotated[
        str, Field(description="directory of the key files (mode 0600, or root's with 0440 and a group of ours)")
    ] = "var/keys"
    public_url: Annotated[str, Field(description="base of REST self links; default http://HOST:PORT")] = ""
    storefront_url: Annotated[str, Field(description="base of links in mails; default PUBLIC_URL")] = ""
    mail_url: Annotated[
        str,
        Field(
            description="smtp://, smtps://, smtp+starttls://user:password@host:port, or several; file:///path, console:"
        ),
    ] = ""
    mail_from: Annotated[str, Field(description="sender of every mail")] = "Registration <registration@localhost>"
    mail_connections: Annotated[
        int, Field(ge=1, le=256, description="connections to each mail server at once, which stay open for some time")
    ] = 8
    mail_connect_seconds: Annotated[Wait, Field(description="wait for a connection to the mail server")] = 10
    mail_reply_seconds: Annotated[Wait, Field(description="wait for each reply of the mail server")] = 300
    mail_end_seconds: Annotated[Wait, Field(description="wait until it accepts a mail; less can send it twice")] = 600
    mail_ehlo_name: Annotated[
        str,
        Field(
            pattern=r"^$|^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$|^\[(IPv6:)?[0-9A-Fa-f:.]+\]$",
            description="name of this machine in EHLO: host.shop.example, or [192.0.2.1]; default its own",
        ),
    ] = ""
    mail_token_file: Annotated[
        str, Field(description="file of an access token instead of a password (XOAUTH2), read at each connection")
    ] = ""
    mail_smtputf8: Annotated[
        Switch, Field(description="off where the mail server lacks SMTPUTF8: refuses addresses like jörg@shop.example")
    ] = "on"
    reference_prefix: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_]{1,32}$", description="the DE of the customer reference DE--25")
    ] = "DE"
    confirmation: Annotated[Switch, Field(description="a new customer must confirm the address")] = "on"
    confirmation_seconds: Annotated[int, Field(ge=60, le=31_536_000, description="lifetime of a confirmation key")] = (
        86_400
    )
    mode: Annotated[Literal["production", "development"], Field(description="development opens the tools below")] = (
        "production"
    )
    limits: Annotated[ByMode, Field(description="the limits below that begin with LIMIT, all of them")] = "mode"
    limit_mails_per_client: Annotated[
        int, Field(ge=0, description="mails an hour that one client may have us send; IPv6 by /64")
    ] = 60
    limit_mails_per_network: Annotated[int, Field(ge=0, description="the same for a /48 network of IPv6")] = 600
    limit_mails_per_mailbox: Annotated[
        int, Field(ge=0, description="mails an hour to one mailbox, whatever stands behind a + in the address")
    ] = 10
    limit_mails: Annotated[int, Field(ge=0, description="mails an hour in all")] = 100_000
    limit_guesses_per_client: Annotated[
        int, Field(ge=0, description="wrong passwords in 15 minutes from one client, for all accounts")
    ] = 60
    limit_guesses_per_network: Annotated[int, Field(ge=0, description="the same for a /48 network of IPv6")] = 600
    limit_hashes_per_client: Annotated[
        int, Field(ge=0, description="sign-ups, sign-ins and changes of password in 15 minutes from one client")
    ] = 600
    limit_hashes_per_network: Annotated[int, Field(ge=0, description="the same for a /48 network of IPv6")] = 6_000
    sign_up_limit: Annotated[int, Field(ge=0, description="sign-ups an hour per client address; 0 is no limit")] = 0
    keep_pending_days: Annotated[
        int, Field(ge=1, le=36_500, description="until an unconfirmed account is erased, after its last key expired")
    ] = 30
    keep_audit_days: Annotated[int, Field(ge=1, le=36_500, description="until an audit row is deleted")] = 365
    keep_events_days: Annotated[int, Field(ge=1, le=36_500, description="until an event is deleted")] = 90
    erasure_ledger: Annotated[
        str, Field(description="file outside of the database that keeps an HMAC of each erasure: see restore-check")
    ] = ""
    access_token_seconds: Annotated[int, Field(ge=60, description="lifetime of an access token")] = 28_800
    refresh_token_seconds: Annotated[int, Field(ge=60, description="lifetime of a refresh token")] = 2_628_000
    refresh_grace_seconds: Annotated[
        int, Field(ge=0, le=300, description="how long a used refresh token gets one further pair, for parallel tabs")
    ] = 10
    session_seconds: Annotated[
        int, Field(ge=60, description="longest time from a sign-in to the next, however often its tokens are refreshed")
    ] = 7_776_000
    new_device_mail: Annotated[Switch, Field(description="a mail at a sign-in from a device not used before")] = "on"
    token_audience: Annotated[str, Field(min_length=1, description="aud of access tokens")] = "frontend"
    token_algorithm: Annotated[
        Literal["both", "RS256", "ES256"],
        Field(description="of new signing keys; both: RS256 for the JSON:API door, ES256 for GraphQL"),
    ] = "both"
    reset_seconds: Annotated[int, Field(ge=60, le=31_536_000, description="lifetime of a password reset key")] = 7_200
    lockout_failures: Annotated[int, Field(ge=1, description="failed sign-ins before a block")] = 9
    lockout_window_seconds: Annotated[int, Field(ge=1, description="in which they are counted")] = 900
    lockout_block_seconds: Annotated[int, Field(ge=1, description="how long the block lasts")] = 360
    attempts_url: Annotated[
        str, Field(description="where attempts are counted: empty for the database, or redis://host:port/0")
    ] = ""
    breach_file: Annotated[
        str, Field(description="file of sorted SHA-1 hashes of breached passwords, see docs/passwords.md; empty is off")
    ] = ""
    password_min_length: Annotated[int, Field(ge=1, le=128, description="in characters")] = 7
    password_max_length: Annotated[int, Field(ge=8, le=1024, description="in characters")] = 128
    password_character_rule: Annotated[Switch, Field(description="upper, lower, digit and special required")] = "off"
    password_repeats_rule: Annotated[Switch, Field(description="refuse one character three times in a row")] = "off"
    password_deny_list: Annotated[str, Field(description="builtin, off, or a file with one password a line")] = (
        "builtin"
    )
    password_min_strength: Annotated[
        int, Field(ge=0, le=4, description="least strength as zxcvbn counts it, 0 (off) to 4")
    ] = 0
    hash_memory_kib: Annotated[int, Field(ge=8, le=4_194_304, description="Argon2id memory of one hash")] = 19_456
    hash_time_cost: Annotated[int, Field(ge=1, le=64, description="Argon2id passes")] = 2
    hash_parallelism: Annotated[int, Field(ge=1, le=16, description="Argon2id lanes")] = 1
    hash_slots: Annotated[int, Field(ge=0, le=256, description="hashes at once; 0 is cores divided by workers")] = 0

    _unknown: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _without_outer_space(cls, given: dict[str, object]) -> dict[str, object]:
        """White space at the ends goes, because a secret that is mounted from a file ends with a newline."""
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_seen(cls, value: object) -> object:
        unseen = next((letter for letter in str(value) if not letter.isprintable()), None)
        if unseen:
            raise ValueError(f"holds a character that cannot be seen (U+{ord(unseen):04X})")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        try:
            url = address_of(value)
        except (ArgumentError, ValueError):  # their texts can quote the password
            raise ValueError("is not a database URL") from None
        if url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ValueError("must start with sqlite:// or postgresql://")
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            raise ValueError("must name a file: sqlite:///var/registration.db")
        if (url.database or "").endswith(("/", " ")):
            raise ValueError("names a database that ends with a slash or a space")
        return value

    @field_validator("public_url", "storefront_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if set(value) & set("?#") or not (value == "" or is_web_address(value)):
            raise ValueError("must be an http:// or https:// address without a query")
        return value.rstrip("/")

    @field_validator("mail_url")
    @classmethod
    def _mail_is_known(cls, value: str) -> str:
        try:
            scheme = urlsplit(value).scheme
        except ValueError:  # its text can quote the password
            raise ValueError("is not an address") from None
        if value and scheme not in MAIL_SCHEMES:
            raise ValueError("must start with smtp://, smtps://, smtp+starttls://, file:/// or console:")
        return value

    @field_validator("attempts_url")
    @classmethod
    def _attempts_are_counted_somewhere(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://, or be empty for the database")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password_min_length > self.password_max_length:
            raise ValueError("GATEWAY_PASSWORD_MIN_LENGTH is larger than GATEWAY_PASSWORD_MAX_LENGTH")
        if self.hash_memory_kib < 8 * self.hash_parallelism:
            raise ValueError("GATEWAY_HASH_MEMORY_KIB must be at least 8 times GATEWAY_HASH_PARALLELISM")
        if self.disclosure == "conceal" and self.confirmation == "off":
            raise ValueError("GATEWAY_DISCLOSURE is conceal, so GATEWAY_CONFIRMATION must be on: signing in would tell")
        return self

    @property
    def development(self) -> bool:
        return self.mode == "development"

    @property
    def are_limits_on(self) -> bool:
        """On in production unless they are switched off; off in development unless they are switched on."""
        return not self.development if self.limits == "mode" else self.limits == "on"

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file of this machine, so that the start may create what is missing."""
        return self.database_url.startswith("sqlite")

    @property
    def database_place(self) -> str:
        """Where the database is: the absolute path of its file, or the address of its server without a password."""
        path = address_of(self.database_url).database or ""
        return str(Path(path).absolute()) if self.is_embedded else masked(self.database_url)

    @property
    def base_url(self) -> str:
        """The public address of this service; empty where no setting names it, but the gateway has a default."""
        return self.public_url

    @property
    def link_url(self) -> str:
        return self.storefront_url or self.base_url

    @property
    def unknown(self) -> tuple[str, ...]:
        """GATEWAY_ names in the environment that are no settings (orchestrators inject such names)."""
        return self._unknown

    @property
    def slots(self) -> int:
        return self.hash_slots or max(1, cores() // self.workers)


def masked(value: str) -> str:
    """The value of a setting without the passwords of addresses in it."""
    in_query = re.sub(r"(password=)[^&]*", r"\1***", value)
    return re.sub(r"(:(?://)?[^:/]*):.*@", r"\1:***@", in_query)
