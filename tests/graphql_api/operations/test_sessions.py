"""createAccessToken, refreshAccessToken, revokeRefreshToken and me through GraphQL."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from graphql_api.app import create_app
from graphql_api.settings import GatewaySettings
from registration.hashing.passwords import Passwords
from registration.keys.secret import Secret
from registration.keys.signing_keys import Algorithm, SigningKeys, create_signing_key, create_signing_keys
from registration.limits.lockout import DatabaseLockout, LockoutTerms
from registration.services import Services
from registration.storage.database import Database
from registration.storage.references import References
from tests.clock import Clock
from tests.registration.forms import PASSWORD, request
from tests.registration.members import confirmed
from tests.registration.signing import sign_up

ADA = {"email": "ada@example.org", "password": PASSWORD}
USER_ERROR = "... on UserError { code message }"
SIGN_IN = f"""mutation ($input: CreateAccessTokenInput!) {{ result: createAccessToken(input: $input) {{ __typename
  ... on CreateAccessTokenSuccess {{ tokens {{ tokenType accessToken expiresIn refreshToken }} }}
  ... on TooManyAttemptsError {{ retryAfterSeconds }} {USER_ERROR} }} }}"""
REFRESH = f"""mutation ($input: RefreshAccessTokenInput!) {{ result: refreshAccessToken(input: $input) {{ __typename
  ... on RefreshAccessTokenSuccess {{ tokens {{ accessToken refreshToken }} }} {USER_ERROR} }} }}"""
REVOKE = """mutation ($input: RevokeRefreshTokenInput!) { result: revokeRefreshToken(input: $input) { __typename
  ... on RevokeRefreshTokenSuccess { message } } }"""
END = f"""mutation ($input: EndSessionInput!) {{ result: endSession(input: $input) {{ __typename
  ... on EndSessionSuccess {{ message }} {USER_ERROR} }} }}"""
ME = "{ result: me { id reference email firstName } }"

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(database: Database, clock: Clock, signing_keys: SigningKeys) -> Services:
    return Services(
        database=database,
        passwords=Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=2),
        secret=Secret(b"s" * 32),
        references=References(database, "DE"),
        signing_keys=signing_keys,
        lockout=DatabaseLockout(database, LockoutTerms(failures=2), clock),
        clock=clock,
    )


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(GatewaySettings(), services)) as client:
        yield client


def ask(client: TestClient, document: str, token: str | None = None, language: str = "en", **given: Any) -> Response:
    headers = {b"accept-language": language.encode()}
    if token is not None:
        headers[b"authorization"] = f"Bearer {token}".encode("latin-1")
    body = {"query": document, "variables": {"input": given} if given else {}}
    answer: Response = client.post("/graphql", json=body, headers=headers)
    return answer


def result(answer: Response) -> Any:
    """The value of the one field, after a check that there are no errors."""
    assert answer.status_code == 200
    assert set(answer.json()) == {"data"}
    return answer.json()["data"]["result"]


def tokens_of(client: TestClient) -> dict[str, Any]:
    tokens: dict[str, Any] = result(ask(client, SIGN_IN, **ADA))["tokens"]
    return tokens


def rest_tokens(client: TestClient, kind: str, attributes: dict[str, str]) -> dict[str, Any]:
    """The pair of tokens that the JSON:API door answers."""
    answer = client.post(f"/{kind}", json={"data": {"type": kind, "attributes": attributes}})
    tokens: dict[str, Any] = answer.json()["data"]["attributes"]
    return tokens


def access(tokens: dict[str, Any]) -> str:
    return str(tokens["accessToken"])


def codes(answer: Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


class TestSigningIn:
    def test_gives_a_pair(self, client: TestClient, services: Services) -> None:
        """Signing in gives a pair of tokens, and `me` answers with the customer of the access token."""
        ada = confirmed(services)
        answer = result(ask(client, SIGN_IN, **ADA))
        assert answer["__typename"] == "CreateAccessTokenSuccess"
        assert (answer["tokens"]["tokenType"], answer["tokens"]["expiresIn"]) == ("Bearer", 28_800)
        assert result(ask(client, ME, answer["tokens"]["accessToken"])) == {
            "id": str(ada.id),
            "reference": ada.reference,
            "email": ada.email,
            "firstName": ada.first_name,
        }

    def test_a_customer_finds_only_itself_by_its_id(self, client: TestClient, services: Services) -> None:
        """`node` answers with the caller's own customer, with null for every other id, and not without a token."""
        ada, bob = confirmed(services), confirmed(services, email="bob@example.org")
        token = tokens_of(client)["accessToken"]
        refetch = "{{ result: node(id: {}) {{ __typename id ... on Customer {{ email }} }} }}"
        own = refetch.format(f'"{ada.id}"')
        assert result(ask(client, own, token)) == {"__typename": "Customer", "id": str(ada.id), "email": ada.email}
        for other in (f'"{bob.id}"', f'"{uuid4()}"', '""', "7"):
            assert result(ask(client, refetch.format(other), token)) is None
        assert codes(ask(client, own)) == ["UNAUTHENTICATED"]

    def test_refusals_are_the_same_bytes(self, client: TestClient, services: Services) -> None:
        """Unknown, wrong and malformed credentials get the same bytes."""
        unknown = ask(client, SIGN_IN, **ADA)
        confirmed(services)
        wrong = ask(client, SIGN_IN, email=ADA["email"], password="wrong password")
        no_address = ask(client, SIGN_IN, email="no address", password=PASSWORD)
        assert unknown.content == wrong.content == no_address.content
        assert result(wrong) == {
            "__typename": "BadCredentialsError",
            "code": "BAD_CREDENTIALS",
            "message": "The e-mail address or the password is wrong.",
        }

    def test_an_address_that_is_not_confirmed_is_told(self, client: TestClient, services: Services) -> None:
        """The right password of an account that is not confirmed gets a member of its own, however often it is sent."""
        sign_up(services, request())
        for _ in range(3):
            assert result(ask(client, SIGN_IN, **ADA)) == {
                "__typename": "EmailNotConfirmedError",
                "code": "EMAIL_NOT_CONFIRMED",
                "message": "Please confirm your e-mail address first: follow the link in the mail that we sent you.",
            }
        wrong = result(ask(client, SIGN_IN, email=ADA["email"], password="wrong password"))
        assert wrong["code"] == "BAD_CREDENTIALS"

    def test_speaks_german(self, client: TestClient) -> None:
        """The message is German for Accept-Language: de."""
        answer = result(ask(client, SIGN_IN, language="de", **ADA))
        assert answer["message"] == "Die E-Mail-Adresse oder das Passwort ist falsch."

    def test_lock_out_is_a_member_of_its_own(self, client: TestClient, services: Services) -> None:
        """A locked-out sign-in is answered with the seconds to wait, even with the right password."""
        confirmed(services)
        for _ in range(2):
            ask(client, SIGN_IN, email=ADA["email"], password="wrong password")
        answer = result(ask(client, SIGN_IN, **ADA))
        assert (answer["__typename"], answer["code"]) == ("TooManyAttemptsError", "TOO_MANY_ATTEMPTS")
        assert answer["retryAfterSeconds"] == 360

    @pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
    def test_a_bad_token_does_not_matter_where_none_is_needed(
        self, client: TestClient, services: Services, token: str
    ) -> None:
        """A sign-in with an invalid access token succeeds."""
        confirmed(services)
        assert result(ask(client, SIGN_IN, token, **ADA))["__typename"] == "CreateAccessTokenSuccess"


