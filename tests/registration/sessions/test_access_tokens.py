"""Access tokens: what one holds, and which texts are none."""

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

from registration.keys.signing_keys import Algorithm, SigningKeys, create_signing_key
from registration.services import Services
from registration.sessions.access_tokens import MAX_LENGTH, BadToken, Caller
from registration.sessions.sessions import end_sessions
from registration.storage.tables import customer
from tests.clock import Clock
from tests.registration.callers import authenticate
from tests.registration.members import Member, confirmed, member, signed_in

LIFETIME = timedelta(hours=8)
INSTANT = timedelta(microseconds=1)
INVALID, REVOKED = BadToken.INVALID, BadToken.REVOKED


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
    """The token with changed claims, signed with our own key."""
    key = services.signing_keys.newest()
    changed = part(token, 1) | claims
    changed.pop(remove, None)
    return jwt.encode(changed, key.private, "RS256", headers={"kid": key.kid})


def caller_of(services: Services, token: str) -> Caller | None:
    found = authenticate(services, token)
    return found if isinstance(found, Caller) else None


class TestContent:
    def test_is_the_token_of_the_contract(self, services: Services, ada: Member, clock: Clock) -> None:
        """An access token has the header and the claims of the contract, with a `sub` that is a text of JSON."""
        token = ada.tokens.access_token
        claims = part(token, 1)
        now = clock.now.timestamp()
        assert part(token, 0) == {"alg": "RS256", "kid": services.signing_keys.newest().kid, "typ": "JWT"}
        assert len(claims.pop("jti")) == 80
        assert json.loads(claims.pop("sub")) == {
            "customer_reference": ada.customer.reference,
            "id_customer": int(ada.customer.reference.removeprefix("DE--")),
        }
        assert claims == {
            "customer_id": str(ada.customer.id),
            "aud": "frontend",
            "iat": now,
            "nbf": now,
            "exp": now + 28_800,
            "scopes": ["customer"],
        }
        assert ada.tokens.expires_in == 28_800

    def test_has_no_number_that_the_reference_lacks(self, services: Services, ada: Member) -> None:
        """Where the reference has no number, as one that a shop imported, the subject has no `id_customer`."""
        services.database.write(
            lambda connection: connection.execute(update(customer).values(reference="8bc09e7c-imported"))
        )
        token = signed_in(services).access_token
        assert json.loads(part(token, 1)["sub"]) == {"customer_reference": "8bc09e7c-imported"}
        assert caller_of(services, token)
        assert authenticate(services, ada.tokens.access_token) is INVALID

    def test_is_verified_with_the_public_key(self, services: Services, ada: Member) -> None:
        """A legacy verifier needs only the public key."""
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        public = services.signing_keys.newest().public
        assert jwt.decode(ada.tokens.access_token, public, ["RS256"], options, audience="frontend")["scopes"]

    def test_names_its_session(self, services: Services, ada: Member) -> None:
        """The jti of a token begins with its session's id, and the rest of it is unique."""
        jti = part(ada.tokens.access_token, 1)["jti"]
        other = part(signed_in(services).access_token, 1)["jti"]
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        assert jti.startswith(caller.session_id.hex)
        assert jti[:32] != other[:32]
        assert jti[32:] != other[32:]

    def test_authenticates_its_customer(self, services: Services, ada: Member) -> None:
        """The caller of a token is the customer as stored now."""
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        assert caller.customer == ada.customer

    def test_repr_of_a_caller_holds_no_person(self, services: Services, ada: Member) -> None:
        """The repr of a caller has only the session's id and age."""
        caller = caller_of(services, ada.tokens.access_token)
        assert caller is not None
        # Not by a look for her name: "ada" is hexadecimal, too.
        assert repr(caller) == f"Caller(session_id={caller.session_id!r}, signed_in_at={caller.signed_in_at!r})"


