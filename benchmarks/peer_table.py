"""The tables of registrations and sign-ins a second by the gateway and its peers, from loads that took turns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.report import section, target_table
from benchmarks.targets import Target
from harness.store import ENGINES, Engine

Name = Literal["gateway", "better-auth", "vendure"]
Job = Literal["registrations", "registrations with mails", "sign-ins"]
WANTED: dict[Job, dict[Name, str]] = {
    "registrations": {"better-auth": ">= 1.8", "vendure": ">= 2.3"},
    "registrations with mails": {"better-auth": ">= 1.5", "vendure": ">= 3"},
    "sign-ins": {"better-auth": ">= 1.2", "vendure": ">= 2"},
}
FAIRNESS = """Every server hashes with Argon2id and the same parameters; wrk and PostgreSQL share the cores with each.
A row is the median of loads that took turns; ratios are medians of the ratios within a round. The peers have less to
do: no rate limit, no audit trail, and without mails no confirmation, while the gateway also writes a token, a mail and
an event. A registration with its mail counts when the mail server has taken the mail; the peers send a plain line of
text from memory, without a queue that outlives the process. The target counts the best row of a peer."""

COLUMNS = (
    "server",
    "engine",
    "run as",
    "rate/s",
    "of the bare hash",
    "gateway / theirs",
    "p99 ms",
    "CPU ms",
    "database ms",
)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server under load; `variant` distinguishes several ways to run the same peer."""

    name: Name
    engine: Engine
    variant: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One load: successes a second; p99, and CPU of server and database for one of them, in milliseconds."""

    contender: Contender
    rate: float
    p99: float
    server_ms: float
    database_ms: float


@dataclass(frozen=True, slots=True)
class Round:
    """A load of each server within a minute or so, and the bare hashes a second of the same minute."""

    bare_rate: float
    slices: list[Slice]

    def of(self, contender: Contender) -> Slice:
        return next(each for each in self.slices if each.contender == contender)

    def gateway(self, engine: Engine) -> Slice:
        return next(
            each for each in self.slices if each.contender.name == "gateway" and each.contender.engine == engine
        )


@dataclass(frozen=True, slots=True)
class PeerRow:
    """Medians over all rounds. `lead` is the rate of the gateway on the same engine divided by this rate."""

    contender: Contender
    rate: float
    ratio: float
    lead: float
    p99: float
    server_ms: float
    database_ms: float


def peer_rows(rounds: Sequence[Round]) -> list[PeerRow]:
    """One row for each server, in the order of the first round."""
    return [_peer_row(rounds, each.contender) for each in rounds[0].slices]


def targets(job: Job, rows: Sequence[PeerRow]) -> Iterator[Target]:
    """One for each peer and engine, about the fastest variant of the peer."""
    for name, wanted in WANTED[job].items():
        for engine in ENGINES:
            leads = [each.lead for each in rows if (each.contender.name, each.contender.engine) == (name, engine)]
            if leads:
                yield Target(f"{job} a second against {name}, {engine}", wanted, min(leads))


def report(machine: str, versions: str, measured: Mapping[Job, Sequence[Round]]) -> str:
    """The whole report in Markdown."""
    found = {job: peer_rows(rounds) for job, rounds in measured.items()}
    lines = ["# Compared with its peers", "", machine, "", versions, "", FAIRNESS, ""]
    for job, rows in found.items():
        bare_rate = median(each.bare_rate for each in measured[job])
        title = f"{job.capitalize()}: {len(measured[job])} rounds, beside {bare_rate:.0f} bare hashes a second"
        lines += section(title, COLUMNS, [_cells(each) for each in rows])
    reached = [target for job, rows in found.items() for target in targets(job, rows)]
    return "\n".join([*lines, "## Targets", "", *target_table(reached), ""])


def _cells(row: PeerRow) -> tuple[str | float | None, ...]:
    lead = None if row.contender.name == "gateway" else row.lead
    contender = (row.contender.name, row.contender.engine, row.contender.variant)
    return (*contender, row.rate, row.ratio, lead, row.p99, row.server_ms, row.database_ms)


def _peer_row(rounds: Sequence[Round], contender: Contender) -> PeerRow:
    def middle(value: Callable[[Slice], float]) -> float:
        return median(value(each.of(contender)) for each in rounds)

    return PeerRow(
        contender=contender,
        rate=middle(lambda slice_: slice_.rate),
        ratio=median(each.of(contender).rate / each.bare_rate for each in rounds),
        lead=median(each.gateway(contender.engine).rate / each.of(contender).rate for each in rounds),
        p99=middle(lambda slice_: slice_.p99),
        server_ms=middle(lambda slice_: slice_.server_ms),
        database_ms=middle(lambda slice_: slice_.database_ms),
    )
