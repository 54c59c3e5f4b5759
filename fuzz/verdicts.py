"""What is wrong with an answer, the event loop, the log or the memory of a gateway."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fuzz.client import Answer, Client
from fuzz.requests import Known, Request
from fuzz.target import Target
from fuzz.texts import CANARY

HOPELESS = 125
"""Rounds of one step of the event loop that count even if no request alone takes them again."""
GROWTH_MIB, GROWTH = 24, 1.15
"""What the process may grow by in the second half of a campaign: caches are full by then."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong, and the requests that were under way."""

    what: str
    requests: Sequence[Request] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A request, its answer, and when it began and ended, by the monotonic clock."""

    request: Request
    answer: Answer
    began: float
    ended: float


def judged(request: Request, answer: Answer) -> Iterator[Failure]:
    """What is wrong with one answer.

    501 is right for a coding of the body that the gateway does not know, and for preflights without their headers
    (the contract).
    """
    if answer.fault == "hangs" or (answer.fault and request.is_http):
        yield Failure(f"{request.kind}: {answer.fault}", [request])
    right = {503, 501} if not request.is_http or request.content.startswith(b"OPTIONS ") else {503}
    for status in answer.statuses:
        if status >= 500 and status not in right:
            yield Failure(f"{request.kind}: {status}", [request])
    if b"INTERNAL_ERROR" in answer.body:
        yield Failure(f"{request.kind}: INTERNAL_ERROR", [request])


def blocked(target: Target, told: Sequence[Told]) -> Iterator[Failure]:
    """Steps of the event loop that took too long: those whose request does it again alone, and those of any length."""
    for end, seconds, rounds in target.reported():
        around = [each.request for each in told if each.began < end and each.ended > end - seconds]
        again = [request for request in around if _blocks(target, request)]
        if again or rounds > HOPELESS:
            yield Failure(f"the event loop computed for {seconds * 1000:.0f} ms", again or around)


def _blocks(target: Target, request: Request) -> bool:
    with closing(Client(target.gateway.port)) as client:
        client.ask(request)
        # An answer that comes later than the report of what was done before it.
        client.ask(Request("probe", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
    time.sleep(0.02)
    return bool(target.reported())


def leaked(log: Path, known: Known) -> Iterator[Failure]:
    """Lines of the log with anything that was sent; empties the log."""
    text = log.read_text("utf-8", "replace")
    with log.open("r+b") as file:
        file.truncate(0)
    for line in text.splitlines():
        if CANARY in line or any(token in line for token in known.tokens):
            yield Failure(f"the log holds what was sent: {line[:300]}")
        if '"level": "error"' in line or "[error" in line or "Traceback" in line:
            yield Failure(f"the log holds an error: {line[:300]}")


def grown(memory: Sequence[float]) -> Iterator[Failure]:
    """Whether memory still grows when the caches are full: the second half of ten stretches or more."""
    if len(memory) < 10:
        return
    middle, end = memory[len(memory) // 2], memory[-1]
    if end > max(middle * GROWTH, middle + GROWTH_MIB):
        yield Failure(f"memory grew from {middle:.0f} to {end:.0f} MiB in the second half")
