"""Section 8 of the contract: signing in, staying signed in, signing out, and the lockout."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database, open_database
from tests.contract.shop import BASE, PASSWORD, Member, Shop, Told, document, errors, new_shop, person
from tests.in_process import signing_keys
from tests.rest_compat.asking import ask

NOT_SIGNED_IN: list[Told] = [(401, "003", "Failed to authenticate user.")]
NOT_REFRESHED: list[Told] = [(401, "004", "Failed to refresh token.")]
DEAD: list[Told] = [(401, "001", "Invalid access token.")]
LOCKED_OUT: list[Told] = [
    (429, "4401", "Too many log in attempts from your address. Please wait 6 minutes before trying again.")
]
BLANK = "This value should not be blank."
MISSING = "This field is missing."


@pytest.fixture(scope="module")
def own(shop: Shop) -> Member:
    return shop.member()


@pytest.fixture(scope="module")
def other(shop: Shop) -> Member:
    return shop.member()


def _sign_in(shop: Shop, **attributes: object) -> Any:
    return shop.ask("POST", "/access-tokens", document("access-tokens", **attributes))


def _rules(*broken: tuple[str, str]) -> list[Told]:
    return [(422, "901", f"{attribute} => {text}") for attribute, text in broken]


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


class TestAccessTokens:
    def test_a_confirmed_customer_signs_in(self, shop: Shop) -> None:
        """A confirmed customer gets 201 with a pair of tokens without an id (8.1)."""
        response = shop.sign_in(shop.confirmed().upper())
        assert response.status_code == 201
        data = response.json()["data"]
        assert (data["type"], data["id"], data["links"]) == ("access-tokens", None, {"self": f"{BASE}/access-tokens"})
        assert data["attributes"].keys() == {"tokenType", "expiresIn", "accessToken", "refreshToken"}
        assert (data["attributes"]["tokenType"], data["attributes"]["expiresIn"]) == ("Bearer", 28800)
        assert re.fullmatch("def502[0-9a-f]+", data["attributes"]["refreshToken"])

    def test_the_access_token_is_a_jwt_as_legacy_clients_read_it(self, shop: Shop, own: Member) -> None:
        """The token has the header, audience, fractional times and JSON subject of 8.5."""
        header, claims = jwt.get_unverified_header(own.access_token), _claims(own.access_token)
        assert (header["typ"], header["alg"]) == ("JWT", "RS256")
        assert (claims["aud"], claims["scopes"]) == ("frontend", ["customer"])
        assert re.fullmatch("[0-9a-f]{80}", claims["jti"])
        assert claims["iat"] == claims["nbf"] == pytest.approx(claims["exp"] - 28800)
        assert isinstance(claims["sub"], str)
        number = int(own.reference.rpartition("-")[2])
        assert json.loads(claims["sub"]) == {"customer_reference": own.reference, "id_customer": number}

    @pytest.mark.parametrize(
        ("attributes", "told"),
        [
            ({}, _rules(("username", MISSING), ("password", MISSING))),
            ({"username": None, "password": None}, _rules(("username", BLANK), ("password", BLANK))),
            ({"username": "", "password": ""}, _rules(("username", BLANK), ("password", BLANK))),
            (
                {"username": "sonia", "password": "x"},
                _rules(("username", "This value is not a valid email address.")),
            ),
            (
                {"username": ["x"], "password": {}},
                _rules(
                    ("username", "This value should be of type string."),
                    ("password", "This value should be of type string."),
                ),
            ),
            ({"username": "unknown@spryker.com", "password": "x"}, NOT_SIGNED_IN),
            ({"username": "s..w@spryker.com", "password": "x"}, NOT_SIGNED_IN),
            ({"username": f"{'s' * 10_000}@spryker.com", "password": "x" * 10_000}, NOT_SIGNED_IN),
            ({"username": "\u0000@spryker.com", "password": "\u0000"}, NOT_SIGNED_IN),
        ],
    )
    def test_refusals_have_their_text(self, shop: Shop, attributes: dict[str, object], told: list[Told]) -> None:
        """Rules come before credentials, and the user name before the password (8.1)."""
        assert errors(_sign_in(shop, **attributes)) == told

    def test_all_bad_credentials_get_the_same_bytes(self, shop: Shop) -> None:
        """Wrong password, unknown, unconfirmed and erased get the same bytes (8.1)."""
        erased, pending = shop.member(), shop.pending()
        shop.ask("DELETE", erased.path, token=erased.access_token)
        tried = [
            (shop.confirmed(), "wrong"),
            (shop.new_email(), PASSWORD),
            (pending, PASSWORD),
            (erased.email, PASSWORD),
        ]
        answers = [shop.sign_in(email, password) for email, password in tried]
        assert {answer.content for answer in answers} == {answers[0].content}
        assert errors(answers[0]) == NOT_SIGNED_IN

    def test_an_address_that_is_not_confirmed_does_not_lock_out(self, shop: Shop) -> None:
        """The right password of an unconfirmed account is 401 with code 003 each time (8.1), and is not counted."""
        pending = shop.pending()
        for _ in range(10):
            assert errors(shop.sign_in(pending)) == NOT_SIGNED_IN
        assert errors(shop.sign_in(pending, "wrong")) == NOT_SIGNED_IN

    @pytest.mark.parametrize("path", ["/access-tokens", "/access-tokens/", "/refresh-tokens"])
    def test_tokens_are_not_listed(self, shop: Shop, path: str) -> None:
        """GET is an empty collection, with and without a token (1)."""
        response = shop.ask("GET", path)
        assert response.status_code == 200
        assert response.json() == {"data": [], "links": {"self": BASE + path.rstrip("/")}}

    def test_fields_are_chosen(self, shop: Shop, own: Member) -> None:
        """Sparse fieldsets apply to new tokens, and the query is in the link (2.4, 2.5)."""
        body = document("access-tokens", username=own.email, password=PASSWORD)
        data = shop.ask("POST", "/access-tokens?fields[access-tokens]=tokenType,x", body).json()["data"]
        assert data["attributes"] == {"tokenType": "Bearer"}
        assert data["links"]["self"] == f"{BASE}/access-tokens?fields[access-tokens]=tokenType,x"

    def test_id_company_user_is_a_setting(self, sqlite_url: str) -> None:
        """idCompanyUser is null where the setting is on, and absent by default (8.1)."""
        with new_shop(open_database(sqlite_url), GatewaySettings(id_company_user="on")) as shop:
            attributes = shop.sign_in(shop.confirmed()).json()["data"]["attributes"]
        assert attributes["idCompanyUser"] is None


class TestRefresh:
    def test_each_use_gives_a_new_pair(self, shop: Shop) -> None:
        """A refresh is 201 without an id, and the old access token stays valid (8.2)."""
        member = shop.member()
        response = shop.refresh(member.refresh_token)
        assert response.status_code == 201
        data = response.json()["data"]
        assert (data["type"], data["id"], data["links"]) == ("refresh-tokens", None, {"self": f"{BASE}/refresh-tokens"})
        assert data["attributes"].keys() == {"tokenType", "expiresIn", "accessToken", "refreshToken"}
        assert data["attributes"]["refreshToken"] != member.refresh_token
        for token in (member.access_token, data["attributes"]["accessToken"]):
            assert shop.ask("GET", member.path, token=token).status_code == 200

    def test_reuse_ends_the_session(self, shop: Shop) -> None:
        """After the grace a reused token ends the session: our rule, from issue 3."""
        member = shop.member()
        successor = shop.refresh(member.refresh_token).json()["data"]["attributes"]["refreshToken"]
        shop.installed.clock.move(timedelta(seconds=11))
        assert errors(shop.refresh(member.refresh_token)) == NOT_REFRESHED
        assert errors(shop.refresh(successor)) == NOT_REFRESHED

    @pytest.mark.parametrize(
        ("attributes", "told"),
        [
            ({}, _rules(("refreshToken", MISSING))),
            ({"refreshToken": None}, _rules(("refreshToken", BLANK))),
            ({"refreshToken": ""}, _rules(("refreshToken", BLANK))),
            ({"refreshToken": 5}, _rules(("refreshToken", "This value should be of type string."))),
            ({"refreshToken": "x"}, NOT_REFRESHED),
            ({"refreshToken": "def502" + "0" * 64}, NOT_REFRESHED),
            ({"refreshToken": "def502" * 10_000}, NOT_REFRESHED),
            ({"refreshToken": "\u0000ü"}, NOT_REFRESHED),
        ],
    )
    def test_refusals_have_their_text(self, shop: Shop, attributes: dict[str, object], told: list[Told]) -> None:
        """A value that is not a token breaks a rule; an unknown token is 401 with code 004 (8.2)."""
        assert errors(shop.ask("POST", "/refresh-tokens", document("refresh-tokens", **attributes))) == told

    def test_an_access_token_refreshes_nothing(self, shop: Shop, own: Member) -> None:
        """Access tokens and refresh tokens do not stand for each other (8.2)."""
        assert errors(shop.refresh(own.access_token)) == NOT_REFRESHED
        assert errors(shop.ask("GET", "/customers", token=own.refresh_token)) == DEAD


class TestRevoke:
    def test_the_own_token_is_revoked_at_once(self, shop: Shop) -> None:
        """DELETE is 204, and the token is refused afterwards (8.3)."""
        member = shop.member()
        path = f"/refresh-tokens/{member.refresh_token}"
        assert shop.ask("DELETE", path, token=member.access_token).status_code == 204
        assert errors(shop.refresh(member.refresh_token)) == NOT_REFRESHED

    @pytest.mark.parametrize("mine", [False, True])
    def test_access_tokens_outlive_the_refresh_token(self, shop: Shop, mine: bool) -> None:
        """After DELETE the access token is good until it expires, as in the shop (8.3)."""
        member = shop.member()
        path = f"/refresh-tokens/{'mine' if mine else member.refresh_token}"
        assert shop.ask("DELETE", path, token=member.access_token).status_code == 204
        assert shop.ask("GET", member.path, token=member.access_token).status_code == 200

    def test_mine_revokes_all(self, shop: Shop) -> None:
        """`mine` ends every session of the caller, and of no other customer (8.3)."""
        member, other = shop.member(), shop.member()
        second = shop.sign_in(member.email).json()["data"]["attributes"]["refreshToken"]
        assert shop.ask("DELETE", "/refresh-tokens/mine", token=member.access_token).status_code == 204
        for token in (member.refresh_token, second):
            assert errors(shop.refresh(token)) == NOT_REFRESHED
        assert shop.refresh(other.refresh_token).status_code == 201

    def test_tokens_of_others_are_left_alone(self, shop: Shop, own: Member) -> None:
        """The token of another customer is answered 204, and still refreshes (8.3)."""
        other = shop.member()
        path = f"/refresh-tokens/{other.refresh_token}"
        assert shop.ask("DELETE", path, token=own.access_token).status_code == 204
        assert shop.refresh(other.refresh_token).status_code == 201

    @pytest.mark.parametrize("token", ["x", "def502", "%20", "%00", "%0A", "%FF", "MINE", "def502" + "0" * 64])
    def test_unknown_tokens_are_done_too(self, shop: Shop, own: Member, token: str) -> None:
        """An unknown token is answered 204 (8.3)."""
        answer = shop.ask("DELETE", f"/refresh-tokens/{token}", token=own.access_token)
        assert answer.status_code == 204

    def test_a_token_of_a_hundred_kilobytes_is_one_more_unknown(self, shop: Shop, own: Member) -> None:
        """A token of a hundred kilobytes is answered 204 by the application."""
        headers = {"authorization": f"Bearer {own.access_token}"}
        app = shop.installed.client.app
        assert ask(app, "DELETE", "/refresh-tokens/" + "d" * 100_000, headers).status == 204
        assert shop.refresh(shop.member().refresh_token).status_code == 201

    def test_revoking_needs_a_token(self, shop: Shop, own: Member) -> None:
        """Without an access token the answer is 403 with code 002 (8.3)."""
        told = errors(shop.ask("DELETE", f"/refresh-tokens/{own.refresh_token}"))
        assert told == [(403, "002", "Missing access token.")]


class TestLockOut:
    def test_the_attempt_after_the_ninth_failure_is_refused(self, shop: Shop) -> None:
        """After nine failures even the right password is 429 until the block ends (8.4)."""
        email = shop.confirmed()
        for _ in range(9):
            assert errors(shop.sign_in(email, "wrong")) == NOT_SIGNED_IN
        blocked = shop.sign_in(email)
        assert errors(blocked) == LOCKED_OUT
        assert 1 <= int(blocked.headers["retry-after"]) <= 360
        german = shop.sign_in(email, accept_language="de-DE")
        assert errors(german) == [(429, "4401", "Warten Sie bitte 6 Minuten, bevor Sie es erneut versuchen.")]
        shop.installed.clock.move(timedelta(seconds=361))
        assert shop.sign_in(email).status_code == 201

    def test_the_text_names_the_whole_block(self, shop: Shop) -> None:
        """The text has the minutes of the setting, and Retry-After counts down (8.4)."""
        email = self._locked_out(shop)
        first = shop.sign_in(email)
        shop.installed.clock.move(timedelta(seconds=300))
        second = shop.sign_in(email)
        assert errors(first) == errors(second) == LOCKED_OUT
        assert int(first.headers["retry-after"]) - int(second.headers["retry-after"]) >= 299

    def test_success_does_not_reset(self, shop: Shop) -> None:
        """Eight failures, a success and a ninth failure lock out (8.4)."""
        email = shop.confirmed()
        for _ in range(8):
            shop.sign_in(email, "wrong")
        assert shop.sign_in(email).status_code == 201
        assert errors(shop.sign_in(email, "wrong")) == NOT_SIGNED_IN
        assert errors(shop.sign_in(email)) == LOCKED_OUT

    def test_failures_are_forgotten_after_the_window(self, shop: Shop) -> None:
        """Failures stop counting when the window of the first one ends (8.4)."""
        email = shop.confirmed()
        for _ in range(8):
            shop.sign_in(email, "wrong")
        shop.installed.clock.move(timedelta(seconds=900))
        for _ in range(8):
            assert errors(shop.sign_in(email, "wrong")) == NOT_SIGNED_IN
        assert shop.sign_in(email).status_code == 201

    def test_unknown_addresses_are_locked_out_too(self, shop: Shop) -> None:
        """Unknown addresses are locked out like known ones."""
        assert errors(shop.sign_in(self._locked_out(shop, shop.new_email()))) == LOCKED_OUT

    def test_refusals_by_the_rules_do_not_count(self, shop: Shop) -> None:
        """A sign-in that breaks a rule does not count as a failure (8.4)."""
        email = shop.confirmed()
        for _ in range(10):
            assert _sign_in(shop, username=email, password="").status_code == 422
        assert shop.sign_in(email).status_code == 201

    def test_the_lock_out_comes_before_token_and_rules(self, shop: Shop, own: Member) -> None:
        """Group 5 is checked after the document, and before token and rules (3.3)."""
        email = self._locked_out(shop)
        blank = document("access-tokens", username=email, password="")
        assert errors(shop.ask("POST", "/access-tokens", blank)) == LOCKED_OUT
        assert errors(shop.ask("POST", "/access-tokens", blank, token="bad")) == LOCKED_OUT
        assert errors(shop.ask("POST", "/access-tokens", blank, token=own.access_token)) == LOCKED_OUT
        wrong = document("customers", username=email, password="")
        assert errors(shop.ask("POST", "/access-tokens", wrong)) == [(400, None, "Invalid type.")]

    @staticmethod
    def _locked_out(shop: Shop, email: str | None = None) -> str:
        email = email or shop.confirmed()
        for _ in range(9):
            shop.sign_in(email, "wrong")
        return email


def _altered(token: str, **changed: object) -> str:
    """The token with other claims, signed with our key."""
    return jwt.encode(
        _claims(token) | changed, signing_keys().newest().private, "RS256", {"kid": signing_keys().newest().kid}
    )


FOREIGN_KEY = generate_private_key(public_exponent=65537, key_size=2048)
FORGERIES: dict[str, Callable[[Member, Member], str]] = {
    "truncated": lambda own, _: own.access_token[:-1],
    "without signature": lambda own, _: own.access_token.rpartition(".")[0] + ".",
    "one letter changed": lambda own, _: own.access_token[:-10] + "AAAA" + own.access_token[-6:],
    "claims of another": lambda own, other: ".".join(
        [*own.access_token.split(".")[:1], other.access_token.split(".")[1], own.access_token.split(".")[2]]
    ),
    "alg none": lambda own, _: jwt.encode(_claims(own.access_token), "", "none"),
    "alg HS256": lambda own, _: jwt.encode(
        _claims(own.access_token), "k" * 32, "HS256", {"kid": signing_keys().newest().kid}
    ),
    "another key": lambda own, _: jwt.encode(
        _claims(own.access_token), FOREIGN_KEY, "RS256", {"kid": signing_keys().newest().kid}
    ),
    "unknown key": lambda own, _: jwt.encode(_claims(own.access_token), FOREIGN_KEY, "RS256", {"kid": "x"}),
    "expired a second ago": lambda own, _: _altered(own.access_token, exp=_claims(own.access_token)["iat"] - 1),
    "from the future": lambda own, _: _altered(own.access_token, iat=_claims(own.access_token)["iat"] + 3600),
    "not valid yet": lambda own, _: _altered(own.access_token, nbf=_claims(own.access_token)["iat"] + 3600),
    "for another audience": lambda own, _: _altered(own.access_token, aud="backend"),
    "without a subject": lambda own, _: _altered(own.access_token, sub="{}"),
    "subject no JSON": lambda own, _: _altered(own.access_token, sub="DE--1"),
    "subject of another": lambda own, other: _altered(own.access_token, sub=_claims(other.access_token)["sub"]),
    "no session": lambda own, _: _altered(own.access_token, jti="0" * 80),
    "garbage": lambda _own, _other: "x",
    "dots": lambda _own, _other: "..",
    "a hundred kilobytes": lambda _own, _other: "x" * 100_000,
}


@pytest.mark.parametrize("path", ["/customers", "/access-tokens"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_tokens_open_nothing(shop: Shop, own: Member, other: Member, forgery: str, path: str) -> None:
    """A forged token is 401 with code 001 on protected and public endpoints (2.2, 8.5, issue 3)."""
    token = FORGERIES[forgery](own, other)
    assert errors(shop.ask("GET", path, token=token)) == DEAD


def test_tokens_expire(database: Database) -> None:
    """A token is valid for eight hours to the second (8.5)."""
    with new_shop(database, GatewaySettings()) as shop:
        member = shop.member()
        shop.installed.clock.move(timedelta(seconds=28_799))
        assert shop.ask("GET", member.path, token=member.access_token).status_code == 200
        shop.installed.clock.move(timedelta(seconds=1))
        assert errors(shop.ask("GET", member.path, token=member.access_token)) == DEAD
        assert shop.refresh(member.refresh_token).status_code == 201


def test_good_tokens_pass_on_public_endpoints(shop: Shop, own: Member) -> None:
    """A valid token does not matter where none is needed (2.2)."""
    body = document("customer-forgotten-password", email=own.email)
    answer = shop.ask("POST", "/customer-forgotten-password", body, token=own.access_token)
    assert answer.status_code == 204


class TestRevokedTokens:
    """A client may send its old token with every request, at the sign-in form, too (decision 0012)."""

    def test_after_a_change_of_the_password(self, shop: Shop) -> None:
        """A token that a change of the password revoked does not keep its customer from signing in (2.2, 3.2)."""
        member, new = shop.member(), "another123"
        change = document("customer-password", password=PASSWORD, newPassword=new, confirmPassword=new)
        path = f"/customer-password/{member.reference}"
        assert shop.ask("PATCH", path, change, token=member.access_token).status_code == 204
        old = {"authorization": f"Bearer {member.access_token}"}
        assert shop.sign_in(member.email, new, **old).status_code == 201
        assert errors(shop.sign_in(member.email, "wrong", **old)) == NOT_SIGNED_IN
        form = {"grant_type": "password", "username": member.email, "password": new}
        token = shop.installed.client.post("/token", data=form, headers=old)
        assert (token.status_code, token.json()["token_type"]) == (200, "Bearer")
        forgotten = document("customer-forgotten-password", email=member.email)
        answer = shop.ask("POST", "/customer-forgotten-password", forgotten, token=member.access_token)
        assert answer.status_code == 204
        assert errors(shop.ask("GET", "/customers", token=member.access_token)) == DEAD

    def test_after_an_erasure(self, shop: Shop) -> None:
        """A token of an erased customer does not keep the person from signing up again (2.2, 3.2)."""
        member = shop.member()
        shop.ask("DELETE", member.path, token=member.access_token)
        attributes = person(email=member.email)
        again = shop.ask("POST", "/customers", document("customers", **attributes), token=member.access_token)
        assert again.status_code == 201

    @pytest.mark.parametrize("changed", [{"exp": 1}, {"aud": "backend"}, {"jti": "0" * 80}])
    def test_others_stay_bad(self, shop: Shop, changed: dict[str, object]) -> None:
        """A revoked token that has also expired, or is not ours, is 401 with code 001 (2.2)."""
        member = shop.member()
        shop.ask("DELETE", "/refresh-tokens/mine", token=member.access_token)
        bad = _altered(member.access_token, **changed)
        assert errors(shop.sign_in(member.email, authorization=f"Bearer {bad}")) == DEAD
