"""The secret of an installation: the values derived from it, and its file."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.keys.key_files import KeyFileError
from registration.keys.secret import (
    FILE_NAME,
    PREVIOUS_NAME,
    SIZE,
    Secret,
    create_secret,
    forget_previous,
    load_secret,
    rotate_secret,
)
from tests.waiting import PATIENCE

SECRET = Secret(b"k" * SIZE)


class TestDerive:
    def test_is_stable(self) -> None:
        """A purpose and parts derive this value for ever: else the next version would not find the rows of this one."""
        assert SECRET.derive("purpose", "a", "b") == "897ea508e410320010141535e25789f667f416f946c7af036302ad7e0ae2becb"

    def test_depends_on_the_key(self) -> None:
        """Another installation's secret derives another value."""
        assert Secret(b"l" * SIZE).derive("purpose") != SECRET.derive("purpose")

    @given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
    def test_tells_all_inputs_apart(self, one: list[str], other: list[str]) -> None:
        """Different inputs derive different values, also when their parts together are the same text."""
        assert (SECRET.derive(*one) == SECRET.derive(*other)) == (one == other)
        assert SECRET.derive("ab", "c") != SECRET.derive("a", "bc") != SECRET.derive("abc", "")

    def test_repr_is_masked(self) -> None:
        """The repr of a secret is masked."""
        assert "k" not in f"{SECRET!r}{SECRET}".replace("Secret", "")


class TestFile:
    def test_is_for_its_owner_only(self, tmp_path: Path) -> None:
        """Directory and file are readable by their owner only, and no temporary file is left."""
        directory = tmp_path / "a" / "keys"
        assert create_secret(directory)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert [(entry.name, stat.S_IMODE(entry.stat().st_mode)) for entry in directory.iterdir()] == [
            (FILE_NAME, 0o600)
        ]

    def test_is_not_replaced(self, tmp_path: Path) -> None:
        """A second creation leaves the secret as it is and returns False."""
        create_secret(tmp_path)
        before = load_secret(tmp_path).derive("purpose")
        assert not create_secret(tmp_path)
        assert load_secret(tmp_path).derive("purpose") == before
        assert [entry.name for entry in tmp_path.iterdir()] == [FILE_NAME]

    def test_existing_one_needs_no_write_access(self, tmp_path: Path) -> None:
        """Where a secret exists, as on a read-only mount, the directory is left untouched."""
        create_secret(tmp_path)
        os.utime(tmp_path, (0, 0))
        assert not create_secret(tmp_path)
        assert tmp_path.stat().st_mtime == 0

    def test_dangling_link_is_not_replaced(self, tmp_path: Path) -> None:
        """A link whose target is not mounted yet is not replaced by a new secret."""
        (tmp_path / FILE_NAME).symlink_to("not-mounted")
        assert not create_secret(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
        with pytest.raises(KeyFileError, match="No such file"):
            load_secret(tmp_path)

    def test_is_random(self, tmp_path: Path) -> None:
        """Two installations have different secrets."""
        for name in "ab":
            create_secret(tmp_path / name)
        assert load_secret(tmp_path / "a").derive("purpose") != load_secret(tmp_path / "b").derive("purpose")

    def test_is_made_once_by_many(self, tmp_path: Path) -> None:
        """Of processes that start at once exactly one creates the secret, and all read a whole one."""
        barrier = Barrier(16, timeout=PATIENCE)

        def start(_: int) -> tuple[bool, str]:
            barrier.wait()
            return create_secret(tmp_path), load_secret(tmp_path).derive("purpose")

        with ThreadPoolExecutor(16) as threads:
            created, derived = zip(*threads.map(start, range(16)), strict=True)
        assert sum(created) == 1
        assert len(set(derived)) == 1

    def test_missing_is_explained(self, tmp_path: Path) -> None:
        """The error for a missing secret names the file and the command that creates it."""
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{FILE_NAME}: No such file .* keys new$"):
            load_secret(tmp_path)

    @pytest.mark.parametrize("mode", [0o604, 0o620, 0o610, 0o777])
    def test_open_to_others_is_refused(self, tmp_path: Path, mode: int) -> None:
        """The error for a secret that other users can open says how to close it."""
        create_secret(tmp_path)
        (tmp_path / FILE_NAME).chmod(mode)
        with pytest.raises(KeyFileError, match="chmod 600"):
            load_secret(tmp_path)

    @pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1])
    def test_damaged_is_refused(self, tmp_path: Path, size: int) -> None:
        """A secret of another size is refused: it would derive other values."""
        create_secret(tmp_path)
        (tmp_path / FILE_NAME).write_bytes(b"x" * size)
        with pytest.raises(KeyFileError, match="exactly 32 bytes"):
            load_secret(tmp_path)

    @pytest.mark.parametrize("place", ["file", "file/keys", "file/keys/more"])
    def test_impossible_directory_is_explained(self, tmp_path: Path, place: str) -> None:
        """A directory that cannot be used is explained in one line, at creating and at loading."""
        (tmp_path / "file").touch()
        with pytest.raises(KeyFileError, match=rf"^{tmp_path / place}: [^\n]+$"):
            create_secret(tmp_path / place)
        with pytest.raises(KeyFileError, match=rf"^{tmp_path / place}/{FILE_NAME}: Not a directory"):
            load_secret(tmp_path / place)

    def test_unreadable_is_not_called_missing(self, tmp_path: Path) -> None:
        """The error for a secret that cannot be read does not advise `keys new`, which would leave it as it is."""
        (tmp_path / FILE_NAME).mkdir()
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{FILE_NAME}: Is a directory$"):
            load_secret(tmp_path)


