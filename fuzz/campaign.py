"""A campaign: requests by seed and number, in stretches, each followed by a look at the gateway."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any

from fuzz.client import Client
from fuzz.member import known_of
from fuzz.requests import Known, Request, make
from fuzz.target import Setting, Target, serving
from fuzz.verdicts import Failure, Told, blocked, grown, judged, leaked
from harness.processes import memory_mib

CLIENTS = 8
STRETCH = 1000
"""Requests between two looks at the process, its log and its memory."""
KEPT = Path(__file__).parent / "corpus"


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
        done, before = self._state(setting)
        findings = Findings([Failure(what) for what in before])
        if done >= requests:
            self._say(f"{setting.name}: {done} requests are done already, with {len(before)} failures")
            return findings
        with serving(setting) as target:
            known = known_of(target.gateway, self._corpus())
            for first in range(done, requests, STRETCH):
                last = min(first + STRETCH, requests)
                self._stretch(target, known, range(first, last), findings)
                self._save(setting, last, findings)
            findings.failures += grown(findings.memory)
            self._save(setting, requests, findings)
        return findings

    def _stretch(self, target: Target, known: Known, numbers: range, findings: Findings) -> None:
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

    def _keep(self, told: Told, findings: Findings) -> None:
        """Keep a request whose answer has not been seen before: changes of it may go further."""
        signature = f"{told.request.kind} {told.answer.signature}"
        if signature not in findings.signatures and told.request.is_http:
            findings.signatures.add(signature)
            name = sha256(signature.encode()).hexdigest()[:16]
            _write(self._directory / "corpus" / f"{name}.http", told.request.content)

    def _state(self, setting: Setting) -> tuple[int, list[str]]:
        """How many requests are done, and the failures that they showed: a later run must not pass over them."""
        path = self._directory / f"{self._name(setting)}.json"
        state: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"done": 0, "failures": []}
        return int(state["done"]), list(state["failures"])

    def _save(self, setting: Setting, done: int, findings: Findings) -> None:
        for failure in findings.failures[len(self._state(setting)[1]) :]:
            self._say(f"FAILURE {setting.name}: {failure.what}")
            for request in failure.requests:
                path = self._directory / "failures" / f"{sha256(request.content).hexdigest()[:16]}.http"
                _write(path, request.content)
                self._say(f"  {path}")
        state = {"done": done, "failures": [failure.what for failure in findings.failures]}
        _write(self._directory / f"{self._name(setting)}.json", json.dumps(state).encode())

    def _name(self, setting: Setting) -> str:
        return f"{setting.name.replace(' ', '-')}-{self._seed}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


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
