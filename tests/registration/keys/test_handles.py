"""Handles and codes derive from the secret: the same sign-up has the same ones, and no other has them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from registration.keys.handles import LENGTH, Handle, code_digest, code_of, handle_of, read_handle
from registration.keys.secret import Secret

SECRET = Secret(b"s" * 32)
ID = UUID("8bc09e7c-0000-4000-8000-000000000000")
NOW = datetime(2026, 11, 23, 13, 36, 29, 123456, tzinfo=UTC)
HANDLE = handle_of(SECRET, ID, NOW)


def test_a_handle_names_its_sign_up() -> None:
    """A handle is read as the customer and the second that it was made of, also while the secret is rotated."""
    named = Handle(ID, NOW.replace(microsecond=0))
    assert len(HANDLE) == LENGTH
    assert read_handle(SECRET, HANDLE) == named
    assert read_handle(Secret(b"t" * 32, SECRET), HANDLE) == named
    assert handle_of(SECRET, ID, NOW) == HANDLE


@pytest.mark.parametrize("text", ["", "ä" * LENGTH, "A" * LENGTH, "\ud800" * LENGTH, HANDLE[:-1] + "!", HANDLE * 2])
def test_a_text_that_is_no_handle_is_told(text: str) -> None:
    """A text of another form, or without our proof, names nothing."""
    assert read_handle(SECRET, text) is None


def test_a_changed_handle_names_nothing() -> None:
    """A handle of another installation, or with one bit changed, is refused."""
    assert read_handle(Secret(b"t" * 32), HANDLE) is None
    raw = urlsafe_b64decode(HANDLE)
    for place in range(len(raw)):
        changed = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        assert read_handle(SECRET, urlsafe_b64encode(changed).decode()) is None


def test_no_two_sign_ups_share_a_handle() -> None:
    """Another customer, or another moment, has another handle."""
    others = [handle_of(SECRET, uuid4(), NOW), handle_of(SECRET, ID, NOW + timedelta(seconds=1))]
    assert len({HANDLE, *others}) == 3


def test_codes_have_six_digits() -> None:
    """A code is six digits, with leading zeros, and always the same for a token."""
    tokens = [UUID(int=number) for number in range(300)]
    codes = [code_of(SECRET, token) for token in tokens]
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(set(codes)) > 290
    assert codes == [code_of(SECRET, token) for token in tokens]


def test_a_digest_belongs_to_one_customer_and_secret() -> None:
    """The stored digest of a code differs between customers and secrets, so that a copy of it tells nothing."""
    digests = {code_digest(SECRET, ID, "123456"), code_digest(SECRET, uuid4(), "123456")}
    assert len(digests | {code_digest(Secret(b"t" * 32), ID, "123456")}) == 3
