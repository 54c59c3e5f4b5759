"""Sections 6, 7 and 10 of the contract: forgotten, restored and changed passwords."""

from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from graphql_api.settings import GatewaySettings
from registration.mail.rendering import MailKind
from registration.storage.database import Database, open_database
from tests.contract.shop import PASSWORD, Member, Shop, Told, document, errors, new_shop

NEW = "another123"
BLANK = "This value should not be blank."
MISSING = "This field is missing."
SHORT = "This value is too short. It should have 7 characters or more."
LONG = "This value is too long. It should have 128 characters or less."
DIFFERENT: list[Told] = [
    (422, "406", "Value in field password should be identical to value in the confirmPassword field.")
]
NEW_DIFFERENT: list[Told] = [
    (422, "406", "Value in field newPassword should be identical to value in the confirmPassword field.")
]
COMMON: list[Told] = [(400, "422", "The password is listed as common.")]
UNKNOWN_KEY: list[Told] = [(422, "415", "Restore password key is not valid.")]
OLD_KEY: list[Told] = [(400, "407", "Failed to change password.")]
WRONG: list[Told] = [(400, "408", "Invalid password")]
UNAUTHORIZED: list[Told] = [(403, "411", "Unauthorized request.")]
DEAD: list[Told] = [(401, "001", "Invalid access token.")]
NOT_REFRESHED: list[Told] = [(401, "004", "Failed to refresh token.")]
NOT_SIGNED_IN: list[Told] = [(401, "003", "Failed to authenticate user.")]


def _rules(*broken: tuple[str, str]) -> list[Told]:
    return [(422, "901", f"{attribute} => {text}") for attribute, text in broken]


def _forget(shop: Shop, **attributes: object) -> Any:
    return shop.ask("POST", "/customer-forgotten-password", document("customer-forgotten-password", **attributes))


def _restore(shop: Shop, path_id: object = "1", **attributes: object) -> Any:
    body = document("customer-restore-password", **attributes)
    return shop.ask("PATCH", f"/customer-restore-password/{path_id}", body)


def _change(shop: Shop, member: Member, path_id: object = None, **attributes: object) -> Any:
    body = document("customer-password", **attributes)
    return shop.ask("PATCH", f"/customer-password/{path_id or member.reference}", body, token=member.access_token)


class TestForgotten:
    def test_the_answer_is_the_same_for_every_address(self, shop: Shop) -> None:
        """Known, unconfirmed and unknown addresses get 204; existing accounts get a mail (6.1)."""
        before = len(shop.installed.keys(MailKind.RESET))
        for email in (shop.confirmed(), shop.pending(), shop.new_email()):
            assert _forget(shop, email=email).status_code == 204
        assert len(shop.installed.keys(MailKind.RESET)) == before + 2

    def test_too_many_requests_are_not_refused(self, shop: Shop) -> None:
        """Above the limit the answer is still 204, and no mail is sent (6.1)."""
        email = shop.confirmed()
        posted = len(shop.mails())
        for _ in range(7):
            assert _forget(shop, email=email).status_code == 204
        assert len(shop.mails()) <= posted + 5

    @pytest.mark.parametrize(
        ("attributes", "told"),
        [
            ({}, _rules(("email", MISSING))),
            ({"email": None}, _rules(("email", BLANK))),
            ({"email": ""}, _rules(("email", BLANK))),
            ({"email": "x"}, _rules(("email", "This value is not a valid email address."))),
            ({"email": ["a@b.de"]}, _rules(("email", "This value should be of type string."))),
            (
                {"email": f"s@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.com"},
                _rules(("email", "This value is too long. It should have 255 characters or less.")),
            ),
        ],
    )
    def test_what_is_no_address_is_refused(self, shop: Shop, attributes: dict[str, object], told: list[Told]) -> None:
        """Each rule of the address has its text (6.1)."""
        assert errors(_forget(shop, **attributes)) == told


