"""Hashes of the shop that customers came from, made here with other libraries, and hostile ones."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import argon2
import bcrypt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registration.hashing.passwords import MAX_BYTES, Passwords, Verdict

PASSWORD = "correct horse"
SALT = "saltsaltsaltsalt"


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=2)
    yield passwords
    passwords.close()


def bcrypt_of(secret: bytes, prefix: str = "2y", cost: int = 4) -> str:
    """A hash as PHP makes it: the bytes after the 72nd are cut off without an error."""
    return bcrypt.hashpw(secret[:72], bcrypt.gensalt(cost)).decode().replace("$2b$", f"${prefix}$")


def symfony_of(password: str) -> str:
    """A hash as Symfony makes it of passwords that bcrypt cannot take."""
    return bcrypt_of(base64.b64encode(hashlib.sha512(password.encode()).digest()))


def argon2_of(password: str, kind: argon2.Type = argon2.Type.ID, **costs: int) -> str:
    values: dict[str, Any] = {"time_cost": 1, "memory_cost": 8, "parallelism": 1, "hash_len": 32, "salt_len": 16}
    return argon2.PasswordHasher(**(values | costs), type=kind).hash(password)


class TestOurs:
    def test_right_and_wrong(self, passwords: Passwords) -> None:
        """A hash that was just made is right for its password and wrong for another."""
        encoded = passwords.hash(PASSWORD)
        assert passwords.verify(encoded, PASSWORD) is Verdict.RIGHT
        assert passwords.verify(encoded, PASSWORD.upper()) is Verdict.WRONG

    @pytest.mark.parametrize(
        "costs",
        [
            {"time_cost": 2},
            {"memory_cost": 16},
            {"parallelism": 2, "memory_cost": 16},
            {"hash_len": 16},
            {"salt_len": 8},
        ],
    )
    def test_other_parameters_are_outdated(self, passwords: Passwords, costs: dict[str, Any]) -> None:
        """A hash with other parameters is outdated for its password and wrong for another."""
        encoded = argon2_of(PASSWORD, **costs)
        assert passwords.verify(encoded, PASSWORD) is Verdict.OUTDATED
        assert passwords.verify(encoded, "wrong") is Verdict.WRONG

    def test_our_own_parameters_are_always_affordable(self) -> None:
        """An operator may choose higher costs than those allowed in a foreign hash."""
        costly = Passwords(memory_kib=8, time_cost=20, parallelism=1, slots=1)
        encoded = costly.hash(PASSWORD)
        assert costly.verify(encoded, PASSWORD) is Verdict.RIGHT
        costly.close()


class TestForeign:
    @pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
    @pytest.mark.parametrize("cost", [4, 10])
    def test_bcrypt_has_three_prefixes(self, passwords: Passwords, prefix: str, cost: int) -> None:
        """bcrypt hashes of all three prefixes are verified."""
        encoded = bcrypt_of(PASSWORD.encode(), prefix, cost)
        assert passwords.verify(encoded, PASSWORD) is Verdict.OUTDATED
        assert passwords.verify(encoded, PASSWORD + "x") is Verdict.WRONG

    def test_bcrypt_of_another_library(self, passwords: Passwords) -> None:
        """A public test vector of crypt_blowfish, made by another library, is verified."""
        encoded = "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"
        assert passwords.verify(encoded, "\u00ff\u00ff\u00a3") is Verdict.WRONG  # those are bytes, not UTF-8
        assert (
            passwords.verify("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U") is Verdict.OUTDATED
        )

    @pytest.mark.parametrize("password", ["x" * 72, "ü" * 36])
    def test_bcrypt_of_72_bytes(self, passwords: Passwords, password: str) -> None:
        """A password of 72 bytes is given to bcrypt as it is."""
        assert passwords.verify(bcrypt_of(password.encode()), password) is Verdict.OUTDATED
        assert passwords.verify(symfony_of(password), password) is Verdict.WRONG

    @pytest.mark.parametrize("password", ["x" * 73, "ü" * 37, "x" * MAX_BYTES, "a\x00b", "\x00"])
    def test_bcrypt_over_sha_512(self, passwords: Passwords, password: str) -> None:
        """A longer password, or one with a NUL, goes through SHA-512 first and counts to the last byte."""
        encoded = symfony_of(password)
        assert passwords.verify(encoded, password) is Verdict.OUTDATED
        assert passwords.verify(encoded, password[:-1] + "y") is Verdict.WRONG
        assert passwords.verify(bcrypt_of(password.encode()), password) is Verdict.WRONG

    @pytest.mark.parametrize("kind", [argon2.Type.I, argon2.Type.ID])
    def test_argon2_with_the_parameters_of_php(self, passwords: Passwords, kind: argon2.Type) -> None:
        """Argon2i and Argon2id hashes with PHP's parameters are verified."""
        encoded = argon2_of(PASSWORD, kind, memory_cost=65_536, time_cost=4)
        assert passwords.verify(encoded, PASSWORD) is Verdict.OUTDATED
        assert passwords.verify(encoded, "wrong") is Verdict.WRONG

    def test_argon2_with_our_costs_of_another_kind(self, passwords: Passwords) -> None:
        """An Argon2i hash with the costs of ours is outdated."""
        assert passwords.verify(argon2_of(PASSWORD, argon2.Type.I), PASSWORD) is Verdict.OUTDATED