def derived(directory: Path) -> list[str]:
    return [each.derive("purpose") for each in load_secret(directory).versions()]


class TestRotation:
    def test_keeps_the_former_secret(self, tmp_path: Path) -> None:
        """After a rotation there is a new secret, and the former one beside it until it is forgotten."""
        create_secret(tmp_path)
        (before,) = derived(tmp_path)
        rotate_secret(tmp_path)
        after, former = derived(tmp_path)
        assert former == before != after
        forget_previous(tmp_path)
        assert derived(tmp_path) == [after]
        forget_previous(tmp_path)

    def test_keeps_mode_and_owner(self, tmp_path: Path) -> None:
        """Both files have the mode and the owner of the secret, and no temporary file is left."""
        create_secret(tmp_path)
        (tmp_path / FILE_NAME).chmod(0o400)
        owner = (tmp_path / FILE_NAME).stat().st_uid
        rotate_secret(tmp_path)
        found = {path.name: path.stat() for path in tmp_path.iterdir()}
        assert {name: (stat.S_IMODE(each.st_mode), each.st_uid) for name, each in found.items()} == {
            FILE_NAME: (0o400, owner),
            PREVIOUS_NAME: (0o400, owner),
        }

    def test_a_second_one_waits_for_the_end_of_the_first(self, tmp_path: Path) -> None:
        """A rotation during another would lose a secret that mails may wait for: it is refused with the command."""
        create_secret(tmp_path)
        rotate_secret(tmp_path)
        before = derived(tmp_path)
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{PREVIOUS_NAME}: .* keys end-rotation$"):
            rotate_secret(tmp_path)
        assert derived(tmp_path) == before

    def test_goes_on_after_a_crash(self, tmp_path: Path) -> None:
        """A rotation that ended after the secret got its second name is repeated."""
        create_secret(tmp_path)
        (before,) = derived(tmp_path)
        os.link(tmp_path / FILE_NAME, tmp_path / PREVIOUS_NAME)
        assert derived(tmp_path) == [before, before]
        rotate_secret(tmp_path)
        after, former = derived(tmp_path)
        assert former == before != after

    def test_needs_a_secret(self, tmp_path: Path) -> None:
        """Without a secret there is nothing to rotate; the error names the command that creates one."""
        with pytest.raises(KeyFileError, match=r"keys new$"):
            rotate_secret(tmp_path)

    def test_what_cannot_be_written_is_explained(self, tmp_path: Path) -> None:
        """A name that cannot be made or deleted, here that of a link to nothing and of a directory, is named."""
        create_secret(tmp_path)
        (tmp_path / PREVIOUS_NAME).symlink_to("not-mounted")
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{FILE_NAME}: File exists$"):
            rotate_secret(tmp_path)
        (tmp_path / PREVIOUS_NAME).unlink()
        (tmp_path / PREVIOUS_NAME).mkdir()
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{PREVIOUS_NAME}: [^\n]+$"):
            forget_previous(tmp_path)

    @pytest.mark.parametrize("size", [0, SIZE + 1])
    def test_a_damaged_former_secret_is_refused(self, tmp_path: Path, size: int) -> None:
        """The former secret must be as whole as the new one."""
        create_secret(tmp_path)
        rotate_secret(tmp_path)
        (tmp_path / PREVIOUS_NAME).write_bytes(b"x" * size)
        with pytest.raises(KeyFileError, match=rf"^{tmp_path}/{PREVIOUS_NAME} must hold exactly 32 bytes$"):
            load_secret(tmp_path)