class TestRestore:
    @pytest.mark.parametrize("path_id", ["1", "DE--1", "mine", "%20", "def502" * 500])
    def test_the_key_sets_a_new_password_whatever_the_path_says(self, shop: Shop, path_id: str) -> None:
        """The key sets the password, ends older tokens and posts a mail, whatever id the path has (6.2, 11)."""
        member = shop.member()
        key = shop.forget_password(member.email)
        assert _restore(shop, path_id, restorePasswordKey=key, password=NEW, confirmPassword=NEW).status_code == 204
        assert errors(shop.ask("GET", "/customers", token=member.access_token)) == DEAD
        assert errors(shop.refresh(member.refresh_token)) == NOT_REFRESHED
        assert errors(shop.sign_in(member.email)) == NOT_SIGNED_IN
        assert shop.sign_in(member.email, NEW).status_code == 201
        assert shop.mails()[-1] == MailKind.PASSWORD_CHANGED

    def test_a_key_works_once(self, shop: Shop) -> None:
        """A used key is answered like an unknown one (6.2)."""
        key = shop.forget_password(shop.confirmed())
        attributes = {"restorePasswordKey": key, "password": NEW, "confirmPassword": NEW}
        assert [_restore(shop, **attributes).status_code for _ in range(2)] == [204, 422]
        assert errors(_restore(shop, **attributes)) == UNKNOWN_KEY

    def test_a_new_request_replaces_the_key(self, shop: Shop) -> None:
        """Only the key of the last mail works (6.1)."""
        email = shop.confirmed()
        first, second = shop.forget_password(email), shop.forget_password(email)
        told = errors(_restore(shop, restorePasswordKey=first, password=NEW, confirmPassword=NEW))
        assert told == UNKNOWN_KEY
        assert _restore(shop, restorePasswordKey=second, password=NEW, confirmPassword=NEW).status_code == 204

    def test_the_key_proves_the_mailbox(self, shop: Shop) -> None:
        """A reset confirms the account: our departure from 6.2, which the issue asks for."""
        email = shop.pending()
        key = shop.forget_password(email)
        _restore(shop, restorePasswordKey=key, password=NEW, confirmPassword=NEW)
        assert shop.sign_in(email, NEW).status_code == 201

    def test_a_key_expires_after_two_hours(self, database: Database) -> None:
        """From two hours on a key is 400 with code 407 (6.2)."""
        with new_shop(database, GatewaySettings()) as shop:
            key = shop.forget_password(shop.confirmed())
            shop.installed.clock.move(timedelta(hours=2))
            attributes = {"restorePasswordKey": key, "password": NEW, "confirmPassword": NEW}
            assert errors(_restore(shop, **attributes)) == OLD_KEY

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"restorePasswordKey": None}, _rules(("restorePasswordKey", BLANK))),
            ({"restorePasswordKey": ""}, _rules(("restorePasswordKey", BLANK))),
            ({"restorePasswordKey": 5}, _rules(("restorePasswordKey", "This value should be of type string."))),
            ({"password": ""}, _rules(("password", BLANK), ("password", SHORT))),
            ({"password": "x" * 129}, _rules(("password", LONG))),
            ({"confirmPassword": ""}, _rules(("confirmPassword", BLANK), ("confirmPassword", SHORT))),
            (
                {"restorePasswordKey": "", "password": "short", "confirmPassword": None},
                _rules(("restorePasswordKey", BLANK), ("password", SHORT), ("confirmPassword", BLANK)),
            ),
            ({"confirmPassword": "another124"}, DIFFERENT),
            ({"password": "password1", "confirmPassword": "password1"}, COMMON),
            ({}, UNKNOWN_KEY),
            ({"restorePasswordKey": "k" * 50_000}, UNKNOWN_KEY),
            ({"restorePasswordKey": "\u0000"}, UNKNOWN_KEY),
        ],
    )
    def test_refusals_come_in_the_order_of_the_contract(
        self, shop: Shop, changed: dict[str, object], told: list[Told]
    ) -> None:
        """Attributes, agreement, policy and key are checked in this order (6.2)."""
        attributes = {"restorePasswordKey": "0" * 32, "password": NEW, "confirmPassword": NEW, **changed}
        assert errors(_restore(shop, **attributes)) == told

    def test_missing_attributes_are_named(self, shop: Shop) -> None:
        """All three missing attributes are named in their order (6.2)."""
        names = ("restorePasswordKey", "password", "confirmPassword")
        assert errors(_restore(shop)) == _rules(*((name, MISSING) for name in names))

    def test_a_refusal_leaves_the_key_alone(self, shop: Shop) -> None:
        """A refused form does not use up the key."""
        key = shop.forget_password(shop.confirmed())
        assert errors(_restore(shop, restorePasswordKey=key, password=NEW, confirmPassword="x" * 9)) == DIFFERENT
        assert _restore(shop, restorePasswordKey=key, password=NEW, confirmPassword=NEW).status_code == 204


