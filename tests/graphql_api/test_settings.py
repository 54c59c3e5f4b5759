"""Settings: their defaults, the values that stop the start, and their presentation."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from pydantic import ValidationError

from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError, describe, read_settings
from registration.settings import PREFIX, Settings

Read: TypeAlias = Callable[..., GatewaySettings]
README = Path(__file__).parents[2] / "README.md"
TEXTS = {
    "database_url": "postgresql://user:password@host/shop",
    "keys_dir": "/run/keys",
    "public_url": "https://api.example",
    "storefront_url": "https://shop.example/account",
    "mail_url": "smtp://user:password@mail.example:25",
    "mail_from": "Shop <mail@shop.example>",
    "mail_ehlo_name": "host.shop.example",
    "mail_token_file": "/run/secrets/token",
    "required": "gender, dateOfBirth",
    "terms_version": "2026-11",
    "shop_name": "The Shop",
    "shop_color": "#0B6A37",
    "shop_logo": "/srv/shop/logo.svg",
    "shop_mail_logo": "https://shop.example/logo.png",
    "templates_dir": "/srv/templates",
    "shop_footer": "The Shop Ltd, 1 High Street, London",
    "shop_css": "/srv/shop/pages.css",
    "reference_prefix": "AT",
    "token_audience": "shop",
    "erasure_ledger": "/srv/erasures",
    "attempts_url": "redis://valkey:6379/0",
    "breach_file": "/srv/breached.txt",
    "password_deny_list": "/srv/common.txt",
    "host": "127.0.0.2",
    "metrics_host": "127.0.0.3",
    "metrics_path": "/internal/metrics",
    "operators_host": "127.0.0.4",
    "trusted_proxies": "10.0.0.0/8,192.0.2.1",
    "place_header": "X-Country",
    "sign_in_url": "https://shop.example/login?shop=1",
    "cors_origins": "https://shop.example, https://other.example",
    "documents": "/srv/documents.json",
}
"""A value for every setting that is a text."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the settings of an environment without other GATEWAY_ variables."""

    def read(**environment: str) -> GatewaySettings:
        for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return read_settings(GatewaySettings)

    return read