class TestTime:
    def test_is_good_until_it_expires(self, services: Services, ada: Member, clock: Clock) -> None:
        """A token is good until a millisecond before it expires."""
        clock.move(LIFETIME - timedelta(milliseconds=1))
        assert caller_of(services, ada.tokens.access_token)
        clock.move(timedelta(milliseconds=1))
        assert authenticate(services, ada.tokens.access_token) is INVALID

    def test_expired_by_a_second(self, services: Services, ada: Member, clock: Clock) -> None:
        """A token that expired a second ago is refused: clocks get no allowance at the end."""
        expired = resigned(services, ada.tokens.access_token, {"exp": (clock.now - timedelta(seconds=1)).timestamp()})
        assert authenticate(services, expired) is INVALID

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_from_the_future(self, services: Services, ada: Member, clock: Clock, claim: str) -> None:
        """A token from the future is refused, but for the second that the clocks of two nodes may differ by."""
        in_a_second, later = ((clock.now + timedelta(seconds=seconds)).timestamp() for seconds in (1, 1.001))
        now, ahead = ({claim: moment} for moment in (in_a_second, later))
        assert caller_of(services, resigned(services, ada.tokens.access_token, now))
        assert authenticate(services, resigned(services, ada.tokens.access_token, ahead)) is INVALID

    @pytest.mark.parametrize("years", [-20, 50])
    def test_the_clock_of_the_machine_does_not_count(self, services: Services, clock: Clock, years: int) -> None:
        """A token is good by the clock of the services, also where the machine's clock is years away from it."""
        clock.move(timedelta(days=365 * years))
        assert caller_of(services, member(services).tokens.access_token)

    def test_lifetime_is_a_setting(self, services: Services, clock: Clock) -> None:
        """The lifetime of a token is a setting."""
        short = replace(services, sessions=replace(services.sessions, access_token=timedelta(seconds=60)))
        tokens = member(short).tokens
        assert tokens.expires_in == 60
        clock.move(timedelta(seconds=60))
        assert authenticate(services, tokens.access_token) is INVALID


