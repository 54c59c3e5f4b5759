"""Passwords known from data breaches, in a file that the operator names."""

import mmap
import re
from hashlib import sha1
from pathlib import Path

# The hash in hex and how often it was seen, as in the public lists.
LINE = re.compile(rb"[0-9A-Fa-f]{40}(:[0-9]{1,20})?\r?")
HASH_LENGTH = 40
LONGEST = 64  # bytes of a line, with its end


class BreachFileError(Exception):
    """A breach file that cannot be used; the text is one line for the operator."""


class Breaches:
    """A list of SHA-1 hashes in ascending order, one a line. The file is mapped, not loaded: 40 GB take no memory.

    Replace the file by renaming another one over it, and restart; a running process keeps the one it opened.
    """

    def __init__(self, path: Path) -> None:
        """Checks only the first and the last line; raises BreachFileError."""
        try:
            with path.open("rb") as file:
                self._lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise BreachFileError(f"{path}: cannot be read ({type(error).__name__})") from None
        first = self._lines[:LONGEST].partition(b"\n")[0]
        last = self._lines[-LONGEST:].removesuffix(b"\n").rpartition(b"\n")[2]
        if not (LINE.fullmatch(first) and LINE.fullmatch(last)):
            raise BreachFileError(f"{path}: is no list of SHA-1 hashes in hex, one a line")
        if first[:HASH_LENGTH].upper() > last[:HASH_LENGTH].upper():
            raise BreachFileError(f"{path}: is not sorted by hash")

    def hold(self, password: str) -> bool:
        """Whether the password is on the list."""
        wanted = sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, len(self._lines)  # where lines begin, and the end
        while low < high:
            start = self._lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
            found = self._lines[start : start + HASH_LENGTH].upper()
            if found == wanted:
                return True
            if found < wanted:
                low = self._lines.find(b"\n", start, start + LONGEST) + 1 or high
            else:
                high = start
        return False
