"""The services, made from settings: every setting takes effect, and a wrong one is explained in one line."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError
from registration.keys.agreement import keys_of_node, state
from registration.keys.key_files import KeyFileError
from registration.keys.secret import FILE_NAME, create_secret
from registration.keys.signing_keys import create_signing_key
from registration.limits.budgets import Cost, Payer
from registration.limits.lockout import LockoutTerms
from registration.mail.relay import Relay
from registration.outcomes import Invalid, Registered, TooManyAttempts, ViolationCode
from registration.rules.password import PasswordPolicy
from registration.rules.person import PersonPolicy
from registration.services import Services, SessionTerms
from registration.settings import Switch
from registration.shop import Shop
from registration.storage.database import Unavailable
from registration.storage.migrations import migrate
from registration.storage.tables import customer, mail
from registration.wiring import budgets_of, lockout_terms, open_relay, open_services, password_policy
from tests.registration.forms import request
from tests.registration.signing import sign_up
from tests.registration.stored import rows


@pytest.fixture
def values(tmp_path: Path, database_url: str) -> dict[str, Any]:
    """Settings of an installation that has its keys, with the cheapest hashes."""
    create_secret(tmp_path / "keys")
    create_signing_key(tmp_path / "keys")
    return {
        "database_url": database_url,
        "keys_dir": str(tmp_path / "keys"),
        "mail_url": f"file://{tmp_path}/mail",
        "hash_memory_kib": 8,
        "hash_time_cost": 1,
    }


@pytest.fixture
def wired(values: dict[str, Any]) -> Iterator[Services]:
    with closing(open_services(GatewaySettings(**values))) as services:
        yield services


class TestServices:
    def test_sign_a_customer_up(self, wired: Services, tmp_path: Path, values: dict[str, Any]) -> None:
        """Services from settings sign a customer up and send the mail into a directory."""
        outcome = sign_up(wired, request())
        assert isinstance(outcome, Registered)
        assert outcome.customer.reference == "DE--1"
        assert outcome.confirm_before == outcome.customer.created_at + timedelta(days=1)
        assert rows(wired.database, customer)[0]["password_hash"].startswith("$argon2id$v=19$m=8,t=1,p=1$")
        relay = open_relay(GatewaySettings(**values), wired)
        assert isinstance(relay, Relay)
        assert relay.run_once() == 1
        assert len(list((tmp_path / "mail").glob("*.eml"))) == 1

    def test_have_by_default_what_the_settings_say(self, wired: Services) -> None:
        """Each default of the domain is the default of its setting: a change of one alone would change tests only."""
        given = {each.name: each.default for each in fields(Services) if each.default is not MISSING}
        assert {name: getattr(wired, name) for name in given} == given
        assert (wired.of_person, wired.sessions, wired.shop) == (PersonPolicy(), SessionTerms(), Shop())
        assert replace(wired.policy, deny_list=frozenset(), shop_words=frozenset()) == PasswordPolicy()
        assert lockout_terms(GatewaySettings()) == LockoutTerms()

    @pytest.mark.parametrize(("switch", "offers"), [("on", True), ("off", False)])
    def test_know_whether_the_mail_server_lacks_smtputf8(
        self, values: dict[str, Any], switch: Switch, offers: bool
    ) -> None:
        """GATEWAY_MAIL_SMTPUTF8 says whether mailboxes with letters outside ASCII can get mails."""
        with closing(open_services(GatewaySettings(**values, mail_smtputf8=switch))) as services:
            assert services.smtputf8 is offers

    def test_send_no_mail_with_keys_of_another_installation(
        self, wired: Services, tmp_path: Path, values: dict[str, Any]
    ) -> None:
        """A relay whose secret is not that of the other nodes leaves the mails to theirs: it could only park them."""
        keys = keys_of_node(wired.secret, wired.signing_keys)
        wired.database.write(lambda connection: state(connection, keys))
        sign_up(wired, request())
        (tmp_path / "keys" / FILE_NAME).write_bytes(bytes(32))
        settings = GatewaySettings(**values)
        with closing(open_services(settings)) as other, pytest.raises(Unavailable, match=r"^secret.key is not that of"):
            open_relay(settings, other).run_once()
        assert [row["status"] for row in rows(wired.database, mail)] == ["waiting"]
        assert open_relay(settings, wired).run_once() == 1

    def test_have_real_time_and_random_ids(self, wired: Services) -> None:
        """The clock of the services is UTC now, their ids are random."""
        assert abs(wired.clock() - datetime.now(UTC)) < timedelta(hours=1)
        assert wired.new_id() != wired.new_id()

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_follow_the_settings(self, values: dict[str, Any]) -> None:
        """Prefix, confirmation, limit, rules and hash costs are those of the settings."""
        changes = {
            "reference_prefix": "AT",
            "confirmation": "off",
            "sign_up_limit": 1,
            "password_min_length": 20,
            "hash_memory_kib": 32,
            "hash_parallelism": 2,
            "hash_time_cost": 3,
        }
        with closing(open_services(GatewaySettings(**(values | changes)))) as services:
            assert isinstance(sign_up(services, request()), Invalid)
            long = "a very long correct horse"
            outcome = sign_up(services, request(password=long, confirmPassword=long))
            assert isinstance(outcome, Registered)
            assert (outcome.customer.reference, outcome.confirm_before) == ("AT--1", None)
            assert rows(services.database, customer)[0]["password_hash"].startswith("$argon2id$v=19$m=32,t=3,p=2$")
            again = request(email="bob@example.org", password=long, confirmPassword=long)
            assert isinstance(sign_up(services, again), TooManyAttempts)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_confirmation_lasts_as_long_as_is_set(self, values: dict[str, Any]) -> None:
        """A confirmation key lives for the seconds of the setting."""
        with closing(open_services(GatewaySettings(**values, confirmation_seconds=60))) as services:
            assert services.confirmation == timedelta(minutes=1)

    def test_need_a_secret(self, tmp_path: Path) -> None:
        """Services without a secret raise KeyFileError, because mails with keys of a new one could not be confirmed."""
        with pytest.raises(KeyFileError, match="keys new"):
            open_services(GatewaySettings(keys_dir=str(tmp_path), database_url=f"sqlite:///{tmp_path}/x.db"))

    def test_are_opened_without_a_server(self, tmp_path: Path) -> None:
        """Services are opened although their database does not answer yet."""
        create_secret(tmp_path)
        create_signing_key(tmp_path)
        open_services(GatewaySettings(keys_dir=str(tmp_path), database_url="postgresql://127.0.0.1:1/x")).close()


class TestPasswordPolicy:
    def test_is_what_the_settings_say(self, tmp_path: Path) -> None:
        """Every rule of the policy has its setting."""
        (tmp_path / "list").write_text("Geheim\n")
        settings = GatewaySettings(
            password_min_length=12,
            password_max_length=64,
            password_character_rule="on",
            password_repeats_rule="on",
            password_deny_list=str(tmp_path / "list"),
        )
        words = frozenset({"registration", "localhost"})
        assert password_policy(settings) == PasswordPolicy(12, 64, True, True, frozenset({"geheim"}), shop_words=words)

    def test_knows_the_words_of_the_shop(self) -> None:
        """The shop's words are those of its name, of its hosts and of the sender of its mails."""
        settings = GatewaySettings(
            shop_name="Bäckerei Müller & Söhne",
            public_url="https://gateway.example:8443/x",
            storefront_url="https://www.blumen.test",
            sign_in_url="https://konto.example/login",
            mail_from="Rosenhof <post@rosen.test>",
        )
        hosts = {"gateway", "example", "www", "blumen", "konto", "rosen", "test"}
        assert password_policy(settings).shop_words == {"backerei", "muller", "sohne", "rosenhof", "post", *hosts}

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_knows_the_commonest_passwords(self, wired: Services) -> None:
        """The default settings refuse the commonest passwords."""
        outcome = sign_up(wired, request(password="password", confirmPassword="password"))
        assert isinstance(outcome, Invalid)
        assert [violation.code for violation in outcome.violations] == [ViolationCode.PASSWORD_COMMON]

    def test_explains_a_list_that_cannot_be_read(self, tmp_path: Path) -> None:
        """A deny list that cannot be read is explained in one line that names the variable once."""
        with pytest.raises(SettingsError, match=rf"^GATEWAY_PASSWORD_DENY_LIST {tmp_path}: cannot be read \(\w+\)$"):
            password_policy(GatewaySettings(password_deny_list=str(tmp_path)))


