"""Access tokens: what is in one, and what is not one."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from registration.keys.signing_keys import SigningKeys, create_signing_key
from registration.services import Services
from registration.sessions.access_tokens import MAX_LENGTH, Caller, authenticate
from registration.sessions.sessions import end_sessions
from registration.storage.tables import customer
from tests.clock import Clock
from tests.registration.members import Member, confirmed, member, signed_in

LIFETIME = timedelta(hours=8)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(services: Services) -> Member:
    return member(services)


def segment(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def part(token: str, number: int) -> dict[str, Any]:
    """The header (0) or the claims (1)."""
    text = token.split(".")[number]
    read: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


def resigned(services: Services, token: str, claims: dict[str, Any], remove: str = "") -> str:
    """The token with other claims, signed with our own key."""
    key = services.signing_keys.newest()
    changed = part(token, 1) | claims
    changed.pop(remove, None)
    return jwt.encode(changed, key.private, "RS256", headers={"kid": key.kid})


def caller_of(services: Services, token: str) -> Caller | None:
    return authenticate(services, token)


class TestContent:
    def test_is_the_token_of_the_contract(self, services: Services, ada: Member, clock: Clock) -> None:
        """Header and claims, with a `sub` that is a text of JSON."""
        token = ada.tokens.access_token
        claims = part(token, 1)
        now = clock.now.timestamp()
        assert part(token, 0) == {"alg": "RS256", "kid": services.signing_keys.newest().kid, "typ": "JWT"}
        assert len(claims.pop("jti")) == 80
        assert json.loads(claims.pop("sub")) == {
            "customer_reference": ada.customer.reference,
            "id_customer": str(ada.customer.id),
        }
        assert claims == {
            "aud": "frontend",
            "iat": now,
            "nbf": now,
            "exp": now + 28_800,
            "scopes": ["customer"],
        }
        assert ada.tokens.expires_in == 28_800

    def test_is_good_for_whoever_has_the_public_key(self, services: Services, ada: Member) -> None:
        """A legacy verifier needs nothing of ours."""
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        public = services.signing_keys.newest().public
        assert jwt.decode(ada.tokens.access_token, public, ["RS256"], options, audience="frontend")["scopes"]

    def test_names_its_session(self, services: Services, ada: Member) -> None:
        """Tokens of one sign-in have it in common, and nothing else in their jti."""
        jti = part(ada.tokens.access_token, 1)["jti"]
        other = part(signed_in(services).access_token, 1)["jti"]
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        assert jti.startswith(caller.session_id.hex)
        assert jti[:32] != other[:32]
        assert jti[32:] != other[32:]

    def test_tells_who_holds_it(self, services: Services, ada: Member) -> None:
        """The customer as stored now."""
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        assert caller.customer == ada.customer

    def test_caller_shows_no_person(self, services: Services, ada: Member) -> None:
        """A caller in a log line is a session."""
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        # Not by a look for her name: "ada" is hexadecimal, too.
        assert repr(caller) == f"Caller(session_id={caller.session_id!r})"


class TestTime:
    def test_is_good_until_it_expires(self, services: Services, ada: Member, clock: Clock) -> None:
        """To the instant."""
        clock.move(LIFETIME - timedelta(milliseconds=1))
        assert caller_of(services, ada.tokens.access_token)
        clock.move(timedelta(milliseconds=1))
        assert caller_of(services, ada.tokens.access_token) is None

    def test_expired_by_a_second(self, services: Services, ada: Member, clock: Clock) -> None:
        """There is no mercy at the end."""
        expired = resigned(services, ada.tokens.access_token, {"exp": (clock.now - timedelta(seconds=1)).timestamp()})
        assert caller_of(services, expired) is None

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_from_the_future(self, services: Services, ada: Member, clock: Clock, claim: str) -> None:
        """Refused, but for what the clocks of two nodes may differ by."""
        in_a_second, later = ((clock.now + timedelta(seconds=seconds)).timestamp() for seconds in (1, 1.001))
        now, ahead = ({claim: moment} for moment in (in_a_second, later))
        assert caller_of(services, resigned(services, ada.tokens.access_token, now))
        assert caller_of(services, resigned(services, ada.tokens.access_token, ahead)) is None

    def test_lifetime_is_a_setting(self, services: Services, clock: Clock) -> None:
        """Of seconds."""
        short = replace(services, sessions=replace(services.sessions, access_token=timedelta(seconds=60)))
        tokens = member(short).tokens
        assert tokens.expires_in == 60
        clock.move(timedelta(seconds=60))
        assert caller_of(services, tokens.access_token) is None


class TestForgery:
    def test_signed_by_another_key(self, services: Services, ada: Member, tmp_path: Path) -> None:
        """Also under the name of ours."""
        create_signing_key(tmp_path)
        other = SigningKeys(tmp_path).newest()
        claims = part(ada.tokens.access_token, 1)
        for kid in (other.kid, services.signing_keys.newest().kid):
            assert caller_of(services, jwt.encode(claims, other.private, "RS256", headers={"kid": kid})) is None

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
    @pytest.mark.parametrize("signature", ["", "AA"])
    def test_not_signed(self, services: Services, ada: Member, algorithm: str, signature: str) -> None:
        """alg none, however it is spelt."""
        header = part(ada.tokens.access_token, 0) | {"alg": algorithm}
        claims = ada.tokens.access_token.split(".")[1]
        assert caller_of(services, f"{segment(json.dumps(header).encode())}.{claims}.{signature}") is None

    def test_signed_with_the_public_key(self, services: Services, ada: Member) -> None:
        """HS256, for which the key that everybody knows would be the secret."""
        public = services.signing_keys.newest().public
        header = part(ada.tokens.access_token, 0) | {"alg": "HS256"}
        signed = f"{segment(json.dumps(header).encode())}.{ada.tokens.access_token.split('.')[1]}"
        for encoding, shape in (
            (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.PEM, PublicFormat.PKCS1),
        ):
            signature = hmac.new(public.public_bytes(encoding, shape), signed.encode(), sha256).digest()
            assert caller_of(services, f"{signed}.{segment(signature)}") is None

    @pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
    def test_signed_with_another_algorithm(self, services: Services, ada: Member, algorithm: str) -> None:
        """Our key counts with RS256 only."""
        key = services.signing_keys.newest()
        claims = part(ada.tokens.access_token, 1)
        assert caller_of(services, jwt.encode(claims, key.private, algorithm, headers={"kid": key.kid})) is None

    def test_brings_its_own_key(self, services: Services, ada: Member) -> None:
        """Headers that name a key are not read."""
        other = rsa.generate_private_key(65537, 2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key(), as_dict=True)
        headers = {"kid": services.signing_keys.newest().kid, "jwk": public, "jku": "http://127.0.0.1/"}
        forged = jwt.encode(part(ada.tokens.access_token, 1), other, "RS256", headers=headers)
        assert caller_of(services, forged) is None

    def test_swapped_between_customers(self, services: Services, ada: Member) -> None:
        """No part of one customer's token makes another's better, not even of tokens that we signed."""
        ben = member(services, email="ben@example.org")
        ours, others = ada.tokens.access_token, ben.tokens.access_token
        for mixed in zip(
            *([token.split(".") for token in pair] for pair in ((ours, others), (others, ours))), strict=True
        ):
            (a, b) = mixed
            assert caller_of(services, ".".join([a[0], b[1], a[2]])) is None
        assert caller_of(services, resigned(services, ours, {"sub": part(others, 1)["sub"]})) is None
        assert caller_of(services, resigned(services, ours, {"jti": part(others, 1)["jti"]})) is None

    def test_truncated(self, services: Services, ada: Member) -> None:
        """At any place."""
        token = ada.tokens.access_token
        for end in range(0, len(token), 7):
            assert caller_of(services, token[:end]) is None
            assert caller_of(services, token[end + 1 :]) is None
        assert caller_of(services, token[:-1]) is None

    def test_changed(self, services: Services, ada: Member) -> None:
        """In any character but the last, which holds bits that no signature has."""
        token = ada.tokens.access_token
        for place in range(0, len(token) - 1, 11):
            other = "A" if token[place] != "A" else "B"
            assert caller_of(services, token[:place] + other + token[place + 1 :]) is None

    def test_huge(self, services: Services, ada: Member) -> None:
        """It is not even read."""
        token = ada.tokens.access_token
        for huge in ("a" * 1_000_000, f"{'a' * 1_000_000}.b.c", f"{token}{'A' * MAX_LENGTH}"):
            assert caller_of(services, huge) is None
        assert caller_of(services, resigned(services, token, {"padding": "x" * MAX_LENGTH})) is None

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"null",
            b"[]",
            b'"RS256"',
            b"{}",
            b"\xff",
            b"[" * 2000,
            b'{"a":' * 600,
            b'{"alg":"RS256","kid":1}',
            b'{"alg":"RS256","kid":["a"]}',
            b'{"alg":"RS256","kid":null}',
            b'{"alg":"RS256"}',
            b'{"alg":["RS256"],"kid":"KID"}',
            b'{"alg":null,"kid":"KID"}',
            b'{"kid":"KID"}',
            b'{"alg":"RS256","kid":"KID","crit":["x"],"x":1}',
            b'{"alg":"RS256","kid":"KID","b64":false,"crit":["b64"]}',
            b'{"alg":"RS256","kid":"../secret"}',
            b'{"alg":"RS256","kid":"\\u0000"}',
            b'{"alg":"RS256","kid":"\\ud800"}',
        ],
    )
    def test_strange_headers(self, services: Services, ada: Member, header: bytes) -> None:
        """Whatever a header holds, it is no token."""
        claims, signature = ada.tokens.access_token.split(".")[1:]
        strange = header.replace(b"KID", services.signing_keys.newest().kid.encode())
        assert caller_of(services, f"{segment(strange)}.{claims}.{signature}") is None

    @given(text=st.text() | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,20}\.[\w-]{1,20}", fullmatch=True))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_noise(self, services: Services, text: str) -> None:
        """No text raises."""
        assert caller_of(services, text) is None


class TestForeignClaims:
    """Tokens that our key signed and we did not: those of the shop that we replace, say."""

    @pytest.mark.parametrize("claim", ["aud", "jti", "iat", "nbf", "exp", "sub"])
    def test_absent(self, services: Services, ada: Member, claim: str) -> None:
        """Each claim is needed."""
        assert caller_of(services, resigned(services, ada.tokens.access_token, {}, remove=claim)) is None

    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": '{"customer_reference":"DE--21","id_customer":21}'},
            {"sub": '{"customer_reference":"DE--21"}'},
            {"sub": "[]"},
            {"sub": "DE--21"},
            {"sub": "[" * 2000},
            {"sub": "null"},
            {"jti": "f" * 80},
            {"jti": "x" * 80},
            {"jti": ""},
            {"exp": 1e300},
            {"exp": -1e300},
            {"exp": 1e18},
            {"nbf": -1e18},
            {"exp": "tomorrow"},
            {"exp": True},
            {"iat": None},
            {"iat": float("nan")},
            {"nbf": []},
            {"nbf": float("inf")},
            {"aud": "another"},
            {"aud": []},
        ],
        ids=lambda claims: str(claims)[:40],
    )
    def test_of_another_form(self, services: Services, ada: Member, claims: dict[str, Any]) -> None:
        """None of them is good, and none raises."""
        assert caller_of(services, resigned(services, ada.tokens.access_token, claims)) is None

    def test_claims_that_are_no_object(self, services: Services) -> None:
        """A signature over anything else is no token."""
        key = services.signing_keys.newest()
        for content in (b"[]", b"null", b"x", b"[" * 2000):
            signed = jwt.api_jws.encode(content, key.private, "RS256", headers={"kid": key.kid})
            assert caller_of(services, signed) is None

    def test_audience_is_a_setting(self, services: Services, ada: Member) -> None:
        """Tokens for another are not for us."""
        shop = replace(services, sessions=replace(services.sessions, audience="shop"))
        tokens = signed_in(shop)
        assert part(tokens.access_token, 1)["aud"] == "shop"
        assert caller_of(shop, tokens.access_token)
        assert caller_of(services, tokens.access_token) is None
        assert caller_of(shop, ada.tokens.access_token) is None


class TestEnd:
    def test_customer_gone(self, services: Services, ada: Member) -> None:
        """The row or the person."""
        services.database.write(
            lambda connection: connection.execute(update(customer).values(anonymized_at=services.clock()))
        )
        assert caller_of(services, ada.tokens.access_token) is None
        services.database.write(lambda connection: connection.execute(delete(customer)))
        assert caller_of(services, ada.tokens.access_token) is None

    def test_password_changed(self, services: Services, ada: Member, clock: Clock) -> None:
        """Tokens issued at that moment or before are refused, those of later ones not."""

        def change(at: datetime) -> None:
            services.database.write(
                lambda connection: connection.execute(update(customer).values(password_changed_at=at))
            )

        change(clock.now - INSTANT)
        assert caller_of(services, ada.tokens.access_token)
        change(clock.now)
        assert caller_of(services, ada.tokens.access_token) is None
        assert caller_of(services, signed_in(services).access_token)

    def test_password_changed_by_a_clock_that_is_ahead(self, services: Services, ada: Member, clock: Clock) -> None:
        """Who signs in after a change can work with the token, although our clock says it was before."""
        ahead = clock.now + timedelta(milliseconds=500)
        services.database.write(
            lambda connection: connection.execute(update(customer).values(password_changed_at=ahead))
        )
        assert caller_of(services, signed_in(services).access_token)
        assert caller_of(services, ada.tokens.access_token) is None

    def test_session_ended(self, services: Services, ada: Member, clock: Clock) -> None:
        """The other sessions of the customer are not touched by that."""
        other = signed_in(services)
        kept = caller_of(services, other.access_token)
        assert kept is not None
        services.database.write(
            lambda connection: end_sessions(connection, ada.customer.id, clock.now, keep=kept.session_id)
        )
        assert caller_of(services, ada.tokens.access_token) is None
        assert caller_of(services, other.access_token) == kept


def test_rotation_signs_nobody_out(services: Services, tmp_path: Path, clock: Clock) -> None:
    """A token is good as long as the file of its key is there, whichever key signs meanwhile."""
    create_signing_key(tmp_path)
    rotated = replace(services, signing_keys=SigningKeys(tmp_path, lambda: clock().timestamp()))
    old = member(rotated).tokens.access_token
    new_kid = create_signing_key(tmp_path)
    clock.move(timedelta(seconds=1))
    new = signed_in(rotated).access_token
    assert part(new, 0)["kid"] == new_kid != part(old, 0)["kid"]
    assert caller_of(rotated, old)
    assert caller_of(rotated, new)


def test_two_nodes_with_one_directory(services: Services, tmp_path: Path, clock: Clock) -> None:
    """One node takes what the other signs with a key that it has never seen."""
    create_signing_key(tmp_path)
    one = replace(services, signing_keys=SigningKeys(tmp_path))
    create_signing_key(tmp_path)
    other = replace(services, signing_keys=SigningKeys(tmp_path))
    assert caller_of(one, member(other).tokens.access_token)


def test_unknown_customer(services: Services, ada: Member) -> None:
    """A token for a customer who never was."""
    sub = json.dumps({"customer_reference": "DE--0", "id_customer": str(uuid4())})
    assert caller_of(services, resigned(services, ada.tokens.access_token, {"sub": sub})) is None
    assert confirmed(services, email="ben@example.org").confirmed_at == datetime(2026, 11, 23, 13, 36, 29, 123456, UTC)
