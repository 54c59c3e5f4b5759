"""Content negotiation: which of the offered media types a client prefers, and whether a body is JSON in UTF-8."""

import re
from functools import lru_cache
from typing import NamedTuple

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"

# Some clients write .2 or more digits than RFC 9110, 12.4.2 allows.
_QUALITY = re.compile(r"0?\.[0-9]+|0\.?|1(\.0*)?")


class _Range(NamedTuple):
    media_range: str
    quality: float


@lru_cache(maxsize=64)
def preferred(accept: str, offers: tuple[str, ...]) -> str | None:
    """The offer with the highest quality; among equals the one named most exactly, then earliest, then offered first.

    None if the client accepts none of them. An empty header accepts everything.
    """
    ranges = [parsed for item in accept.split(",") if (parsed := _range(item))] if accept else [_Range("*/*", 1.0)]
    ranked = [(rank, offer) for offer in offers if (rank := _rank(offer, ranges))]
    return max(ranked, key=lambda item: item[0])[1] if ranked else None


@lru_cache(maxsize=64)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type says JSON, in UTF-8 or in no named encoding."""
    media_type, *parameters = content_type.lower().split(";")
    charsets = [value.strip('"') for name, value in map(_parameter, parameters) if name == "charset"]
    return media_type.strip() == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _range(item: str) -> _Range | None:
    """None where the quality is none, such as 7. Java writes `*` for any type."""
    media_range, *parameters = item.strip().lower().split(";")
    quality = next((value for name, value in map(_parameter, parameters) if name == "q"), "1")
    name = media_range.strip()
    return _Range("*/*" if name == "*" else name, float(quality)) if _QUALITY.fullmatch(quality) else None


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _rank(offer: str, ranges: list[_Range]) -> tuple[float, int, int] | None:
    """Quality, exactness and place of the most exact range that covers the offer."""
    by_exactness = ("*/*", f"{offer.partition('/')[0]}/*", offer)
    matches = [
        (by_exactness.index(item.media_range), -place, item.quality)
        for place, item in enumerate(ranges)
        if item.media_range in by_exactness
    ]
    exactness, place, quality = max(matches, default=(0, 0, 0.0))
    return (quality, exactness, place) if quality > 0 else None
