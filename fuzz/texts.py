"""Hostile texts. What the log must not repeat begins with the CANARY."""

import json
from functools import cache
from random import Random
from typing import Any

CANARY = "canary-"
SPECIAL = (
    "\x00\t\n\r\x1b\x7f\x85\xa0\xad\u200b\u200d\u202e\u2028\u2066\ufeff\ufffe\ud800\udfff"
    "\U0001f600\U0001f468\u0301@.\"\\/<>{}$#'%&=;,:|*?"
)
WORDS = (
    "Ada",
    "null",
    "true",
    "0",
    "-1",
    "NaN",
    "1e999",
    "__proto__",
    "constructor",
    "data:",
    "javascript:",
    "../..",
    "%00",
    "' OR 1=1 --",
)
DAYS = ("1990-02-30", "2999-01-01", "0001-01-01", "1990-1-1", "19900101", "-0001-01-01", "1990-01-01T00:00:00Z")


@cache
def case_changers() -> str:
    """The letters that change their length or their class with their case, or do not come back from it."""
    letters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    return "".join(letter for letter in letters if _changes(letter))


def _changes(letter: str) -> bool:
    lower, upper = letter.lower(), letter.upper()
    if lower == upper == letter:
        return False
    return len(lower) != 1 or len(upper) != 1 or letter not in {lower.upper(), upper.lower()}


def text(random: Random) -> str:
    """Any text, half of them with the canary; a few are long."""
    kind = random.randrange(8)
    if kind == 0:
        made = random.choice(WORDS)
    elif kind == 1:
        made = random.choice(("a", "ß", "\u0301", "\U0001f600", "\ud800", " ")) * random.choice(
            (1, 100, 101, 256, 5_000)
        )
    else:
        letters = random.choice((SPECIAL, case_changers(), "abcXYZ019 ", "абвгд", "سلام", "漢字仮名"))
        made = "".join(random.choices(letters + "aB1 ", k=random.randrange(24)))
    return secret(random, made) if random.random() < 0.5 else made


def secret(random: Random, rest: str = "") -> str:
    """A text that is in no log: a password, or what looks like a token."""
    return f"{CANARY}{random.getrandbits(40):010x}{rest}"


def address(random: Random) -> str:
    local = random.choice(("ada", '"a b"', "a..b", "x" * random.randrange(60, 70), text(random), "a+b", "\u212a"))
    domain = random.choice(
        ("example.org", "bücher.example", "xn--bcher-kva.example", "[127.0.0.1]", "a" * 64 + ".org", text(random))
    )
    return f"{CANARY}{random.getrandbits(24):06x}{local}@{domain}"


def password(random: Random) -> str:
    return secret(random, random.choice(("", "ü", "u\u0308", "\x00", "p" * 120, "\U0001f600", text(random))))


def value(random: Random, depth: int = 3) -> Any:
    """Any JSON."""
    kind = random.randrange(9 if depth else 6)
    if kind <= 2:
        return text(random)
    if kind <= 5:
        return random.choice((None, True, False, 0, -1, 10**25, 1.5, 1e308, "", [], {}))
    if kind == 6:
        return [value(random, depth - 1) for _ in range(random.randrange(4))]
    return {text(random): value(random, depth - 1) for _ in range(random.randrange(4))}


def encoded(random: Random, document: object) -> bytes:
    """A document as JSON, with escapes or in raw UTF-8, where half a surrogate pair is no UTF-8 at all."""
    ascii_only = random.random() < 0.7
    return json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def named(random: Random, name: str) -> Any:
    """A value for a field of this name, good ones among them, as far as its name tells what is good."""
    lower, is_good = name.lower(), random.random() < 0.7
    if "password" in lower:
        return f"{CANARY}of the member" if is_good else password(random)
    if "email" in lower or lower == "username":
        return f"{CANARY}{random.getrandbits(24):06x}@example.org" if is_good else address(random)
    if "token" in lower or "key" in lower or "restore" in lower:
        return secret(random, random.choice(("", "." + "a" * 300, text(random))))
    if "date" in lower:
        return "1990-01-30" if is_good else random.choice(DAYS)
    if "terms" in lower:
        return True if is_good else value(random)
    if lower in PLAIN and is_good:
        return PLAIN[lower]
    return text(random)


PLAIN = {"salutation": "Mrs", "gender": "Female", "firstname": "Ada", "lastname": "Beispiel", "language": "de"}