class TestValues:
    def test_defaults_are_those_of_production(self, read: Read) -> None:
        """An empty environment is valid, and opens no development tool."""
        settings = read()
        assert (settings.mode, settings.base_url, settings.link_url) == (
            "production",
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000",
        )
        tools = (settings.graphiql, settings.introspection, settings.field_suggestions, settings.graphql_get)
        assert not any(map(settings.enabled, (*tools, settings.mailbox)))

    def test_no_default_holds_a_credential(self, read: Read) -> None:
        """No default has a user, a password or a key: each comes from the operator."""
        defaults = {name: str(value) for name, value in read().model_dump().items()}
        assert [name for name, value in defaults.items() if "://" in value and "@" in value] == []
        assert [name for name in defaults if re.search("password$|secret|credential|api_key", name)] == []

    def test_empty_means_default(self, read: Read) -> None:
        """An empty variable means the default."""
        assert read(GATEWAY_PORT="", GATEWAY_REFERENCE_PREFIX="").port == 8000

    @pytest.mark.parametrize("name", sorted(TEXTS))
    @pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\t \n"])
    def test_outer_space_does_not_count(self, read: Read, name: str, space: str) -> None:
        """White space around a value goes: a secret that is mounted from a file ends with a newline."""
        variable = f"GATEWAY_{name.upper()}"
        assert getattr(read(**{variable: f"{space}{TEXTS[name]}{space}"}), name) == TEXTS[name]
        assert getattr(read(**{variable: space}), name) == GatewaySettings.model_fields[name].default

    def test_numbers_and_switches_are_read_in_the_same_way(self, read: Read) -> None:
        """A number or a switch with a newline at its end is what it is without."""
        settings = read(GATEWAY_PORT="9000\n", GATEWAY_MODE="development\n", GATEWAY_QUEUE_SECONDS=" 0.5 ")
        assert (settings.port, settings.mode, settings.queue_seconds) == (9000, "development", 0.5)

    def test_values_come_from_the_environment(self, read: Read) -> None:
        """Each field is read from its variable."""
        settings = read(GATEWAY_PORT="9000", GATEWAY_REFERENCE_PREFIX="AT_1", GATEWAY_QUEUE_SECONDS="0.5")
        assert (settings.port, settings.reference_prefix, settings.queue_seconds) == (9000, "AT_1", 0.5)

    def test_nothing_changes_them(self, read: Read) -> None:
        """Settings cannot be changed."""
        with pytest.raises(ValidationError, match="frozen"):
            read().port = 1

    def test_development_opens_the_tools(self, read: Read) -> None:
        """Development opens each tool, and each tool has a switch of its own."""
        development = read(GATEWAY_MODE="development", GATEWAY_GRAPHIQL="off")
        assert development.enabled(development.introspection)
        assert not development.enabled(development.graphiql)
        production = read(GATEWAY_GRAPHIQL="on")
        assert production.enabled(production.graphiql)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
    def test_development_is_for_this_machine(self, read: Read, host: str) -> None:
        """Development is allowed on every loopback address."""
        assert read(GATEWAY_MODE="development", GATEWAY_HOST=host).host == host

    def test_development_elsewhere_is_possible(self, read: Read) -> None:
        """Development on another address needs GATEWAY_ALLOW_REMOTE_DEVELOPMENT."""
        settings = read(GATEWAY_MODE="development", GATEWAY_HOST="0.0.0.0", GATEWAY_ALLOW_REMOTE_DEVELOPMENT="on")  # noqa: S104
        assert settings.development

    def test_addresses_have_defaults_in_turn(self, read: Read) -> None:
        """Mailed links lead to the storefront, else to the public URL, else to the gateway."""
        assert read(GATEWAY_HOST="::1", GATEWAY_PORT="1").link_url == "http://[::1]:1"
        public = read(GATEWAY_PUBLIC_URL="https://api.example.org/glue/")
        assert public.base_url == public.link_url == "https://api.example.org/glue"
        both = read(GATEWAY_PUBLIC_URL="https://api.example.org", GATEWAY_STOREFRONT_URL="https://shop.example.org/")
        assert (both.base_url, both.link_url) == ("https://api.example.org", "https://shop.example.org")
        assert Settings(public_url="https://api.example.org", storefront_url="").link_url == "https://api.example.org"
        assert Settings(public_url="", storefront_url="").link_url == ""

    @pytest.mark.parametrize(
        ("host", "url"),
        [("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80"), ("localhost", "http://localhost:80")],  # noqa: S104
    )
    def test_the_default_address_can_be_reached(self, read: Read, host: str, url: str) -> None:
        """A gateway that listens on every address is linked to by one that this machine reaches."""
        assert read(GATEWAY_HOST=host, GATEWAY_PORT="80").base_url == url

    def test_places_are_absolute(self, read: Read) -> None:
        """The place of a database is the absolute path of its file, or its server's address without a password."""
        assert read().database_place == f"{Path.cwd()}/var/registration.db"
        assert read(GATEWAY_DATABASE_URL="sqlite:////srv/r.db").database_place == "/srv/r.db"
        server = read(GATEWAY_DATABASE_URL="postgresql://user:hunter2@h/d")
        assert server.database_place == "postgresql://user:***@h/d"

    def test_slots_are_the_cores_divided_among_workers(self, read: Read) -> None:
        """By default a worker has its share of the cores as slots, at least one."""
        assert read().slots == os.cpu_count()
        assert read(GATEWAY_WORKERS="64").slots == max(1, (os.cpu_count() or 1) // 64)
        assert read(GATEWAY_HASH_SLOTS="7", GATEWAY_WORKERS="64").slots == 7

    @pytest.mark.parametrize(
        ("url", "is_embedded"),
        [
            *(("sqlite:///var/x.db", True), ("sqlite+pysqlite:////x.db", True)),
            *(("postgresql://u:p@h/d", False), ("postgresql+psycopg://h/d", False)),
        ],
    )
    def test_engines(self, read: Read, url: str, is_embedded: bool) -> None:
        """An embedded installation is one whose database is an SQLite file."""
        assert read(GATEWAY_DATABASE_URL=url).is_embedded is is_embedded


def test_every_text_is_tried() -> None:
    """The tests of white space and hidden characters know every setting that is a text."""
    assert TEXTS.keys() == {name for name, field in GatewaySettings.model_fields.items() if field.annotation is str}


class TestWrongValues:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("MODE", "test"), ("PORT", "http"), ("PORT", "65536"), ("PORT", "-1"), ("WORKERS", "0")),
            *(("DATABASE_URL", "x"), ("DATABASE_URL", "mysql://h/d"), ("DATABASE_URL", "postgres://h/d")),
            *(("DATABASE_URL", "postgresql://u:hunter2@h:hunter2/d"), ("DATABASE_URL", "sqlite://")),
            *(("DATABASE_URL", "sqlite:///:memory:"), ("PUBLIC_URL", "example.org"), ("PUBLIC_URL", "ftp://h")),
            *(("TRUSTED_DOCUMENTS", "only"), ("TRUSTED_DOCUMENTS", "on")),
            *(
                ("CORS_ORIGINS", "*"),
                ("CORS_ORIGINS", "https://a.example, null"),
                ("CORS_ORIGINS", "https://a.example/"),
            ),
            *(
                ("CORS_ORIGINS", "shop.example"),
                ("CORS_ORIGINS", "https://Shop.example"),
                ("CORS_ORIGINS", "ftp://a.b"),
            ),
            *(("PUBLIC_URL", "https://"), ("STOREFRONT_URL", "https://h/?shop=1"), ("STOREFRONT_URL", "http://[::1")),
            *(("STOREFRONT_URL", "https://h/#top"), ("MAIL_URL", "mail.example.org"), ("MAIL_URL", "http://h")),
            *(("MAIL_URL", "smtp://u:hunter2\u2100@h"), ("RELAY", "true"), ("REFERENCE_PREFIX", "D E")),
            *(
                ("REFERENCE_PREFIX", "D" * 33),
                ("CONFIRMATION", "no"),
                ("REQUIRED", "phone"),
                ("REQUIRED", "none, gender"),
            ),
            *(("HOST", "a..b"), ("HOST", "ä" * 64)),
            *(("PUBLIC_URL", "https://h?"), ("PUBLIC_URL", "https://h:0"), ("PUBLIC_URL", "https://h:http")),
            *(
                ("PUBLIC_URL", "https://user:hunter2@h"),
                ("STOREFRONT_URL", "https://a b"),
                ("PUBLIC_URL", "https://h\\x"),
            ),
            *(("DATABASE_URL", "postgresql://h/d/"), ("DATABASE_URL", "sqlite:///var/"), ("ATTEMPTS_URL", "http://h")),
            *(("CONFIRMATION_SECONDS", "59"), ("CONFIRMATION_SECONDS", "9" * 15), ("SIGN_UP_LIMIT", "-1")),
            *(("TRUSTED_PROXIES", "10.0.0.0/8, proxy"), ("PASSWORD_MIN_LENGTH", "0")),
            *(("PASSWORD_MAX_LENGTH", "2000"), ("PASSWORD_CHARACTER_RULE", "1"), ("HASH_MEMORY_KIB", "7")),
            *(("HASH_TIME_COST", "0"), ("HASH_PARALLELISM", "0"), ("HASH_SLOTS", "-1"), ("QUEUE_SECONDS", "0")),
            *(("QUEUE_SECONDS", "inf"), ("QUEUE_SECONDS", "nan"), ("GRAPHIQL", "yes")),
            *(
                ("SIGN_IN_URL", "/login"),
                ("SIGN_IN_URL", "javascript:alert(1)"),
                ("SIGN_IN_URL", "https://u:hunter2@h"),
            ),
            *(("SHOP_MAIL_LOGO", "http://shop.example/logo.png"), ("SHOP_MAIL_LOGO", "/srv/logo.png")),
            ("MAILBOX", "on"),
            *(
                (f"MAIL_{each}_SECONDS", value)
                for each in ("CONNECT", "REPLY", "END")
                for value in ("inf", "nan", "1e10")
            ),
        ],
    )
    def test_stop_the_start_with_one_line(self, read: Read, name: str, value: str) -> None:
        """A wrong value is one line that names its variable, without a password of the value."""
        with pytest.raises(SettingsError) as raised:
            read(**{f"GATEWAY_{name}": value})
        line = str(raised.value)
        assert re.fullmatch(rf"GATEWAY_{name} [^\n]+", line)
        assert "hunter2" not in line

    @pytest.mark.parametrize("name", sorted(TEXTS))
    @pytest.mark.parametrize("hidden", ["\n", "\r\n", "\t", "\x1b", "\x85", "\u2028", "\u200b", "\ufeff"])
    def test_that_cannot_be_seen_stops_the_start(self, read: Read, name: str, hidden: str) -> None:
        """A character that cannot be seen inside of any text stops the start, and the line names it by its number."""
        value = TEXTS[name]
        with pytest.raises(SettingsError) as raised:
            read(**{f"GATEWAY_{name.upper()}": f"{value[:-1]}{hidden}{value[-1]}"})
        number = f"U+{ord(hidden[0]):04X}"
        assert str(raised.value) == f"GATEWAY_{name.upper()} holds a character that cannot be seen ({number})"

    @pytest.mark.parametrize(
        ("environment", "named"),
        [
            ({"PASSWORD_MIN_LENGTH": "20", "PASSWORD_MAX_LENGTH": "19"}, "GATEWAY_PASSWORD_MIN_LENGTH"),
            ({"HASH_MEMORY_KIB": "31", "HASH_PARALLELISM": "4"}, "GATEWAY_HASH_MEMORY_KIB"),
            ({"DISCLOSURE": "conceal", "CONFIRMATION": "off"}, "GATEWAY_DISCLOSURE"),
            ({"MODE": "development", "HOST": "192.0.2.1"}, "GATEWAY_HOST"),
            ({"MODE": "development", "HOST": "example.org"}, "GATEWAY_HOST"),
        ],
    )
    def test_must_fit_together(self, read: Read, environment: dict[str, str], named: str) -> None:
        """Values that do not fit together are refused."""
        with pytest.raises(SettingsError, match=rf"^{named} [^\n]+$"):
            read(**{f"GATEWAY_{name}": value for name, value in environment.items()})

    def test_are_told_together(self, read: Read) -> None:
        """All wrong settings are told together."""
        with pytest.raises(SettingsError, match=r"^GATEWAY_PORT [^\n]+; GATEWAY_RELAY [^\n]+$"):
            read(GATEWAY_PORT="x", GATEWAY_RELAY="x")


