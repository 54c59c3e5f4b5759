"""Files that hold keys: written once, and readable by their owner only, or by one group where root owns them.

Orchestrators mount secrets as files of root that a group of the process may read.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

ROOT = 0
WHAT_IS_POSSIBLE = "give it to this user with mode 600, or to root with mode 440 and a group of this user"


class KeyFileError(Exception):
    """A key file that is missing, readable by others or damaged; the text is one line for the operator."""


def read_key_file(path: Path) -> bytes:
    """Read a key file; raises KeyFileError when it is missing or open to other users."""
    try:
        status = path.stat()
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise KeyFileError(f"{path}: {error.strerror}; create it with: registration-gateway keys new") from None
    except OSError as error:  # the file may be there, so the advice to create it would be wrong
        remedy = f"; {WHAT_IS_POSSIBLE}" if isinstance(error, PermissionError) else ""
        raise KeyFileError(f"{path}: {error.strerror}{remedy}") from None
    if is_open_to_others(status.st_mode, status.st_uid):
        remedy = f"run: chmod 600 {path}" if status.st_uid == os.geteuid() else WHAT_IS_POSSIBLE
        raise KeyFileError(f"{path} is open to other users; {remedy}")
    return content


def is_open_to_others(mode: int, owner: int) -> bool:
    """Whether more users than the owner, and where root is the owner one group, can read or change a file."""
    allowed = stat.S_IRGRP if owner == ROOT else 0
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO) & ~allowed)


def create_key_file(path: Path, content: bytes) -> bool:
    """Write a file of mode 0600 unless there is one, for the owner of its directory; False when there is one.

    A process that reads at the same time sees the whole file or none. Raises KeyFileError when the directory cannot be
    written.
    """
    try:
        if path.exists():  # perhaps in a read-only directory, as a mounted secret
            return False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temp_path = _write_temp(path, content)
    except OSError as error:
        raise KeyFileError(f"{path.parent}: {error.strerror}") from None
    try:
        os.link(temp_path, path)
    except FileExistsError:
        return False
    finally:
        temp_path.unlink()
    return True


def keep_and_replace(path: Path, kept: Path, content: bytes) -> None:
    """Let a key file have another content, with its mode and owner, and the old file another name beside it.

    A process that reads at the same time finds one of the two contents under `path`. Raises KeyFileError.
    """
    try:
        status = path.stat()
        if not kept.exists():
            os.link(path, kept)
        temp_path = _write_temp(path, content)
        os.chown(temp_path, status.st_uid, status.st_gid)
        temp_path.chmod(stat.S_IMODE(status.st_mode))
        temp_path.replace(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None


def hand_over(descriptor: int, directory: Path) -> None:
    """Give a new file to the owner of its directory: an operator may be root, where the gateway is another user."""
    with suppress(PermissionError):  # others can give nothing away
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _write_temp(path: Path, content: bytes) -> Path:
    temp_path = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        hand_over(file.fileno(), path.parent)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temp_path
