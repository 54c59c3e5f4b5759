"""Words that a password must not consist of: those of the customer's name and address, and of the shop."""

import re
from unicodedata import combining, normalize

# Longer texts, of a hostile client, break a rule of their own.
READ = 128


def words_of(*texts: str | None) -> frozenset[str]:
    """The words of names, addresses and hosts that have at least three letters, without case and accents."""
    return frozenset(word for text in filter(None, texts) for word in re.findall(r"[^\W\d_]{3,}", _fold(text[:READ])))


def has_only(words: frozenset[str], password: str) -> bool:
    """Whether a password has no letters but those of the words, one at least: `ada`, `Ada-Lovelace1815`."""
    folded = _fold(password)
    longest_first = sorted((word for word in words if word in folded), key=len, reverse=True)
    if not longest_first:
        return False
    rest = re.sub("|".join(longest_first), " ", folded)
    return not any(letter.isalpha() for letter in rest)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(letter for letter in normalize("NFKD", text.casefold()) if not combining(letter))