class TestChange:
    def test_the_password_changes_and_other_sessions_end(self, shop: Shop) -> None:
        """204 without a mail; older tokens are refused, and the own session refreshes (7, issue 3)."""
        member = shop.member()
        other = shop.sign_in(member.email).json()["data"]["attributes"]
        posted = len(shop.mails())
        changed = _change(shop, member, password=PASSWORD, newPassword=NEW, confirmPassword=NEW)
        assert changed.status_code == 204
        assert len(shop.mails()) == posted
        for token in (member.access_token, other["accessToken"]):
            assert errors(shop.ask("GET", "/customers", token=token)) == DEAD
        assert errors(shop.refresh(other["refreshToken"])) == NOT_REFRESHED
        assert shop.refresh(member.refresh_token).status_code == 201
        assert errors(shop.sign_in(member.email)) == NOT_SIGNED_IN
        assert shop.sign_in(member.email, NEW).status_code == 201

    def test_the_same_password_again_is_fine(self, shop: Shop) -> None:
        """The new password may equal the old one (7)."""
        member = shop.member()
        same = _change(shop, member, password=PASSWORD, newPassword=PASSWORD, confirmPassword=PASSWORD)
        assert same.status_code == 204

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"password": None}, _rules(("password", BLANK))),
            ({"password": ["x"]}, _rules(("password", "This value should be of type string."))),
            ({"newPassword": ""}, _rules(("newPassword", BLANK), ("newPassword", SHORT))),
            ({"newPassword": "x" * 129}, _rules(("newPassword", LONG))),
            ({"confirmPassword": None}, _rules(("confirmPassword", BLANK))),
            (
                {"password": "", "newPassword": "short", "confirmPassword": ""},
                _rules(
                    ("password", BLANK),
                    ("newPassword", SHORT),
                    ("confirmPassword", BLANK),
                    ("confirmPassword", SHORT),
                ),
            ),
            ({"password": "wrong", "confirmPassword": "another124"}, NEW_DIFFERENT),
            ({"password": "w"}, WRONG),
            ({"password": "x" * 10_000}, WRONG),
            ({"password": "wrong", "newPassword": "password1", "confirmPassword": "password1"}, WRONG),
            ({"newPassword": "password1", "confirmPassword": "password1"}, COMMON),
        ],
    )
    def test_refusals_come_in_the_order_of_the_contract(
        self, shop: Shop, own: Member, changed: dict[str, object], told: list[Told]
    ) -> None:
        """Attributes, agreement, current password and policy are checked in this order (7)."""
        attributes = {"password": PASSWORD, "newPassword": NEW, "confirmPassword": NEW, **changed}
        assert errors(_change(shop, own, **attributes)) == told
        assert shop.sign_in(own.email).status_code == 201

    @pytest.mark.parametrize("path_id", ["{other}", "DE--999999", "test123", "mine"])
    def test_the_path_must_name_the_caller(self, shop: Shop, own: Member, path_id: str) -> None:
        """A foreign id is 403, after 422 for bad attributes (3.3, 7)."""
        path_id = path_id.format(other=shop.member().reference)
        assert errors(_change(shop, own, path_id)) == _rules(
            ("password", MISSING), ("newPassword", MISSING), ("confirmPassword", MISSING)
        )
        for password in (PASSWORD, "wrong"):
            attributes = {"password": password, "newPassword": NEW, "confirmPassword": "another124"}
            assert errors(_change(shop, own, path_id, **attributes)) == UNAUTHORIZED

    def test_wrong_passwords_are_not_counted(self, shop: Shop) -> None:
        """A wrong current password does not count for the lockout (8.4)."""
        member = shop.member()
        for _ in range(10):
            told = errors(_change(shop, member, password="wrong", newPassword=NEW, confirmPassword=NEW))
            assert told == WRONG
        assert shop.sign_in(member.email).status_code == 201

    def test_too_many_guesses_are_429(self, database: Database) -> None:
        """Above GATEWAY_LIMIT_GUESSES_PER_CLIENT a change is 429 with Retry-After, whatever the password."""
        with new_shop(database, GatewaySettings(limits="on", limit_guesses_per_client=1)) as shop:
            member = shop.member()
            first, refused = (
                _change(shop, member, password=password, newPassword=NEW, confirmPassword=NEW)
                for password in ("wrong", PASSWORD)
            )
        assert errors(first) == WRONG
        seconds = int(refused.headers["retry-after"])
        told = (429, "9429", f"Too many attempts. Please wait {seconds} seconds before trying again.")
        assert errors(refused) == [told]