class TestRefreshing:
    def test_gives_another_pair(self, client: TestClient, services: Services) -> None:
        """A refresh token gives a new pair for the same customer, without an access token."""
        ada = confirmed(services)
        first = tokens_of(client)
        second = result(ask(client, REFRESH, refreshToken=first["refreshToken"]))["tokens"]
        assert second["refreshToken"] != first["refreshToken"]
        assert result(ask(client, ME, second["accessToken"]))["id"] == str(ada.id)

    @pytest.mark.parametrize("token", ["", "garbage", "def502" + "0" * 64, "a" * 50_000])
    def test_refusal(self, client: TestClient, token: str) -> None:
        """Unknown and malformed refresh tokens get the same answer."""
        assert result(ask(client, REFRESH, refreshToken=token)) == {
            "__typename": "RefreshTokenError",
            "code": "REFRESH_TOKEN",
            "message": "This session has ended. Please sign in again.",
        }


class TestSigningOut:
    def revoked(self, client: TestClient, token: str, **given: Any) -> bool:
        """Whether a refresh token is refused."""
        before = tokens_of(client)["refreshToken"]
        given = {name: before if value == "MINE" else value for name, value in given.items()}
        assert result(ask(client, REVOKE, token, **given)) == {
            "__typename": "RevokeRefreshTokenSuccess",
            "message": "Done.",
        }
        return bool(result(ask(client, REFRESH, refreshToken=before))["__typename"] == "RefreshTokenError")

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"refreshToken": "MINE"}, True),
            ({"refreshToken": "garbage"}, False),
            ({"refreshToken": ""}, False),
            ({"all": True}, True),
            ({"all": False}, False),
        ],
    )
    def test_answer_is_always_the_same(
        self, client: TestClient, services: Services, given: dict[str, Any], expected: bool
    ) -> None:
        """Signing out gets the same answer whether or not a session ended."""
        confirmed(services)
        assert self.revoked(client, tokens_of(client)["accessToken"], **given) == expected

    @pytest.mark.parametrize("name", ["refreshToken", "all"])
    def test_ends_access_tokens_too(self, client: TestClient, services: Services, name: str) -> None:
        """After signing out the access token of the session is refused."""
        confirmed(services)
        tokens = tokens_of(client)
        given: dict[str, Any] = {name: True if name == "all" else tokens["refreshToken"]}
        ask(client, REVOKE, tokens["accessToken"], **given)
        (error,) = ask(client, ME, tokens["accessToken"]).json()["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED", "reason": "REVOKED"}

    @pytest.mark.parametrize("given", [{"refreshToken": "a", "all": True}, {"all": None}, {"refreshToken": None}])
    def test_asks_for_one_of_the_two(self, client: TestClient, services: Services, given: dict[str, Any]) -> None:
        """Input that does not hold exactly one of the two fields is refused before anything runs."""
        confirmed(services)
        token = tokens_of(client)["accessToken"]
        assert codes(ask(client, REVOKE, token, **given)) == ["BAD_USER_INPUT"]
        fields = ", ".join(f"{name}: {json.dumps(value)}" for name, value in given.items())
        literal = f"mutation {{ revokeRefreshToken(input: {{{fields}}}) {{ __typename }} }}"
        assert codes(ask(client, literal, token)) == ["BAD_USER_INPUT"]
        empty = "mutation { revokeRefreshToken(input: {}) { __typename } }"
        assert codes(ask(client, empty, token)) == ["BAD_USER_INPUT"]


