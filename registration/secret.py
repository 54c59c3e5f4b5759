"""The one secret of an installation, kept in a file beside the database; it never appears in a log or repr."""

import hmac
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

FILE_NAME = "secret.key"
SIZE = 32


class KeyFileError(Exception):
    """A key file that is missing, readable by others or damaged; the text is one line for the operator."""


class Secret:
    """Derives values that nobody can guess who reads only the database."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def derive(self, purpose: str, *parts: str) -> str:
        """64 lower-case hex characters: HMAC-SHA-256 over the purpose and the parts."""
        # Length prefixes, so that ("a", "bc") and ("ab", "c") differ.
        encoded = [part.encode("utf-8", "surrogatepass") for part in (purpose, *parts)]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
        return hmac.new(self._key, message, sha256).hexdigest()

    def __repr__(self) -> str:
        return "Secret(***)"


def load_secret(directory: Path) -> Secret:
    """Read the secret; raises KeyFileError when it is missing, readable by others or of the wrong size."""
    path = directory / FILE_NAME
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}; create it with: registration-gateway keys new") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"{path} is open to other users; run: chmod 600 {path}")
    if len(key) != SIZE:
        raise KeyFileError(f"{path} must hold exactly {SIZE} bytes")
    return Secret(key)


def create_secret(directory: Path) -> bool:
    """Write a new secret unless there is one; false when there was one. Safe when several processes start at once.

    Raises KeyFileError when the directory cannot be written.
    """
    try:
        if (directory / FILE_NAME).exists():  # perhaps where nobody may write, as a mounted secret
            return False
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _write_draft(directory)
    except OSError as error:
        raise KeyFileError(f"{directory}: {error.strerror}") from None
    try:
        os.link(draft, directory / FILE_NAME)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _write_draft(directory: Path) -> Path:
    draft = directory / f".{FILE_NAME}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
    return draft