@pytest.fixture(scope="module")
def own(shop: Shop) -> Member:
    return shop.member()


CHARACTER_RULE = (
    "Your password must include at least one uppercase letter, one lowercase letter, one number, and one special"
    " character from the following list: !@#$%^&*()_-+=[]{}|;:<>.,/?\\~. Non-Latin and other special characters are not"
    " allowed."
)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("Another-12345", None),
        ("Another\\12345", None),
        ("Another-1", _rules(("password", "This value is too short. It should have 12 characters or more."))),
        ("another-12345", _rules(("password", CHARACTER_RULE))),
        ("Another 12345-", _rules(("password", CHARACTER_RULE))),
        ("Änother-12345", _rules(("password", CHARACTER_RULE))),
        ("Annnother-123", [(400, "421", "The password contains sequence of the same character.")]),
        ("Qwerty-qwerty1", COMMON),
    ],
)
def test_strict_policies_are_settings(sqlite_url: str, tmp_path: Path, password: str, told: list[Told] | None) -> None:
    """Lengths, character rule, repeats and deny list are settings, with their texts (10)."""
    listed = tmp_path / "common.txt"
    listed.write_text("Qwerty-qwerty1\n")
    strict = GatewaySettings(
        password_min_length=12,
        password_character_rule="on",
        password_repeats_rule="on",
        password_deny_list=str(listed),
    )
    with new_shop(open_database(sqlite_url), strict) as shop:
        response = _restore(shop, restorePasswordKey="0" * 32, password=password, confirmPassword=password)
        found = [error for error in errors(response) if "confirmPassword =>" not in error[2]]
        assert found == (told or UNKNOWN_KEY)


LEAKED = "This password has been leaked in a data breach, it must not be used. Please use another password."
WEAK = "This password is too easy to guess."


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("Tr0ub4dor&3", _rules(("password", LEAKED))),
        ("sunflower", _rules(("password", WEAK))),
        ("leaked", _rules(("password", SHORT), ("password", LEAKED), ("password", WEAK), ("confirmPassword", SHORT))),
        ("correct horse battery", UNKNOWN_KEY),
    ],
)
def test_breaches_and_strength_are_settings(sqlite_url: str, tmp_path: Path, password: str, told: list[Told]) -> None:
    """Breached and weak passwords are refused together with the length (3.4, 10.3)."""
    hashes = [sha1(known, usedforsecurity=False).hexdigest().upper() for known in (b"Tr0ub4dor&3", b"leaked")]
    breaches = tmp_path / "breaches"
    breaches.write_text("".join(f"{digest}:1\n" for digest in sorted(hashes)))
    careful = GatewaySettings(breach_file=str(breaches), password_min_strength=2)
    with new_shop(open_database(sqlite_url), careful) as shop:
        response = _restore(shop, restorePasswordKey="0" * 32, password=password, confirmPassword=password)
    assert errors(response) == told