class TestAuthentication:
    @pytest.mark.parametrize("document", [ME, REVOKE], ids=["me", "revokeRefreshToken"])
    @pytest.mark.parametrize("token", [None, "", "garbage", "a.b.c", "\xff", "x" * 20_000])
    def test_is_asked_for(self, client: TestClient, document: str, token: str | None) -> None:
        """Without a valid token the answer is UNAUTHENTICATED with the challenge of RFC 9110."""
        given: dict[str, Any] = {"all": True} if document == REVOKE else {}
        answer = ask(client, document, token, **given)
        assert answer.status_code == 200
        assert answer.headers["www-authenticate"] == "Bearer"
        assert codes(answer) == ["UNAUTHENTICATED"]
        assert not (answer.json()["data"] or {}).get("result")

    def test_challenge_is_for_requests_that_lack_a_token(self, client: TestClient, services: Services) -> None:
        """Answers to other requests have no challenge."""
        confirmed(services)
        assert "www-authenticate" not in ask(client, ME, tokens_of(client)["accessToken"]).headers
        assert "www-authenticate" not in ask(client, "{ nothing }").headers

    @pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER  {} "])
    def test_scheme_is_spelt_as_one_likes(self, client: TestClient, services: Services, header: str) -> None:
        """The case of the scheme does not matter (RFC 9110)."""
        confirmed(services)
        headers = {"authorization": header.format(tokens_of(client)["accessToken"])}
        assert result(client.post("/graphql", json={"query": ME}, headers=headers))

    @pytest.mark.parametrize(
        "header", ["{}", "Basic {}", "Bearer{}", "Bearer", "Bearer x {}", "Bearer {} x", "Bearer {},{}"]
    )
    def test_other_headers_are_none(self, client: TestClient, services: Services, header: str) -> None:
        """A token alone, another scheme and two tokens count as no token."""
        confirmed(services)
        token = tokens_of(client)["accessToken"]
        headers = {"authorization": header.format(token, token)}
        assert codes(client.post("/graphql", json={"query": ME}, headers=headers)) == ["UNAUTHENTICATED"]

    def test_the_other_door_takes_the_same_tokens(self, client: TestClient, services: Services) -> None:
        """The REST door accepts tokens of GraphQL, and refuses a bad one even where none is needed."""
        confirmed(services)
        key = {"data": {"type": "customer-confirmation", "attributes": {"registrationKey": "0" * 32}}}
        token = tokens_of(client)["accessToken"]
        for sent, status in ((token, 422), (token[:-5], 401), ("garbage", 401)):
            headers = {"authorization": f"Bearer {sent}"}
            assert client.post("/customer-confirmation", json=key, headers=headers).status_code == status


