"""A finding: one line of the doctor's report."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`skipped` says that something could not be looked at; only `bad` makes the doctor end with an error."""

    GOOD = "good"
    WORSE = "could be better"
    BAD = "bad"
    SKIPPED = "not looked at"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and what to do where it is not good. No part holds a secret."""

    what: str
    verdict: Verdict
    seen: str
    mend: str = ""


def good(what: str, seen: str) -> Finding:
    return Finding(what, Verdict.GOOD, seen)


def worse(what: str, seen: str, mend: str) -> Finding:
    return Finding(what, Verdict.WORSE, seen, mend)


def bad(what: str, seen: str, mend: str) -> Finding:
    return Finding(what, Verdict.BAD, seen, mend)


def skipped(what: str, seen: str, mend: str = "") -> Finding:
    return Finding(what, Verdict.SKIPPED, seen, mend)
