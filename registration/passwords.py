"""Password hashes: Argon2id in threads of its own, as many as there are slots; it never sees a policy or a log."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from registration.argon2id import Argon2id


class PasswordListError(Exception):
    """A deny list that cannot be read; the text is one line for the operator."""


def read_deny_list(choice: str) -> frozenset[str]:
    """`builtin`, `off` or a file with one password a line; entries are compared in lower case."""
    if choice == "off":
        return frozenset()
    path = Path(__file__).with_name("common_passwords.txt") if choice == "builtin" else Path(choice)
    try:
        return frozenset(path.read_text("utf-8-sig").lower().split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordListError(f"{choice}: cannot be read ({type(error).__name__})") from None


class Passwords:
    """Hashes passwords; a hash that wanders over many threads costs 2-3 ms more, so these threads do nothing else."""

    def __init__(self, *, memory_kib: int, time_cost: int, parallelism: int, slots: int) -> None:
        self._argon2id = Argon2id(memory_kib=memory_kib, time_cost=time_cost, parallelism=parallelism)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="hash")

    def hash(self, password: str) -> str:
        """The encoded hash with a salt of its own; blocks until a slot is free."""
        return self._threads.submit(self._argon2id.hash, password.encode("utf-8", "surrogatepass")).result()

    def close(self) -> None:
        self._threads.shutdown()
        self._argon2id.close()
