"""Key files as orchestrators mount them: root owns them, and a group of the process reads them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from registration.keys.key_files import (
    WHAT_IS_POSSIBLE,
    KeyFileError,
    create_key_file,
    is_open_to_others,
    read_key_file,
)

ROOT, USER, GROUP, OTHER = 0, 61_001, 61_002, 61_003
AS_ROOT = pytest.mark.skipif(os.geteuid() != ROOT, reason="only root can give files to other users")


@pytest.mark.parametrize(
    ("owner", "mode", "is_open"),
    [
        (USER, 0o600, False),
        (USER, 0o400, False),
        (USER, 0o640, True),
        (USER, 0o440, True),
        (ROOT, 0o440, False),
        (ROOT, 0o640, False),
        (ROOT, 0o400, False),
        (ROOT, 0o444, True),
        (ROOT, 0o644, True),
        (ROOT, 0o660, True),
        (ROOT, 0o450, True),
        (ROOT, 0o402, True),
    ],
)
def test_one_group_may_read_what_root_owns(owner: int, mode: int, is_open: bool) -> None:
    """A group may read a file of root; a group of another owner, or all users, may not."""
    assert is_open_to_others(0o100000 | mode, owner) is is_open


def read_as_user(path: Path) -> str:
    """What a process of USER in GROUP reads, or the error that it gets."""
    program = f"""
import os, sys
from pathlib import Path
from registration.keys.key_files import KeyFileError, read_key_file
os.setgroups([{GROUP}])
os.setgid({GROUP})
os.setuid({USER})
try:
    print(read_key_file(Path(sys.argv[1])).decode())
except KeyFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def mounted() -> Iterator[Path]:
    """A file in a directory that all users may enter, which pytest's own are not."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        path = Path(directory) / "secret.key"
        path.write_text("the key")
        yield path


@AS_ROOT
@pytest.mark.parametrize(
    ("owner", "group", "mode", "expected"),
    [
        (ROOT, GROUP, 0o440, "the key"),
        (ROOT, GROUP, 0o640, "the key"),
        (USER, OTHER, 0o400, "the key"),
        (USER, GROUP, 0o640, "{path} is open to other users; run: chmod 600 {path}"),
        (ROOT, GROUP, 0o444, "{path} is open to other users; {possible}"),
        (OTHER, GROUP, 0o440, "{path} is open to other users; {possible}"),
        (ROOT, OTHER, 0o440, "{path}: Permission denied; {possible}"),
    ],
)
def test_a_user_of_the_group_reads_it(mounted: Path, owner: int, group: int, mode: int, expected: str) -> None:
    """A process reads what root gave to its group; other errors say what is possible for it."""
    mounted.chmod(mode)
    os.chown(mounted, owner, group)
    assert read_as_user(mounted) == expected.format(path=mounted, possible=WHAT_IS_POSSIBLE)


def test_a_directory_is_no_key_file(tmp_path: Path) -> None:
    """An error other than a missing file or a missing right is told as it is."""
    with pytest.raises(KeyFileError, match=rf"^{tmp_path}: Is a directory$"):
        read_key_file(tmp_path)


@AS_ROOT
def test_root_makes_files_for_the_owner_of_the_directory(tmp_path: Path) -> None:
    """A key that an operator makes as root belongs to the user of the gateway, which could not read it otherwise."""
    directory = tmp_path / "keys"
    directory.mkdir()
    os.chown(directory, USER, GROUP)
    assert create_key_file(directory / "secret.key", b"key")
    status = (directory / "secret.key").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (USER, GROUP, 0o600)