class TestBudgets:
    @pytest.mark.parametrize(
        ("mode", "limits", "on"),
        [
            ("production", "mode", True),
            ("production", "off", False),
            ("development", "mode", False),
            ("development", "on", True),
        ],
    )
    def test_are_on_in_production_and_off_in_development(self, mode: str, limits: str, on: bool) -> None:
        """Without a word of the operator mails, guesses and hashes have budgets in production."""
        settings = GatewaySettings.model_validate({"mode": mode, "limits": limits})
        counted = {(each.cost, each.payer) for each in budgets_of(settings) if each.limit.count}
        payers = [*product((Cost.MAIL, Cost.GUESS, Cost.HASH), (Payer.CLIENT, Payer.NETWORK))]
        expected = {*payers, (Cost.MAIL, Payer.MAILBOX), (Cost.MAIL, Payer.ALL)}
        assert counted == (expected if on else set())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestRelay:
    @pytest.mark.parametrize(
        ("changes", "line"),
        [
            ({"mail_url": ""}, r"GATEWAY_MAIL_URL is not set: [^\n]+"),
            ({"mail_url": "smtp://"}, r"GATEWAY_MAIL_URL [^\n]+"),
            ({"mail_url": "smtp://h, smtp://u:hunter2@h:x"}, r"GATEWAY_MAIL_URL [^\n]+"),
            ({"mail_url": "smtp://u:hunter2@h:x"}, r"GATEWAY_MAIL_URL [^\n]+"),
            ({"mail_from": "no address"}, r"GATEWAY_MAIL_FROM [^\n]+"),
        ],
    )
    def test_explains_wrong_settings(
        self, wired: Services, values: dict[str, Any], changes: dict[str, str], line: str
    ) -> None:
        """A wrong setting of the relay is explained in one line that names the variable and holds no password."""
        with pytest.raises(SettingsError, match=rf"^{line}$") as raised:
            open_relay(GatewaySettings(**(values | changes)), wired)
        assert "hunter2" not in str(raised.value)


def test_new_installation_needs_no_preparation(tmp_path: Path) -> None:
    """A new installation needs only keys and the schema for a sign-up."""
    create_secret(tmp_path / "keys")
    create_signing_key(tmp_path / "keys")
    settings = GatewaySettings(database_url=f"sqlite:///{tmp_path}/var/x.db", keys_dir=str(tmp_path / "keys"))
    with closing(open_services(settings)) as services:
        migrate(services.database)
        assert isinstance(sign_up(services, request()), Registered)
