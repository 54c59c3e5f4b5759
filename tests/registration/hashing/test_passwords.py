"""Password hashes and the list of common passwords."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import current_thread
from threading import enumerate as all_threads

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from registration.hashing.passwords import Passwords
from registration.rules.deny_list import PasswordListError, read_deny_list

SLOTS = 2


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=SLOTS)
    yield passwords
    passwords.close()


class TestHash:
    def test_is_argon2id_with_the_parameters_given(self, passwords: Passwords) -> None:
        """The encoded hash names algorithm and costs, so that they can change later."""
        assert re.fullmatch(r"\$argon2id\$v=19\$m=8,t=1,p=1\$[^$]{22}\$[^$]{43}", passwords.hash("correct horse"))

    def test_has_a_salt_of_its_own(self, passwords: Passwords) -> None:
        """Equal passwords cannot be told from their hashes."""
        assert len({passwords.hash("correct horse") for _ in range(10)}) == 10

    @pytest.mark.parametrize("password", ["correct horse", "", "🙂" * 128, "a\x00b", "x" * 1024])
    def test_is_of_the_whole_password(self, passwords: Passwords, password: str) -> None:
        """Neither a long password nor a NUL is cut off."""
        encoded = passwords.hash(password)
        assert PasswordHasher().verify(encoded, password)
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(encoded, f"{password}x")

    def test_takes_half_a_surrogate_pair(self, passwords: Passwords) -> None:
        """No text that Python can hold raises."""
        assert passwords.hash("\ud800") != passwords.hash("\udfff")

    def test_is_made_in_as_many_threads_as_slots(self, passwords: Passwords) -> None:
        """However many threads wait for hashes; the threads end when they are closed."""
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(passwords.hash, map(str, range(100))))
        assert sum(thread.name.startswith("hash") for thread in all_threads()) <= SLOTS
        passwords.close()
        assert not any(thread.name.startswith("hash") for thread in all_threads())


class TestSlots:
    def test_work_in_a_slot_hashes_there(self, passwords: Passwords) -> None:
        """It has its turn: to wait for another would be for ever, when all slots do the same."""
        seen: SimpleQueue[tuple[str, str]] = SimpleQueue()

        def work() -> None:
            passwords.verify(passwords.hash("correct horse"), "correct horse")
            seen.put((passwords.hash("correct horse"), current_thread().name))

        for _ in range(4 * SLOTS):
            passwords.submit(work)
        for _ in range(4 * SLOTS):
            encoded, thread = seen.get(timeout=60)
            assert PasswordHasher().verify(encoded, "correct horse")
            assert thread.startswith("hash")


class TestDenyList:
    def test_builtin_holds_the_commonest(self) -> None:
        """Those that everybody tries first, but not the sample of the contract."""
        commonest = read_deny_list("builtin")
        assert {"password", "12345678", "qwerty123"} <= commonest
        assert "change123" not in commonest
        assert all(password == password.lower().strip() != "" for password in commonest)

    def test_off_is_empty(self) -> None:
        """Nothing is denied."""
        assert read_deny_list("off") == frozenset()

    def test_file_has_one_password_a_line(self, tmp_path: Path) -> None:
        """Whatever system wrote it; passwords hold spaces, and separators that are no line ends."""
        path = tmp_path / "passwords.txt"
        path.write_bytes("\ufeffSommer Sonne\r\nzwei\u2028teile\n\n GROẞ \n".encode())
        assert read_deny_list(str(path)) == {"sommer sonne", "zwei\u2028teile", " groß "}

    @pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["not utf-8", "missing"])
    def test_unreadable_file_is_one_line(self, tmp_path: Path, content: bytes | None) -> None:
        """The line names the file and holds nothing of it."""
        path = tmp_path / "passwords.txt"
        if content:
            path.write_bytes(content)
        with pytest.raises(PasswordListError, match=rf"^{path}: cannot be read \(\w+\)$"):
            read_deny_list(str(path))
