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

from registration.hashing.passwords import Passwords, Verdict
from registration.outcomes import ViolationCode
from registration.rules.deny_list import PasswordListError, read_deny_list
from registration.rules.form import Form
from registration.rules.password import PasswordPolicy, read_new_password

SLOTS = 2


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(memory_kib=8, time_cost=1, parallelism=1, slots=SLOTS)
    yield passwords
    passwords.close()


class TestHash:
    def test_is_argon2id_with_the_parameters_given(self, passwords: Passwords) -> None:
        """A hash is Argon2id and names its parameters, so that they can change later."""
        assert re.fullmatch(r"\$argon2id\$v=19\$m=8,t=1,p=1\$[^$]{22}\$[^$]{43}", passwords.hash("correct horse"))

    def test_has_a_salt_of_its_own(self, passwords: Passwords) -> None:
        """Equal passwords have different hashes."""
        assert len({passwords.hash("correct horse") for _ in range(10)}) == 10

    @pytest.mark.parametrize("password", ["correct horse", "", "🙂" * 128, "a\x00b", "x" * 1024])
    def test_is_of_the_whole_password(self, passwords: Passwords, password: str) -> None:
        """A hash is of the whole password: neither length nor a NUL cuts it off."""
        encoded = passwords.hash(password)
        assert PasswordHasher().verify(encoded, password)
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(encoded, f"{password}x")

    def test_takes_half_a_surrogate_pair(self, passwords: Passwords) -> None:
        """Any text that Python can hold is hashed, half a surrogate pair too."""
        assert passwords.hash("\ud800") != passwords.hash("\udfff")

    def test_is_made_in_as_many_threads_as_slots(self, passwords: Passwords) -> None:
        """Hashes for twenty callers run in as many threads as there are slots, which end at close."""
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(passwords.hash, map(str, range(100))))
        assert sum(thread.name.startswith("hash") for thread in all_threads()) <= SLOTS
        passwords.close()
        assert not any(thread.name.startswith("hash") for thread in all_threads())


class TestVerify:
    def test_takes_older_forms(self, passwords: Passwords) -> None:
        """A hash that only another form of the password fits is outdated; one that the first form fits is not."""
        encoded = passwords.hash("new form")
        assert passwords.verify(encoded, "new form", "old form") is Verdict.RIGHT
        assert passwords.verify(encoded, "other form", "x" * 5000, "new form") is Verdict.OUTDATED
        assert passwords.verify(encoded, "other form", "old form") is Verdict.WRONG
        assert passwords.verify(None, "new form", "old form") is Verdict.WRONG


class TestSlots:
    def test_work_in_a_slot_hashes_on_its_thread(self, passwords: Passwords) -> None:
        """Work in a slot hashes on its own thread; if it waited for another slot, full slots would deadlock."""
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
        """The built-in list holds the commonest passwords in lower case, but not the contract's sample."""
        commonest = read_deny_list("builtin")
        assert {"password", "12345678", "qwerty123"} <= commonest
        assert "change123" not in commonest
        assert all(password == password.lower().strip() != "" for password in commonest)

    def test_off_is_empty(self) -> None:
        """The choice `off` denies no password."""
        assert read_deny_list("off") == frozenset()

    def test_file_has_one_password_a_line(self, tmp_path: Path) -> None:
        """A file of any system's line ends holds one password a line, also with spaces and Unicode separators."""
        path = tmp_path / "passwords.txt"
        path.write_bytes("\ufeffSommer Sonne\r\nzwei\u2028teile\n\n GROẞ \n".encode())
        assert read_deny_list(str(path)) == {"sommer sonne", "zwei\u2028teile", " groß "}

    def test_file_is_read_as_passwords_are(self, tmp_path: Path) -> None:
        """The letters and spaces of a file are prepared like those of a password that a customer types."""
        path = tmp_path / "passwords.txt"
        path.write_text("Gru\u0308\u00a0Gott\n", "utf-8")
        policy = PasswordPolicy(deny_list=read_deny_list(str(path)))
        for typed in ("grü gott", "GRU\u0308\u3000GOTT"):
            form = Form({"password": typed})
            read_new_password(form, "password", policy)
            assert [found.code for found in form.violations] == [ViolationCode.PASSWORD_COMMON]

    @pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["not utf-8", "missing"])
    def test_unreadable_file_is_one_line(self, tmp_path: Path, content: bytes | None) -> None:
        """For a file that cannot be read PasswordListError has one line with its name and none of its content."""
        path = tmp_path / "passwords.txt"
        if content:
            path.write_bytes(content)
        with pytest.raises(PasswordListError, match=rf"^{path}: cannot be read \(\w+\)$"):
            read_deny_list(str(path))