class TestForgery:
    def test_signed_by_another_key(self, services: Services, ada: Member, tmp_path: Path) -> None:
        """A token signed with another key is refused, also under the id of ours."""
        create_signing_key(tmp_path)
        other = SigningKeys(tmp_path).newest()
        claims = part(ada.tokens.access_token, 1)
        for kid in (other.kid, services.signing_keys.newest().kid):
            assert authenticate(services, jwt.encode(claims, other.private, "RS256", headers={"kid": kid})) is INVALID

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
    @pytest.mark.parametrize("signature", ["", "AA"])
    def test_not_signed(self, services: Services, ada: Member, algorithm: str, signature: str) -> None:
        """A token without a signature is refused, however `none` is written."""
        header = part(ada.tokens.access_token, 0) | {"alg": algorithm}
        claims = ada.tokens.access_token.split(".")[1]
        assert authenticate(services, f"{segment(json.dumps(header).encode())}.{claims}.{signature}") is INVALID

    def test_signed_with_the_public_key(self, services: Services, ada: Member) -> None:
        """A token signed by HS256 with our public key as the secret is refused."""
        public = services.signing_keys.newest().public
        header = part(ada.tokens.access_token, 0) | {"alg": "HS256"}
        signed = f"{segment(json.dumps(header).encode())}.{ada.tokens.access_token.split('.')[1]}"
        for encoding, shape in (
            (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            (Encoding.PEM, PublicFormat.PKCS1),
        ):
            signature = hmac.new(public.public_bytes(encoding, shape), signed.encode(), sha256).digest()
            assert authenticate(services, f"{signed}.{segment(signature)}") is INVALID

    @pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
    def test_signed_with_another_algorithm(self, services: Services, ada: Member, algorithm: str) -> None:
        """A token signed with our key by another algorithm than RS256 is refused."""
        key = services.signing_keys.newest()
        claims = part(ada.tokens.access_token, 1)
        assert authenticate(services, jwt.encode(claims, key.private, algorithm, headers={"kid": key.kid})) is INVALID

    @pytest.mark.parametrize(("made", "claimed"), [("RS256", "ES256"), ("ES256", "RS256")])
    def test_an_algorithm_belongs_to_its_key(
        self, services: Services, ada: Member, tmp_path: Path, made: Algorithm, claimed: Algorithm
    ) -> None:
        """A token whose header names a key of ours and the algorithm of the other one is refused."""
        kids: dict[str, str] = {each: create_signing_key(tmp_path, each) for each in (made, claimed)}
        both = replace(services, signing_keys=SigningKeys(tmp_path))
        signer = both.signing_keys.find(kids[claimed])
        assert signer
        claims = part(ada.tokens.access_token, 1)

        def signed(kid: str) -> str:
            return jwt.encode(claims, signer.private, signer.algorithm, headers={"kid": kid})

        assert isinstance(authenticate(both, signed(kids[claimed])), Caller)
        assert authenticate(both, signed(kids[made])) is INVALID

    def test_the_public_key_is_no_shared_secret(self, services: Services, ada: Member, tmp_path: Path) -> None:
        """A token whose MAC has the public P-256 key as its key is refused."""
        kid = create_signing_key(tmp_path, "ES256")
        curve = replace(services, signing_keys=SigningKeys(tmp_path))
        public = curve.signing_keys.newest().public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        header = segment(json.dumps({"alg": "HS256", "kid": kid, "typ": "JWT"}).encode())
        signed = f"{header}.{ada.tokens.access_token.split('.')[1]}"
        signature = hmac.new(public, signed.encode(), sha256).digest()
        assert authenticate(curve, f"{signed}.{segment(signature)}") is INVALID

    def test_brings_its_own_key(self, services: Services, ada: Member) -> None:
        """A key in the header of a token is ignored."""
        other = rsa.generate_private_key(65537, 2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key(), as_dict=True)
        headers = {"kid": services.signing_keys.newest().kid, "jwk": public, "jku": "http://127.0.0.1/"}
        forged = jwt.encode(part(ada.tokens.access_token, 1), other, "RS256", headers=headers)
        assert authenticate(services, forged) is INVALID

    def test_swapped_between_customers(self, services: Services, ada: Member) -> None:
        """A token made of parts of two customers' tokens is refused, also if it is signed with our key."""
        ben = member(services, email="ben@example.org")
        ours, others = ada.tokens.access_token, ben.tokens.access_token
        for mixed in zip(
            *([token.split(".") for token in pair] for pair in ((ours, others), (others, ours))), strict=True
        ):
            (a, b) = mixed
            assert authenticate(services, ".".join([a[0], b[1], a[2]])) is INVALID
        for claim in ("sub", "customer_id"):
            assert authenticate(services, resigned(services, ours, {claim: part(others, 1)[claim]})) is INVALID
        assert authenticate(services, resigned(services, ours, {"jti": part(others, 1)["jti"]})) is INVALID

    def test_truncated(self, services: Services, ada: Member) -> None:
        """A token that is cut at any place is refused."""
        token = ada.tokens.access_token
        for end in range(0, len(token), 7):
            assert authenticate(services, token[:end]) is INVALID
            assert authenticate(services, token[end + 1 :]) is INVALID
        assert authenticate(services, token[:-1]) is INVALID

    def test_changed(self, services: Services, ada: Member) -> None:
        """A token with another character is refused, but for the last, which holds bits that no signature has."""
        token = ada.tokens.access_token
        for place in range(0, len(token) - 1, 11):
            other = "A" if token[place] != "A" else "B"
            assert authenticate(services, token[:place] + other + token[place + 1 :]) is INVALID

    def test_huge(self, services: Services, ada: Member) -> None:
        """A text over the greatest length is refused."""
        token = ada.tokens.access_token
        for huge in ("a" * 1_000_000, f"{'a' * 1_000_000}.b.c", f"{token}{'A' * MAX_LENGTH}"):
            assert authenticate(services, huge) is INVALID
        assert authenticate(services, resigned(services, token, {"padding": "x" * MAX_LENGTH})) is INVALID

    @pytest.mark.long
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
        """A token with any other header is refused and raises nothing."""
        claims, signature = ada.tokens.access_token.split(".")[1:]
        strange = header.replace(b"KID", services.signing_keys.newest().kid.encode())
        assert authenticate(services, f"{segment(strange)}.{claims}.{signature}") is INVALID

    @pytest.mark.long
    @given(text=st.text() | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,20}\.[\w-]{1,20}", fullmatch=True))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_noise(self, services: Services, text: str) -> None:
        """Any text is refused and raises nothing."""
        assert authenticate(services, text) is INVALID


class TestForeignClaims:
    """Tokens that were signed with our key in another form, as by the shop that is replaced."""

    @pytest.mark.parametrize("claim", ["aud", "jti", "iat", "nbf", "exp", "sub", "scopes"])
    def test_absent(self, services: Services, ada: Member, claim: str) -> None:
        """A token that lacks one claim is refused."""
        assert authenticate(services, resigned(services, ada.tokens.access_token, {}, remove=claim)) is INVALID

    @pytest.mark.long
    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": '{"customer_reference":"DE--21","id_customer":21}'},
            {"sub": '{"customer_reference":"DE--21"}'},
            {"sub": "[]"},
            {"sub": "DE--21"},
            {"sub": "[" * 2000},
            {"sub": "null"},
            {"sub": '{"id_customer":21}'},
            {"customer_id": 21},
            {"customer_id": None},
            {"customer_id": "21"},
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
        """A token with a claim of another form is refused and raises nothing."""
        assert authenticate(services, resigned(services, ada.tokens.access_token, claims)) is INVALID

    def test_claims_that_are_no_object(self, services: Services) -> None:
        """A token whose claims are no JSON object is refused."""
        key = services.signing_keys.newest()
        for content in (b"[]", b"null", b"x", b"[" * 2000):
            signed = jwt.api_jws.encode(content, key.private, "RS256", headers={"kid": key.kid})
            assert authenticate(services, signed) is INVALID

    @pytest.mark.parametrize("scopes", [[], ["company_user"], ["customers"], "customer", {}, None, 1])
    def test_for_another_purpose(self, services: Services, ada: Member, scopes: object) -> None:
        """A token that is not for a customer's account is refused, although it is signed with our key."""
        token = ada.tokens.access_token
        assert authenticate(services, resigned(services, token, {"scopes": scopes})) is INVALID
        assert caller_of(services, resigned(services, token, {"scopes": ["company_user", "customer"]}))

    def test_audience_is_a_setting(self, services: Services, ada: Member) -> None:
        """The audience is a setting, and a token for another audience is refused."""
        shop = replace(services, sessions=replace(services.sessions, audience="shop"))
        tokens = signed_in(shop)
        assert part(tokens.access_token, 1)["aud"] == "shop"
        assert caller_of(shop, tokens.access_token)
        assert authenticate(services, tokens.access_token) is INVALID
        assert authenticate(shop, ada.tokens.access_token) is INVALID


class TestEnd:
    def test_customer_gone(self, services: Services, ada: Member) -> None:
        """A token of a customer who is erased, or whose row is deleted, is refused."""
        services.database.write(
            lambda connection: connection.execute(update(customer).values(anonymized_at=services.clock()))
        )
        assert authenticate(services, ada.tokens.access_token) is REVOKED
        services.database.write(lambda connection: connection.execute(delete(customer)))
        assert authenticate(services, ada.tokens.access_token) is INVALID

    def test_password_changed(self, services: Services, ada: Member, clock: Clock) -> None:
        """A token that was issued before the password changed, or at that moment, is refused; a later one is good."""

        def change(at: datetime) -> None:
            services.database.write(
                lambda connection: connection.execute(update(customer).values(password_changed_at=at))
            )

        change(clock.now - INSTANT)
        assert caller_of(services, ada.tokens.access_token)
        change(clock.now)
        assert authenticate(services, ada.tokens.access_token) is REVOKED
        assert caller_of(services, signed_in(services).access_token)

    def test_password_changed_by_a_clock_that_is_ahead(self, services: Services, ada: Member, clock: Clock) -> None:
        """A token issued after a change of the password by a node with a faster clock is good."""
        ahead = clock.now + timedelta(milliseconds=500)
        services.database.write(
            lambda connection: connection.execute(update(customer).values(password_changed_at=ahead))
        )
        assert caller_of(services, signed_in(services).access_token)
        assert authenticate(services, ada.tokens.access_token) is REVOKED

    def test_session_ended(self, services: Services, ada: Member, clock: Clock) -> None:
        """A token of an ended session is refused; those of other sessions are good."""
        other = signed_in(services)
        kept = caller_of(services, other.access_token)
        assert kept is not None
        services.database.write(
            lambda connection: end_sessions(connection, ada.customer.id, clock.now, keep=kept.session_id)
        )
        assert authenticate(services, ada.tokens.access_token) is REVOKED
        assert caller_of(services, other.access_token) == kept


def test_tokens_of_an_older_key_stay_good(services: Services, tmp_path: Path, clock: Clock) -> None:
    """A token is good while the file of its key is there, whichever key signs by then, and by which algorithm."""
    create_signing_key(tmp_path)
    rotated = replace(services, signing_keys=SigningKeys(tmp_path, lambda: clock().timestamp()))
    old = member(rotated).tokens.access_token
    new_kid = create_signing_key(tmp_path, "ES256")
    clock.move(timedelta(seconds=1))
    new = signed_in(rotated).access_token
    assert part(new, 0)["kid"] == new_kid != part(old, 0)["kid"]
    assert [part(each, 0)["alg"] for each in (old, new)] == ["RS256", "ES256"]
    assert caller_of(rotated, old)
    assert caller_of(rotated, new)


def test_two_nodes_with_one_directory(services: Services, tmp_path: Path, clock: Clock) -> None:
    """A node accepts a token that another one signed with a key which it has not read yet."""
    create_signing_key(tmp_path)
    one = replace(services, signing_keys=SigningKeys(tmp_path))
    create_signing_key(tmp_path)
    other = replace(services, signing_keys=SigningKeys(tmp_path))
    assert caller_of(one, member(other).tokens.access_token)


def old_subject(reference: str, customer_id: object) -> str:
    """A subject as tokens had it before they had the claim `customer_id`."""
    return json.dumps({"customer_reference": reference, "id_customer": customer_id})


def test_tokens_of_the_older_form_stay_good(services: Services, ada: Member) -> None:
    """A token that has the customer's UUID in its subject, and not in a claim of its own, is good until it expires."""
    sub = old_subject(ada.customer.reference, str(ada.customer.id))
    token = resigned(services, ada.tokens.access_token, {"sub": sub}, remove="customer_id")
    caller = caller_of(services, token)
    assert caller is not None
    assert caller.customer == ada.customer


def test_the_number_identifies_nobody(services: Services, ada: Member) -> None:
    """The number in the subject is for legacy clients: without a UUID the token names no customer."""
    number = int(ada.customer.reference.removeprefix("DE--"))
    for customer_id in (number, str(number), None):
        sub = old_subject(ada.customer.reference, customer_id)
        token = resigned(services, ada.tokens.access_token, {"sub": sub}, remove="customer_id")
        assert authenticate(services, token) is INVALID
    assert caller_of(
        services, resigned(services, ada.tokens.access_token, {"sub": old_subject(ada.customer.reference, 7)})
    )


def test_unknown_customer(services: Services, ada: Member) -> None:
    """A token for a customer who does not exist is refused."""
    token = resigned(services, ada.tokens.access_token, {"customer_id": str(uuid4())})
    assert authenticate(services, token) is INVALID
    sub = old_subject("DE--0", str(uuid4()))
    assert authenticate(services, resigned(services, ada.tokens.access_token, {"sub": sub}, "customer_id")) is INVALID
    assert confirmed(services, email="ben@example.org").confirmed_at == datetime(2026, 11, 23, 13, 36, 29, 123456, UTC)
