"""The secret of an installation, in a key file, and the values that are derived from it.

During a rotation the secret before is kept beside it, for what was derived under that (decision 0036).
"""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from registration.keys.key_files import KeyFileError, create_key_file, keep_and_replace, read_key_file

FILE_NAME = "secret.key"
PREVIOUS_NAME = "secret.previous.key"
LEDGER_NAME = "ledger.key"
SIZE = 32


class Secret:
    """Derives values that a reader of the database alone cannot guess."""

    def __init__(self, key: bytes, previous: "Secret | None" = None) -> None:
        self._key = key
        self.previous = previous

    def versions(self) -> "tuple[Secret, ...]":
        """This secret, and during a rotation the one before: for what may have been derived from either."""
        return (self, self.previous) if self.previous else (self,)

    def derive(self, purpose: str, *parts: str) -> str:
        """64 lower-case hex characters: HMAC-SHA-256 over the purpose and the parts."""
        digest = hmac.new(self._key, digestmod=sha256)
        for part in (purpose, *parts):
            encoded = part.encode("utf-8", "surrogatepass")
            # Length prefixes, so that ("a", "bc") and ("ab", "c") differ.
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return "Secret(***)"


def load_secret(directory: Path) -> Secret:
    """Read the secret, and the one before where there is one.

    Raises KeyFileError when a file is missing, readable by others or of the wrong size.
    """
    previous = directory / PREVIOUS_NAME
    key = _read(directory / FILE_NAME)
    return Secret(key, Secret(_read(previous)) if previous.exists() else None)


def create_secret(directory: Path) -> bool:
    """Write a new secret unless there is one; False when there is one. Safe when several processes start at once.

    Raises KeyFileError when the directory cannot be written.
    """
    return create_key_file(directory / FILE_NAME, secrets.token_bytes(SIZE))


def load_ledger_key(directory: Path) -> Secret:
    """Read the key of the ledger of erasures, which no rotation replaces: entries are as old as the oldest backup.

    Raises KeyFileError.
    """
    return Secret(_read(directory / LEDGER_NAME))


def create_ledger_key(directory: Path) -> bool:
    """As `create_secret`."""
    return create_key_file(directory / LEDGER_NAME, secrets.token_bytes(SIZE))


def rotate_secret(directory: Path) -> None:
    """Write a new secret, and keep the former as the previous one, with its mode and owner.

    Raises KeyFileError when a rotation is under way, or the directory cannot be written. May be repeated after a crash.
    """
    path, previous = directory / FILE_NAME, directory / PREVIOUS_NAME
    former = _read(path)
    if previous.exists() and _read(previous) != former:
        raise KeyFileError(f"{previous}: a rotation is under way; end it with: registration-gateway keys end-rotation")
    keep_and_replace(path, previous, secrets.token_bytes(SIZE))


def forget_previous(directory: Path) -> None:
    """Delete the secret before; raises KeyFileError when the directory cannot be written."""
    path = directory / PREVIOUS_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    key = read_key_file(path)
    if len(key) != SIZE:
        raise KeyFileError(f"{path} must hold exactly {SIZE} bytes")
    return key
