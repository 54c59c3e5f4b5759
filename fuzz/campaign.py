"""A campaign: requests by seed and number, in stretches; what is wrong with answers, log and process."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Lock

from fuzz.client import Answer, Client
from fuzz.member import known_of
from fuzz.requests import Known, Request, make
from fuzz.texts import CANARY
from fuzz.watched import REPORT
from harness.gateway import Gateway
from harness.processes import memory_mib
from harness.store import Engine, store

CLIENTS = 8
STRETCH = 1000
"""Requests between two looks at the process, its log and its memory."""
HOPELESS = 0.25
"""Seconds of one step of the event loop that count even if no request alone takes them again."""
GROWTH_MIB, GROWTH = 24, 1.15
"""What the process may grow by in the second half of a campaign: caches are full by then."""
HERE = Path(__file__).parent
KEPT = HERE / "corpus"
PRODUCTION = {"GATEWAY_MODE": "production", "GATEWAY_TRUSTED_PROXIES": "127.0.0.1"}
DEVELOPMENT = {"GATEWAY_MODE": "development"}
CONCEAL = {"GATEWAY_DISCLOSURE": "conceal"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A gateway that a campaign is run against."""

    engine: Engine
    settings: Mapping[str, str]

    @property
    def name(self) -> str:
        return " ".join([self.engine, self.settings["GATEWAY_MODE"], self.settings.get("GATEWAY_DISCLOSURE", "reveal")])


SETTINGS = (
    Setting("sqlite", DEVELOPMENT),
    Setting("sqlite", PRODUCTION | CONCEAL),
    Setting("postgresql", PRODUCTION),
    Setting("postgresql", DEVELOPMENT | CONCEAL),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong, and the requests that were under way."""

    what: str
    requests: Sequence[Request] = ()


@dataclass(slots=True)
class Findings:
    """What a campaign has seen so far."""

    failures: list[Failure] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    signatures: set[str] = field(default_factory=set)
    memory: list[float] = field(default_factory=list)


class Campaign:
    """`directory` keeps what goes on from run to run: the corpus, the failures and how far each campaign has come."""

    def __init__(self, directory: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self._directory = directory
        self._seed = seed
        self._say = say

    def run(self, setting: Setting, requests: int) -> Findings:
        """Go on where a campaign with this seed against this setting has stopped, up to so many requests."""
        done = self._done(setting)
        findings = Findings()
        if done >= requests:
            self._say(f"{setting.name}: {done} requests are done already")
            return findings
        with serving(setting) as target:
            known = known_of(target.gateway, self._corpus())
            for first in range(done, requests, STRETCH):
                last = min(first + STRETCH, requests)
                self._stretch(target, known, range(first, last), findings)
                self._save(setting, last)
        findings.failures += grown(findings.memory)
        self._keep_failures(setting, findings)
        return findings

    def _stretch(self, target: "Target", known: Known, numbers: range, findings: Findings) -> None:
        gateway, name = target.gateway, target.setting.name
        told = ask_all(gateway.port, (self._request(name, known, number) for number in numbers))
        for each in told:
            findings.answers.update((each.request.kind, status) for status in each.answer.statuses)
            findings.failures += judged(each.request, each.answer)
            self._keep(each, findings)
        findings.failures += blocked(target, told)
        findings.failures += leaked(gateway.log, known)
        findings.memory.append(memory_mib(gateway.process.pid)[0])
        if gateway.process.poll() is not None:
            raise RuntimeError(f"the gateway has ended:\n{gateway.log.read_text()}")
        self._say(f"{name}: {numbers.stop} requests, {len(findings.failures)} failures, {findings.memory[-1]:.0f} MiB")

    def _request(self, name: str, known: Known, number: int) -> Request:
        return make(Random(f"{self._seed} {name} {number}"), known)

    def _corpus(self) -> list[bytes]:
        """Read once, so that a campaign is the same whatever it finds."""
        found = [*KEPT.glob("*.http"), *(self._directory / "corpus").glob("*.http")]
        return [path.read_bytes() for path in sorted(found)]

    def _keep(self, told: "Told", findings: Findings) -> None:
        """Keep a request whose answer has not been seen before: changes of it may go further."""
        signature = f"{told.request.kind} {told.answer.signature}"
        if signature not in findings.signatures and told.request.is_http:
            findings.signatures.add(signature)
            name = sha256(signature.encode()).hexdigest()[:16]
            _write(self._directory / "corpus" / f"{name}.http", told.request.content)

    def _keep_failures(self, setting: Setting, findings: Findings) -> None:
        for number, failure in enumerate(findings.failures):
            self._say(f"FAILURE {setting.name}: {failure.what}")
            for position, request in enumerate(failure.requests):
                name = f"{setting.name.replace(' ', '-')}-{self._seed}-{number}-{position}.http"
                _write(self._directory / "failures" / name, request.content)
                self._say(f"  {self._directory / 'failures' / name}")

    def _state(self, setting: Setting) -> Path:
        return self._directory / f"{setting.name.replace(' ', '-')}-{self._seed}.json"

    def _done(self, setting: Setting) -> int:
        path = self._state(setting)
        return int(json.loads(path.read_text())["done"]) if path.exists() else 0

    def _save(self, setting: Setting, done: int) -> None:
        _write(self._state(setting), json.dumps({"done": done}).encode())


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway that serves; its event loop writes into `report`."""

    setting: Setting
    gateway: Gateway
    report: Path

    def reported(self) -> list[tuple[float, float]]:
        """When the steps that took too long ended, by the monotonic clock, and their seconds; each is told once."""
        lines = self.report.read_text().splitlines()
        self.report.write_text("")
        return [(float(end), float(seconds)) for end, seconds in map(str.split, lines)]


@dataclass(frozen=True, slots=True)
class Told:
    """A request, its answer, and when it began and ended, by the monotonic clock."""

    request: Request
    answer: Answer
    began: float
    ended: float


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@contextmanager
def serving(setting: Setting) -> Iterator[Target]:
    """A watched gateway on a database of its own."""
    with TemporaryDirectory() as name, store(setting.engine, Path(name)) as empty:
        directory = Path(name)
        report = directory / "loop"
        report.touch()
        command = directory / "watched"
        command.write_text(f'#!/bin/sh\n{REPORT}={report} exec {sys.executable} -m fuzz.watched "$@"\n')
        command.chmod(0o755)
        chosen = {"GATEWAY_DATABASE_URL": empty.url, **setting.settings}
        with Gateway(directory, chosen, command) as gateway:
            yield Target(setting, gateway, report)


def ask_all(port: int, requests: Iterator[Request]) -> list[Told]:
    """Several clients at once; the answers come in the order of the requests of each client."""
    lock = Lock()

    def next_one() -> Request | None:
        with lock:
            return next(requests, None)

    def work(_: int) -> list[Told]:
        told = []
        with closing(Client(port)) as client:
            while request := next_one():
                began = time.monotonic()
                answer = client.ask(request)
                told.append(Told(request, answer, began, time.monotonic()))
        return told

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [each for mine in threads.map(work, range(CLIENTS)) for each in mine]


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
    for end, seconds in target.reported():
        around = [each.request for each in told if each.began < end and each.ended > end - seconds]
        again = [request for request in around if _blocks(target, request)]
        if again or seconds > HOPELESS:
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
