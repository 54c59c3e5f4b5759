"""The ledger of erasures: a file outside of the database, so that a restored backup can be told of them.

An entry is the moment, an id of the key, and an HMAC of the customer's id (decision 0057). Nodes may append to one file
at once, or each to its own.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from registration.keys.key_files import hand_over
from registration.keys.secret import Secret, load_ledger_key
from registration.storage.database import Outage, Unavailable

ENTRY = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ([0-9a-f]{8}) ([0-9a-f]{64})")
KEY_ID = 8  # hex characters


@dataclass(frozen=True, slots=True)
class Entries:
    """The last moment at which each customer was erased, by `mark_of`; the entries of other keys, and the damaged."""

    erased: dict[str, datetime]
    of_other_keys: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Takes erasures; without a path it keeps none."""

    path: Path | None
    key: Secret

    def record(self, customer_ids: Iterable[UUID], now: datetime) -> None:
        """Append erasures, and return when they are on disk: the last step of their transaction before its commit.

        Raises Unavailable, so that the transaction is rolled back and nothing is erased.
        """
        if self.path is None:
            return
        # Each begins with its line feed: what a full disk cut off spoils no other.
        lines = [f"\n{now.isoformat()} {_id_of(self.key)} {mark_of(self.key, each)}" for each in customer_ids]
        _append(self.path, "".join(lines).encode())


NO_LEDGER = Ledger(None, Secret(b""))


def open_ledger(path: str, keys: Path) -> Ledger:
    """The ledger at a path; an empty one keeps none. Raises KeyFileError, and Unavailable when it cannot be written."""
    if not path:
        return NO_LEDGER
    ledger = Ledger(Path(path), load_ledger_key(keys))
    _append(Path(path), b"")
    return ledger


def mark_of(key: Secret, customer_id: UUID) -> str:
    """What stands in the ledger for a customer."""
    return key.derive("erasure", customer_id.hex)


def read_ledger(paths: Iterable[Path], key: Secret) -> Entries:
    """Read ledgers as one. Raises OSError."""
    erased: dict[str, datetime] = {}
    of_other_keys = damaged = 0
    for line in (line for path in paths for line in path.read_text("utf-8", "replace").splitlines() if line):
        entry = ENTRY.fullmatch(line)
        moment = entry and _moment(entry[1])
        if entry is None or moment is None:
            damaged += 1
        elif entry[2] != _id_of(key):
            of_other_keys += 1
        else:
            erased[entry[3]] = max(moment, erased.get(entry[3], moment))
    return Entries(erased, of_other_keys, damaged)


def _append(path: Path, lines: bytes) -> None:
    try:
        _append_and_flush(path, lines)
    except OSError as error:
        raise Unavailable(f"the ledger of erasures cannot be written: {error.strerror}", Outage.LEDGER) from None


def _append_and_flush(path: Path, lines: bytes) -> None:
    """Raises OSError when not all of it is on disk."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if is_new:
            hand_over(descriptor, path.parent)
        written = os.write(descriptor, lines)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if written < len(lines):
        raise OSError(0, "there is no room for it")
    if is_new:
        _flush_directory(path.parent)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _id_of(key: Secret) -> str:
    return key.derive("key of the ledger")[:KEY_ID]
