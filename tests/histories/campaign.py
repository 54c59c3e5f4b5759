"""A campaign: rounds of random operations against faults, each of which is checked when it is over."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock

from registration.storage.database import open_database
from tests.faults.load import send_the_rest
from tests.histories.checker.operation import Operation
from tests.histories.checker.rules import check, model_of
from tests.histories.checker.violation import Violation
from tests.histories.client import Client
from tests.histories.mailbox import Mailbox
from tests.histories.notes import Notes
from tests.histories.stage import Stage
from tests.histories.stored import check_stored

CLIENTS = 8
FAULT_EVERY = 1000
"""Operations."""
ROUND = 20_000
"""Operations of a round. Each has customers of its own, so that what is checked at once stays small."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a campaign has seen; `answers` are counted by kind and verdict, `faults` by name."""

    violations: list[Violation] = field(default_factory=list)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def run(stage: Stage, operations: int, seed: int, say: Callable[[str], None] = print) -> Findings:
    """Run rounds until so many operations are done, or one round has shown a violation."""
    findings = Findings()
    for number, first in enumerate(range(0, operations, ROUND)):
        _Round(stage, min(ROUND, operations - first), seed, number).run(findings)
        say(f"{findings.answers.total()} operations, {findings.faults.total()} faults")
        if findings.violations:
            break
    return findings


class _Round:
    def __init__(self, stage: Stage, operations: int, seed: int, number: int) -> None:
        self._stage = stage
        self._wanted = operations
        self._taken = 0
        self._lock = Lock()
        self._is_over = Event()
        self._random = Random(f"{seed}-{number}")
        self._notes = Notes()
        self._mailbox = Mailbox(stage.mail_directory)
        self._letters: list[Operation] = []
        names = [f"r{number}c{client}" for client in range(CLIENTS)]
        domain = f"round{number}.example.org"
        self._clients = [Client(n, Random(f"{seed}-{n}"), stage.gateways, self._notes, domain) for n in names]

    def run(self, findings: Findings) -> None:
        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            reading = pool.submit(self._read_letters)
            tasks = [pool.submit(self._operate, client) for client in self._clients]
            try:
                # By this thread, because the kernel ends a gateway when the thread that started it has ended.
                self._meet_faults(findings.faults)
                for task in tasks:
                    task.result()
            finally:
                self._is_over.set()
            reading.result()
        self._clients[0].sign_in_everywhere()
        self._judge(findings)

    def _operate(self, client: Client) -> None:
        try:
            while not self._is_over.is_set():
                sent = client.operate(self._taken)
                with self._lock:
                    self._taken += sent
                if self._taken >= self._wanted:
                    break
        finally:  # for the others, too, when this one has failed
            self._is_over.set()

    def _meet_faults(self, met: Counter[str]) -> None:
        """Let a fault happen after each so many operations."""
        names = sorted(self._stage.faults)
        for moment in range(FAULT_EVERY // 2, self._wanted, FAULT_EVERY):
            while self._taken < moment and not self._is_over.wait(0.01):
                pass
            if self._is_over.is_set():
                return
            name = self._random.choice(names)
            met[name] += 1
            self._stage.faults[name](self._random)

    def _read_letters(self) -> None:
        while not self._is_over.wait(0.05):
            self._collect()

    def _collect(self) -> None:
        for letter in self._mailbox.collect():
            self._letters.append(letter)
            self._notes.file(letter)

    def _judge(self, findings: Findings) -> None:
        history = [each for client in self._clients for each in client.history]
        findings.answers.update((each.kind, each.verdict) for each in history)
        with closing(open_database(self._stage.url)) as database:
            send_the_rest(database)
            self._collect()
            model = model_of([*history, *self._letters])
            findings.violations.extend(check(model))
            findings.violations.extend(check_stored(model, database, self._mailbox.arrived, time.monotonic()))