class TestWrong:
    @pytest.mark.parametrize("password", ["", "x" * (MAX_BYTES + 1), "ü" * (MAX_BYTES // 2 + 1)])
    def test_empty_or_too_long(self, passwords: Passwords, password: str) -> None:
        """An empty or too long password is wrong for every hash, even its own."""
        for encoded in (passwords.hash(password), argon2_of(password), symfony_of(password), "", None):
            assert passwords.verify(encoded, password) is Verdict.WRONG

    def test_without_a_hash(self, passwords: Passwords) -> None:
        """Every password is wrong where there is no hash."""
        for encoded in (None, ""):
            assert passwords.verify(encoded, PASSWORD) is Verdict.WRONG

    @pytest.mark.parametrize("password", ["\ud800", "a\udfffb"])
    def test_half_a_surrogate_pair(self, passwords: Passwords, password: str) -> None:
        """A password with half a surrogate pair is right for its own hash only."""
        assert passwords.verify(passwords.hash(PASSWORD), password) is Verdict.WRONG
        assert passwords.verify(passwords.hash(password), password) is Verdict.RIGHT

    @pytest.mark.parametrize(
        "encoded",
        [
            f"$argon2id$v=19$m=4194304,t=1,p=1${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=8,t=4294967295,p=1${SALT}${'a' * 43}",
            f"$argon2i$v=19$m=8,t=17,p=1${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=4096,t=1,p=17${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=8,t={'9' * 60},p=1${SALT}${'a' * 43}",
            "$2y$15$" + "a" * 53,
            "$2y$31$" + "a" * 53,
            "$2y$99$" + "a" * 53,
        ],
    )
    def test_hostile_costs(self, passwords: Passwords, encoded: str) -> None:
        """Hashes of forbidden costs are wrong and not computed: some of these would take a night."""
        assert passwords.verify(encoded, PASSWORD) is Verdict.WRONG

    @pytest.mark.parametrize(
        "encoded",
        [
            "$2y$04$" + "a" * 52,
            "$2y$04$" + "9" * 53,
            "$2x$04$" + "a" * 53,
            "$2y$03$" + "a" * 53,
            "$2y$4$" + "a" * 53,
            "$2y$04$" + "a" * 53 + "\n",
            "$2y$٠٤$" + "a" * 53,
            f"$argon2d$v=19$m=8,t=1,p=1${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=8,t=0,p=1${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=8,t=-1,p=1${SALT}${'a' * 43}",
            f"$argon2id$v=19$m=8,t=1,p=0${SALT}${'a' * 43}",
            "$argon2id$v=19$m=8,t=1,p=1$*$*",
            "$argon2id$v=19$m=8,t=1,p=1$\ud800$*",
            "$argon2id$v=19$m=8,t=1,p=1$$",
            f"$argon2id$v=19$m=8,t=1,p=1${SALT}${'ü' * 43}",
            f"$argon2id$v=1_9$m=8,t=1,p=1${SALT}${'a' * 43}",
            "$argon2id$",
            "$",
            "plain text",
            "plain text\x00",
            "\ud800",
            "$1$salt$digest",
            hashlib.md5(b"correct horse").hexdigest(),  # noqa: S324 - it is to be refused
        ],
    )
    def test_damaged_and_unknown(self, passwords: Passwords, encoded: str) -> None:
        """Every password is wrong for a damaged or an unknown hash."""
        assert passwords.verify(encoded, PASSWORD) is Verdict.WRONG

    @given(encoded=st.text() | st.from_regex(r"\$(2[aby]|argon2(i|d|id))\$[$.,=/A-Za-z0-9]{0,80}", fullmatch=True))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_noise(self, passwords: Passwords, encoded: str) -> None:
        """No text in the column raises."""
        assert passwords.verify(encoded, PASSWORD) is Verdict.WRONG
