"""The secret of an installation, in a key file, and the values that are derived from it."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from registration.keys.key_files import KeyFileError, create_key_file, read_key_file

FILE_NAME = "secret.key"
SIZE = 32


class Secret:
    """Derives values that a reader of the database alone cannot guess."""

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
    key = read_key_file(path)
    if len(key) != SIZE:
        raise KeyFileError(f"{path} must hold exactly {SIZE} bytes")
    return Secret(key)


def create_secret(directory: Path) -> bool:
    """Write a new secret unless there is one; False when there is one. Safe when several processes start at once.

    Raises KeyFileError when the directory cannot be written.
    """
    return create_key_file(directory / FILE_NAME, secrets.token_bytes(SIZE))
