"""The key files: whether they are there, whether others can read them, how old they are."""

import time
from collections.abc import Iterator
from pathlib import Path

from registration.diagnosis.finding import Finding, bad, good, worse
from registration.keys.key_files import KeyFileError
from registration.keys.secret import FILE_NAME, PREVIOUS_NAME, load_secret
from registration.keys.signing_keys import SigningKeys

DAY = 86_400
OLD_DAYS = 365
ROTATION_DAYS = 2
"""A rotation of the secret is meant to end after a day (docs/operations.md)."""


def look_at_keys(directory: Path) -> Iterator[Finding]:
    """Their modes are checked by reading them, as `serve` does."""
    try:
        load_secret(directory)
        keys = SigningKeys(directory).all()
    except KeyFileError as error:
        yield bad("keys", str(error), "do as the line says; registration-gateway keys new makes what is missing")
        return
    yield good("keys", f"{directory} has a secret and {len(keys)} signing keys, which no other user can read")
    yield from _ages(directory, keys[0].kid)


def _ages(directory: Path, newest: str) -> Iterator[Finding]:
    secret, signing = _days(directory / FILE_NAME), _days(directory / f"signing-{newest}.pem")
    seen = f"the secret's file is {secret} days old, that of the newest signing key {signing}"
    if max(secret, signing) > OLD_DAYS:
        yield worse("age of the keys", seen, "run keys rotate-secret, or keys new: docs/operations.md")
    else:
        yield good("age of the keys", seen)
    previous = directory / PREVIOUS_NAME
    if previous.exists() and _days(directory / FILE_NAME) >= ROTATION_DAYS:
        yield worse("rotation", f"{previous} is still there", "run: registration-gateway keys end-rotation")


def _days(path: Path) -> int:
    return int((time.time() - path.stat().st_mtime) // DAY)
