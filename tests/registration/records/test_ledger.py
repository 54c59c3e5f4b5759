"""The ledger of erasures: what it holds, and what it does when its disk is full."""

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from registration.keys.key_files import KeyFileError
from registration.keys.secret import Secret, create_ledger_key, load_ledger_key
from registration.records.ledger import NO_LEDGER, Ledger, mark_of, open_ledger, read_ledger
from registration.storage.database import Outage, Unavailable

USER, GROUP = 61_001, 61_002
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")
KEY, OTHER = Secret(b"k" * 32), Secret(b"o" * 32)
NOW = datetime(2026, 3, 5, 7, 9, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "erasures", KEY)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process can grow beyond that size meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_holds_no_id_of_a_customer(ledger: Ledger) -> None:
    """An entry has the moment and an HMAC, and others than the owner cannot read the file."""
    customer_id = uuid4()
    ledger.record([customer_id], NOW)
    assert ledger.path
    text = ledger.path.read_text()
    assert customer_id.hex not in text
    assert str(customer_id) not in text
    assert text.split()[0] == NOW.isoformat()
    assert ledger.path.stat().st_mode & 0o777 == 0o600


@AS_ROOT
def test_root_makes_it_for_the_owner_of_the_directory(tmp_path: Path) -> None:
    """A ledger that an operator begins as root can be written by the gateway, which is another user."""
    os.chown(tmp_path, USER, GROUP)
    path = tmp_path / "erasures"
    Ledger(path, KEY).record([uuid4()], NOW)
    assert (path.stat().st_uid, path.stat().st_gid) == (USER, GROUP)


def test_the_last_moment_of_a_customer_counts(ledger: Ledger) -> None:
    """Entries of several files are read as one; of two about a customer the later one counts."""
    assert ledger.path
    one, other = uuid4(), uuid4()
    second = Ledger(ledger.path.with_name("second"), KEY)
    ledger.record([one, other], NOW)
    second.record([one], NOW + timedelta(days=1))
    ledger.record([one], NOW - timedelta(days=1))
    assert second.path
    entries = read_ledger([ledger.path, second.path], KEY)
    assert entries.erased == {mark_of(KEY, one): NOW + timedelta(days=1), mark_of(KEY, other): NOW}
    assert (entries.of_other_keys, entries.damaged) == (0, 0)


def test_entries_of_other_keys_and_damaged_lines_are_counted(ledger: Ledger) -> None:
    """A line that is no entry, has no moment, or is of another key names no customer."""
    assert ledger.path
    mark = mark_of(KEY, uuid4())
    Ledger(ledger.path, OTHER).record([uuid4(), uuid4()], NOW)
    ledger.record([uuid4()], NOW)
    key_id = ledger.path.read_text().split()[-2]
    wrong = ["cut off", f"2026-03-05T99:99 {key_id} {mark}", f"2026-03-05T07:09:00 {key_id} {mark}"]
    with ledger.path.open("a") as file:
        file.write("".join(f"\n{line}" for line in wrong))
    entries = read_ledger([ledger.path], KEY)
    assert (len(entries.erased), entries.of_other_keys, entries.damaged) == (1, 2, 3)


def test_many_append_at_once(ledger: Ledger) -> None:
    """Entries that several threads append at once are all there."""
    ids = [uuid4() for _ in range(100)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: ledger.record([each], NOW), ids))
    assert ledger.path
    assert read_ledger([ledger.path], KEY).erased.keys() == {mark_of(KEY, each) for each in ids}


def test_a_full_disk_spoils_only_the_entry_that_it_cut_off(ledger: Ledger) -> None:
    """What does not fit raises Unavailable; the entries before and after it are read."""
    first, lost, last = uuid4(), uuid4(), uuid4()
    ledger.record([first], NOW)
    assert ledger.path
    with (
        room_for(ledger.path.stat().st_size + 20),
        pytest.raises(Unavailable, match=r"^the ledger of erasures cannot be written: there is no room") as refused,
    ):
        ledger.record([lost], NOW)
    assert refused.value.outage is Outage.LEDGER
    ledger.record([last], NOW)
    entries = read_ledger([ledger.path], KEY)
    assert entries.erased.keys() == {mark_of(KEY, first), mark_of(KEY, last)}
    assert entries.damaged == 1


def test_without_a_path_nothing_is_kept(tmp_path: Path) -> None:
    """An empty setting needs no key, and the ledger takes erasures without a file."""
    assert open_ledger("", tmp_path) is NO_LEDGER
    NO_LEDGER.record([uuid4()], NOW)


def test_is_tried_when_it_is_opened(tmp_path: Path) -> None:
    """A ledger without a key, or in a directory that is not there, is refused before the first erasure."""
    with pytest.raises(KeyFileError, match=r"ledger\.key"):
        open_ledger(str(tmp_path / "erasures"), tmp_path)
    create_ledger_key(tmp_path)
    with pytest.raises(Unavailable, match="No such file or directory"):
        open_ledger(str(tmp_path / "nowhere" / "erasures"), tmp_path)
    opened = open_ledger(str(tmp_path / "erasures"), tmp_path)
    assert mark_of(opened.key, uuid4()) != mark_of(KEY, uuid4())
    customer_id = uuid4()
    assert mark_of(opened.key, customer_id) == mark_of(load_ledger_key(tmp_path), customer_id)
