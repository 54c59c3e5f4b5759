"""Strict JSON: reads bytes to a value, or to a reason why they are refused."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

MAX_DEPTH = 64
MAX_ITEMS = 1000
"""Members and items in all. A sign-up has about twenty; reading and checking 30,000 would hold up other requests."""
MAX_DIGITS = 100
"""Of an integer: reading one takes quadratic time, and none that is asked for has ten."""
LONGEST_QUOTED_KEY = 100


@dataclass(frozen=True, slots=True)
class NotJson:
    """Why the bytes are refused: a predicate such as "is not valid UTF-8"; it holds no value that was sent."""

    reason: str


def read_json(content: bytes) -> Json | NotJson:
    """Refuse also what Python's reader accepts: repeated keys, NaN, half surrogate pairs, deep nesting, many items."""
    if _has_many_items(content):
        return NotJson(f"holds more than {MAX_ITEMS} members and items")
    try:
        value = _DECODER.decode(_text(content))
    except _RefusedError as refused:
        return NotJson(str(refused))
    except json.JSONDecodeError as error:
        return NotJson(f"is not valid JSON (line {error.lineno}, column {error.colno})")
    except RecursionError:
        return NotJson(_TOO_DEEP)
    flaw = _flaw(value) if _may_be_flawed(content) else None
    return value if flaw is None else NotJson(flaw)


_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


class _RefusedError(ValueError):
    """Raised by the decoder's callbacks and caught by `read_json`."""


def _text(content: bytes) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        raise _RefusedError("starts with a byte order mark")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _RefusedError(f"is not valid UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise _RefusedError("is empty")
    return text


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _RefusedError(f"names the key {_first_repeated(key for key, _ in pairs)} more than once in one object")
    return members


def _first_repeated(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    repeated = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return ascii(repeated[:LONGEST_QUOTED_KEY])


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _RefusedError("holds a number with too many digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _RefusedError("holds a number that is too large")
    return number


def _constant(name: str) -> float:
    raise _RefusedError(f"holds {name}, which JSON does not have")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_finite, parse_constant=_constant)


def _has_many_items(content: bytes) -> bool:
    """Counts without reading: an item has a comma before it, or the bracket of its array or object."""
    return _separators(content) > MAX_ITEMS and _separators(_without_strings(content)) > MAX_ITEMS


def _without_strings(content: bytes) -> bytes:
    r"""What stands between the strings of a JSON text, of which the last may have no end.

    A backslash stands in strings only. Without `\\` and `\"` every quote begins or ends one.
    """
    return b"".join(content.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _separators(content: bytes) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def _may_be_flawed(content: bytes) -> bool:
    """Half surrogate pairs need an escape and depth needs brackets: few requests have enough to look closer."""
    return b"\\u" in content or content.count(b"[") + content.count(b"{") > MAX_DEPTH


def _flaw(value: Json) -> str | None:
    level, depth = [value], 0
    while level:
        if any(isinstance(item, str) and not _is_unicode(item) for item in level):
            return "holds half of a surrogate pair"
        if depth == MAX_DEPTH and any(isinstance(item, dict | list) for item in level):
            return _TOO_DEEP
        level, depth = [child for item in level for child in _children(item)], depth + 1
    return None


def _children(value: Json) -> Iterable[Json]:
    match value:
        case dict():
            return [*value, *value.values()]
        case list():
            return value
        case _:
            return ()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