def test_unknown_names_are_reported(read: Read) -> None:
    """Unknown GATEWAY_ variables are reported, and do not stop the start."""
    settings = read(GATEWAY_PROT="80", GATEWAY_SERVICE_HOST="192.0.2.1", GATEWAY_PORT="80", OTHER="x")
    assert settings.unknown == ("GATEWAY_PROT", "GATEWAY_SERVICE_HOST")
    assert read().unknown == ()


class TestShown:
    def test_every_setting_is_described(self, read: Read) -> None:
        """Each setting is shown with value, default and meaning."""
        rows = {name: rest for name, *rest in describe(read(GATEWAY_PORT="9000"))}
        assert rows.keys() == {PREFIX + name.upper() for name in GatewaySettings.model_fields}
        assert rows["GATEWAY_PORT"] == ["9000", "8000", "port to listen on"]
        assert all(meaning for _, _, meaning in rows.values())

    @pytest.mark.parametrize(
        ("value", "masked"),
        [
            ("smtp://user:hunter2@mail.example.org:25", "smtp://user:***@mail.example.org:25"),
            ("smtps://user:hun@ter:2/x@h", "smtps://user:***@h"),
            ("smtp://:hunter2@h", "smtp://:***@h"),
            ("smtp:user:hunter2@h", "smtp:user:***@h"),
            ("smtp+starttls://shop@example.org:hunter2@h:587", "smtp+starttls://shop@example.org:***@h:587"),
            ("smtp://user@h:25", "smtp://user@h:25"),
            ("file:///var/mail", "file:///var/mail"),
        ],
    )
    def test_passwords_are_masked(self, read: Read, value: str, masked: str) -> None:
        """Passwords in settings are masked, and other values are shown."""
        assert dict(row[:2] for row in describe(read(GATEWAY_MAIL_URL=value)))["GATEWAY_MAIL_URL"] == masked

    @pytest.mark.parametrize(
        ("value", "masked"),
        [
            ("postgresql://user:hunter2@[::1]:5432/shop", "postgresql://user:***@[::1]:5432/shop"),
            ("postgresql://user:hunter2@a:5432,b:5433/shop", "postgresql://user:***@a:5432,b:5433/shop"),
            ("postgresql://user@server:hunter2@h/shop", "postgresql://user@server:***@h/shop"),
            (
                "postgresql://h:5432/shop?password=hunt@er2&sslmode=require",
                "postgresql://h:5432/shop?password=***&sslmode=require",
            ),
        ],
    )
    def test_database_passwords_are_masked(self, read: Read, value: str, masked: str) -> None:
        """A password is masked wherever a database URL can hold one."""
        assert dict(row[:2] for row in describe(read(GATEWAY_DATABASE_URL=value)))["GATEWAY_DATABASE_URL"] == masked

    def test_readme_has_the_same_table(self, read: Read) -> None:
        """README.md lists exactly the settings, with defaults and meanings."""
        table = README.read_text("utf-8").partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
        rows = [
            f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |"
            for name, _, default, meaning in describe(read())
        ]
        assert table.splitlines() == ["| variable | default | meaning |", "|---|---|---|", *rows]
