"""The key files of access tokens: which key signs, which keys verify, and what is wrong with a file."""

import os
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from structlog.testing import capture_logs

from registration.keys.key_files import KeyFileError
from registration.keys.signing_keys import (
    Algorithm,
    SigningKeys,
    create_signing_key,
    create_signing_keys,
    has_signing_key,
)
from tests.clock import Clock

A_SECOND = timedelta(seconds=1)
NO_KEY_OF_OURS = "is neither an RSA key of 2048 bits or more nor one of the curve P-256"


@pytest.fixture
def directory(keys_directory: Path, tmp_path: Path) -> Path:
    """A copy of an installation's key directory, with one signing key."""
    return Path(shutil.copytree(keys_directory, tmp_path / "keys"))


@pytest.fixture
def keys(directory: Path, clock: Clock) -> SigningKeys:
    return SigningKeys(directory, lambda: clock().timestamp())


def kids(keys: SigningKeys) -> list[str]:
    return [key.kid for key in keys.all()]


def file_of(directory: Path, kid: str) -> Path:
    return directory / f"signing-{kid}.pem"


def short_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused


def pem(key: PrivateKeyTypes, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


class TestCreation:
    def test_writes_a_file_for_its_owner_only(self, tmp_path: Path) -> None:
        """A new key is written readable by its owner only, in a directory that is made if there is none."""
        directory = tmp_path / "a" / "keys"
        assert not has_signing_key(directory)
        kid = create_signing_key(directory)
        assert [(entry.name, stat.S_IMODE(entry.stat().st_mode)) for entry in directory.iterdir()] == [
            (f"signing-{kid}.pem", 0o600)
        ]
        assert has_signing_key(directory)

    def test_makes_keys_of_128_bits_of_security(self, tmp_path: Path) -> None:
        """A new RSA key has 3072 bits, one of an elliptic curve 256 (NIST SP 800-57)."""
        for _ in range(2):
            create_signing_key(tmp_path)
        create_signing_key(tmp_path, "ES256")
        found = [(key.algorithm, key.public.key_size) for key in SigningKeys(tmp_path).all()]
        assert found == [("ES256", 256), ("RS256", 3072), ("RS256", 3072)]

    def test_makes_a_newer_key_each_time(self, directory: Path) -> None:
        """Each key is newer than those before by its id: copying a file to another node changes its time."""
        made = [create_signing_key(directory) for _ in range(3)]
        for age, kid in enumerate(made):
            os.utime(file_of(directory, kid), (-age, -age))
        assert kids(SigningKeys(directory))[:3] == made[::-1]

    def test_numbers_are_compared_as_numbers(self, directory: Path) -> None:
        """The tenth key is newer than the ninth."""
        old = file_of(directory, kids(SigningKeys(directory))[0])
        old.rename(file_of(directory, "9-" + "f" * 16))
        kid = create_signing_key(directory)
        assert SigningKeys(directory).newest().kid == kid
        assert kid.startswith("10-")

    def test_makes_keys_of_both_algorithms_together(self, directory: Path) -> None:
        """Keys that are made together have one number, and the one that signs is that of the algorithm asked for."""
        made = create_signing_keys(directory, "both")
        keys = SigningKeys(directory)
        assert [keys.newest(algorithm).kid for algorithm in ("RS256", "ES256")] == made
        assert len({kid.partition("-")[0] for kid in made}) == 1

    @pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
    def test_an_older_key_signs_no_more(self, directory: Path, algorithm: Algorithm) -> None:
        """Where the keys made last have not the algorithm asked for, another of them signs, and no older one."""
        create_signing_keys(directory, "both")
        kid = create_signing_key(directory, algorithm)
        assert {SigningKeys(directory).newest(asked).kid for asked in ("RS256", "ES256")} == {kid}


class TestRotation:
    def test_the_newest_signs_and_all_verify(self, directory: Path, keys: SigningKeys, clock: Clock) -> None:
        """A new key signs within about a second, without a restart, and the old one still verifies."""
        old = keys.newest()
        new = create_signing_key(directory)
        assert keys.newest() is old
        clock.move(A_SECOND)
        assert keys.newest().kid == new
        assert [keys.find(kid) is not None for kid in (old.kid, new)] == [True, True]

    def test_a_new_key_verifies_at_once(self, directory: Path, keys: SigningKeys) -> None:
        """A new key verifies at once, because another node may sign with it already."""
        new = create_signing_key(directory)
        found = keys.find(new)
        assert found is not None
        assert found.kid == new

    @pytest.mark.parametrize("kid", ["", "unknown", "1-" + "0" * 16, "../secret", "1-" + "0" * 16 + "\n", "9" * 5000])
    def test_unknown_ids_find_nothing(self, keys: SigningKeys, kid: str) -> None:
        """An unknown id finds no key, and reaches no file outside the directory."""
        assert keys.find(kid) is None

    def test_a_deleted_key_verifies_no_more(self, directory: Path, keys: SigningKeys, clock: Clock) -> None:
        """A key whose file is deleted does not verify any more."""
        old = keys.newest().kid
        new = create_signing_key(directory)
        file_of(directory, old).unlink()
        clock.move(A_SECOND)
        assert kids(keys) == [new]
        assert keys.find(old) is None

    def test_remembers_no_token_of_a_deleted_key(self, directory: Path, keys: SigningKeys, clock: Clock) -> None:
        """A token whose signature was checked before is refused when its key is deleted."""
        key = keys.newest()
        token = jwt.encode({"aud": "shop"}, key.private, key.algorithm, headers={"kid": key.kid})
        assert keys.verify(token, "shop", dict) == keys.verify(token, "shop", dict) == {"aud": "shop"}
        create_signing_key(directory)
        (directory / f"signing-{key.kid}.pem").unlink()
        clock.move(A_SECOND)
        keys.newest()
        assert keys.verify(token, "shop", dict) is None

    def test_remembers_tokens_by_their_audience(self, keys: SigningKeys) -> None:
        """A token that was good for one audience is refused for another one."""
        key = keys.newest()
        token = jwt.encode({"aud": "shop"}, key.private, key.algorithm, headers={"kid": key.kid})
        assert keys.verify(token, "shop", dict)
        assert keys.verify(token, "another shop", dict) is None

    def test_checks_a_signature_once(self, keys: SigningKeys) -> None:
        """A token that is sent again is not decoded and read again; a forgery of it is refused."""
        key = keys.newest()
        token = jwt.encode({"aud": "shop"}, key.private, key.algorithm, headers={"kid": key.kid})
        assert keys.verify(token, "shop", dict) is keys.verify(token, "shop", dict)
        assert keys.verify(f"{token[:-2]}AA", "shop", dict) is None

    def test_an_emptied_directory_leaves_a_process_its_keys(
        self, directory: Path, keys: SigningKeys, clock: Clock
    ) -> None:
        """When the directory is emptied, a running process keeps its keys, and the next start fails with one line."""
        before = kids(keys)
        shutil.rmtree(directory)
        clock.move(A_SECOND)
        assert kids(keys) == before
        with pytest.raises(KeyFileError, match=rf"^{directory} holds no signing key; .* keys new$"):
            SigningKeys(directory)

    def test_a_bad_file_is_ignored_until_it_is_mended(self, directory: Path, keys: SigningKeys, clock: Clock) -> None:
        """A running process ignores a bad file with a warning, and uses it once it is mended."""
        old = keys.newest()
        new = create_signing_key(directory)
        file_of(directory, new).chmod(0o644)
        clock.move(A_SECOND)
        with capture_logs() as logs:
            assert keys.newest() is old
        assert [line["reason"].partition(";")[0] for line in logs] == [
            f"{file_of(directory, new)} is open to other users"
        ]
        file_of(directory, new).chmod(0o600)
        clock.move(A_SECOND)
        assert keys.newest().kid == new


class TestStart:
    @pytest.mark.parametrize("mode", [0o620, 0o604, 0o777])
    def test_open_to_others_is_refused(self, directory: Path, mode: int) -> None:
        """The error for a key that other users can open says how to close it."""
        path = file_of(directory, create_signing_key(directory))
        path.chmod(mode)
        with pytest.raises(KeyFileError, match=rf"^{path} is open to other users; run: chmod 600 {path}$"):
            SigningKeys(directory)

    def test_a_key_of_before_is_taken(self, directory: Path) -> None:
        """A key of 2048 bits, as older installations and legacy shops have, signs as long as it is the newest."""
        path = file_of(directory, "7-" + "a" * 16)
        path.write_bytes(pem(rsa.generate_private_key(65537, 2048)))
        path.chmod(0o600)
        assert SigningKeys(directory).newest().public.key_size == 2048

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is not a private key without a passphrase, in PEM"),
            (b"\x00\xff", "is not a private key without a passphrase, in PEM"),
            (
                pem(short_key(), BestAvailableEncryption(b"passphrase")),
                "is not a private key without a passphrase, in PEM",
            ),
            (pem(short_key()), NO_KEY_OF_OURS),
            (pem(ec.generate_private_key(ec.SECP384R1())), NO_KEY_OF_OURS),
            (pem(ec.generate_private_key(ec.SECP256K1())), NO_KEY_OF_OURS),
            (pem(ed25519.Ed25519PrivateKey.generate()), NO_KEY_OF_OURS),
        ],
        ids=["empty", "noise", "encrypted", "short", "P-384", "secp256k1", "Ed25519"],
    )
    def test_a_file_that_is_no_key_is_refused(self, directory: Path, content: bytes, reason: str) -> None:
        """The error for a file that is no key names the file and none of its content."""
        path = file_of(directory, "7-" + "a" * 16)
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyFileError, match=rf"^{path} {reason}$"):
            SigningKeys(directory)

    def test_other_files_are_ignored(self, directory: Path) -> None:
        """Temporary files, backups and the secret are no signing keys."""
        for name in ("signing-.pem", "signing-1.pem", "signing-1-x.pem", ".signing-2-0000000000000000.pem.1f"):
            (directory / name).write_bytes(b"x")
        assert len(SigningKeys(directory).all()) == 1

    def test_repr_is_the_id(self, keys: SigningKeys) -> None:
        """The repr of a key is its id."""
        assert repr(keys.newest()) == f"SigningKey(kid='{keys.newest().kid}')"