class TestPublicKeys:
    def test_verify_what_we_sign(self, client: TestClient, services: Services) -> None:
        """The JWK set is enough to verify an access token."""
        confirmed(services)
        token = tokens_of(client)["accessToken"]
        answer = client.get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=300"
        (key,) = jwt.PyJWKSet.from_dict(answer.json()).keys
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        assert jwt.decode(token, key, ["RS256"], options, audience="frontend")["scopes"] == ["customer"]

    def test_have_an_algorithm_for_each_door(
        self, database: Database, services: Services, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """With keys of both, the JSON:API door signs by RS256, as the contract has it, and GraphQL by ES256."""
        directory = tmp_path_factory.mktemp("keys")
        create_signing_keys(directory, "both")
        confirmed(services)
        both = replace(services, signing_keys=SigningKeys(directory))
        with TestClient(create_app(GatewaySettings(), both)) as client:
            here = [tokens_of(client)]
            here.append(result(ask(client, REFRESH, refreshToken=here[0]["refreshToken"]))["tokens"])
            credentials = {"username": ADA["email"], "password": PASSWORD}
            there = [rest_tokens(client, "access-tokens", credentials)]
            there.append(rest_tokens(client, "refresh-tokens", {"refreshToken": there[0]["refreshToken"]}))
            plain = client.post("/token", data={"grant_type": "password"} | credentials).json()["access_token"]
        for algorithm, tokens in (("ES256", [*map(access, here)]), ("RS256", [*map(access, there), plain])):
            assert {jwt.get_unverified_header(each)["alg"] for each in tokens} == {algorithm}

    def test_are_all_and_public(
        self, database: Database, services: Services, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """The JWK set has every key that verifies, the newest first, and no private member."""
        directory = tmp_path_factory.mktemp("keys")
        kids = [create_signing_key(directory, algorithm) for algorithm in ALGORITHMS]
        rotated = replace(services, signing_keys=SigningKeys(directory))
        with TestClient(create_app(GatewaySettings(), rotated)) as client:
            keys = client.get("/.well-known/jwks.json").json()["keys"]
        assert [key["kid"] for key in keys] == kids[::-1]
        assert [key["alg"] for key in keys] == [*ALGORITHMS[::-1]]
        about = {"kid", "use", "alg", "kty"}
        assert [set(key) - about for key in keys] == [{"crv", "x", "y"}, {"n", "e"}]
        assert [key.algorithm_name for key in jwt.PyJWKSet.from_dict({"keys": keys}).keys] == [*ALGORITHMS[::-1]]


class TestList:
    def test_shows_sessions_and_ends_one(self, client: TestClient, services: Services, clock: Clock) -> None:
        """`sessions` shows where the customer is signed in; `endSession` ends one, and an id is good once."""
        confirmed(services)
        first, second = (tokens_of(client)["accessToken"] for _ in range(2))
        fields = "id device place firstUsedAt lastUsedAt current"
        own, other = result(ask(client, f"{{ result: sessions {{ {fields} }} }}", second))
        moment = clock.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"device": None, "place": None, "firstUsedAt": own["firstUsedAt"], "lastUsedAt": own["firstUsedAt"]}
        assert own["firstUsedAt"][:19] == moment[:19]
        assert own == {**told, "id": own["id"], "current": True}
        assert other == {**told, "id": other["id"], "current": False}
        assert result(ask(client, END, second, id=other["id"])) == {
            "__typename": "EndSessionSuccess",
            "message": "Done.",
        }
        assert codes(ask(client, ME, first)) == ["UNAUTHENTICATED"]
        assert result(ask(client, END, second, id=other["id"])) == {
            "__typename": "SessionNotFoundError",
            "code": "SESSION_NOT_FOUND",
            "message": "This device is signed out already.",
        }
        assert [each["id"] for each in result(ask(client, "{ result: sessions { id } }", second))] == [own["id"]]

    @pytest.mark.parametrize("document", ["{ result: sessions { id } }", END], ids=["sessions", "endSession"])
    def test_is_for_the_customer(self, client: TestClient, document: str) -> None:
        """Without an access token neither operation does anything."""
        given = {"id": "x"} if "mutation" in document else {}
        assert codes(ask(client, document, **given)) == ["UNAUTHENTICATED"]
