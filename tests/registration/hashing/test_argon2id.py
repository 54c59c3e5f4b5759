"""Argon2id with memory that is kept, compared with argon2-cffi, which keeps none."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type
from argon2.exceptions import HashingError, InvalidHashError
from argon2.low_level import hash_secret

from native.build import flags
from registration.hashing.argon2id import Argon2id, built_for

PASSWORDS = [b"", b"correct horse", b"a\x00b", "\U0001f642".encode() * 128, b"x" * 4096]


@pytest.fixture
def cheap() -> Iterator[Argon2id]:
    argon2id = Argon2id(memory_kib=64, time_cost=1, parallelism=1)
    yield argon2id
    argon2id.close()


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


# A process that has told the kernel, as systemd's MemoryDenyWriteExecute does, to refuse it memory for new code.
HARDENED = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("the kernel is older than 6.3")
from native.build import flags
from registration.hashing.argon2id import Argon2id
argon2id = Argon2id(memory_kib=64, time_cost=1, parallelism=1)
print(argon2id.verify(argon2id.hash(b"a"), b"a"), argon2id.keeps_memory)
"""


class TestHash:
    def test_is_the_standard_text(self, cheap: Argon2id) -> None:
        """The encoded hash names algorithm, version and costs, so that each can change later."""
        assert re.fullmatch(r"\$argon2id\$v=19\$m=64,t=1,p=1\$[^$]{22}\$[^$]{43}", cheap.hash(b"correct horse"))

    @pytest.mark.parametrize("password", PASSWORDS, ids=len)
    @pytest.mark.parametrize(("memory", "time", "lanes"), [(8, 1, 1), (19456, 2, 1), (64, 3, 4), (47, 1, 2)])
    def test_is_accepted_by_argon2_cffi(self, password: bytes, memory: int, time: int, lanes: int) -> None:
        """argon2-cffi accepts our hashes of any cost and number of lanes, also from a block that was used before."""
        argon2id = Argon2id(memory_kib=memory, time_cost=time, parallelism=lanes)
        for encoded in [argon2id.hash(password) for _ in range(2)]:
            assert PasswordHasher().verify(encoded, password)
        argon2id.close()

    def test_is_right_in_many_threads_at_once(self, cheap: Argon2id) -> None:
        """Hashes of many threads at once are right: no two share a block."""
        passwords = [str(number).encode() for number in range(200)]
        with ThreadPoolExecutor(8) as threads:
            hashes = list(threads.map(cheap.hash, passwords))
        assert all(PasswordHasher().verify(*pair) for pair in zip(hashes, passwords, strict=True))

    def test_with_impossible_costs_raises(self) -> None:
        """Less than 8 KiB for each lane raises HashingError; the settings refuse it before."""
        with pytest.raises(HashingError, match="too small"):
            Argon2id(memory_kib=8, time_cost=1, parallelism=2).hash(b"")


class TestVerify:
    @pytest.mark.parametrize("password", PASSWORDS, ids=len)
    def test_accepts_hashes_of_argon2_cffi(self, cheap: Argon2id, password: bytes) -> None:
        """We accept hashes of argon2-cffi, with less and with more memory than ours."""
        for memory, lanes in product((32, 64, 1024), (1, 2)):
            encoded = PasswordHasher(memory_cost=memory, time_cost=1, parallelism=lanes).hash(password)
            assert cheap.verify(encoded, password)
            assert not cheap.verify(encoded, password + b"x")

    @pytest.mark.parametrize(("kind", "version"), list(product(Type, (16, 19))))
    def test_accepts_each_type_and_version(self, cheap: Argon2id, kind: Type, version: int) -> None:
        """We accept hashes of every Argon2 type and version, with any length of salt and digest."""
        encoded = hash_secret(b"secret", b"salt" * 5, 2, 32, 1, 21, kind, version).decode()
        assert cheap.verify(encoded, b"secret")
        assert not cheap.verify(encoded, b"Secret")

    @pytest.mark.parametrize("encoded", ["", "$", "$2y$10$abc$def", "$argon2id$v=19$m=64,t=1$c2FsdHNhbHQ$aGFzaA"])
    def test_refuses_other_texts(self, cheap: Argon2id, encoded: str) -> None:
        """A text that is no Argon2 hash raises InvalidHashError."""
        with pytest.raises(InvalidHashError):
            cheap.verify(encoded, b"")


class TestBuiltFor:
    def test_is_none_without_flags(self, tmp_path: Path) -> None:
        """A module without compiler flags, as in a portable wheel, has None."""
        module = tmp_path / "module.so"
        module.write_bytes(b"\x7fELF -O3 -fPIC")
        assert built_for(module) is None

    @pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no compiler here")
    def test_is_what_the_compiler_wrote(self, tmp_path: Path) -> None:
        """A module that was compiled with the flags of native/build.py names its processors."""
        source, module = tmp_path / "module.c", tmp_path / "module.so"
        source.write_text("int one(void) { return 1; }")
        command: list[str | Path] = ["gcc", "-shared", "-fPIC", *flags("x86-64-v3").split(), source, "-o", module]
        subprocess.run(command, check=True)
        assert built_for(module) == "x86-64-v3"

    def test_knows_the_module_in_use(self) -> None:
        """The module in use names processors as -march does, or None."""
        assert re.fullmatch(r"[a-z][\w.+-]+", built_for() or "portable")


class TestMemory:
    def test_is_kept_between_hashes_and_given_back(self) -> None:
        """The block stays resident after a hash, is used for the next one, and leaves with close."""
        size = 96 * 2**20
        before = resident_bytes()
        argon2id = Argon2id(memory_kib=size // 1024, time_cost=1, parallelism=1)
        for _ in range(3):
            argon2id.hash(b"")
            assert size <= resident_bytes() - before < 1.5 * size
        argon2id.close()
        assert resident_bytes() - before < size / 2

    def test_is_libargon2s_where_callbacks_are_forbidden(self) -> None:
        """Where the system forbids callbacks, libargon2 allocates the memory, and hashes are right."""
        done = subprocess.run([sys.executable, "-c", HARDENED], capture_output=True, text=True, check=False)
        if "older" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.stdout.split() == ["True", "False"], done.stderr

    def test_can_be_used_again_after_close(self, cheap: Argon2id) -> None:
        """After close a new hash takes memory again."""
        cheap.close()
        assert cheap.verify(cheap.hash(b"again"), b"again")
