"""Keys in the links of mails."""

import re
from hashlib import sha256
from uuid import UUID

from registration.keys.link_keys import confirmation_key, digest
from registration.keys.secret import Secret

TOKEN = UUID(int=1)


def test_a_key_has_the_form_of_the_wire_contract() -> None:
    """A key has 32 lower-case hex characters, and is the same each time."""
    key = confirmation_key(Secret(bytes(32)), TOKEN)
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    assert key == confirmation_key(Secret(bytes(32)), TOKEN)


def test_a_key_depends_on_token_and_secret() -> None:
    """A key depends on the token's id and on the secret."""
    keys = {confirmation_key(Secret(bytes([n]) * 32), UUID(int=m)) for n in (0, 1) for m in (0, 1)}
    assert len(keys) == 4


def test_the_digest_is_sha_256() -> None:
    """The digest of a key is its SHA-256 in hex."""
    assert digest("abc") == sha256(b"abc").hexdigest()


def test_any_text_has_a_digest() -> None:
    """Any text that a client sends as a key has a digest, also one with a lone surrogate."""
    assert len(digest("\ud800")) == 64
