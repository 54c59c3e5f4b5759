"""Who registers how many people a second, from loads that took turns, and whether the gateway leads; no measuring."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.report import bar_table, section
from benchmarks.targets import Bar
from harness.store import ENGINES, Engine

Name = Literal["gateway", "better-auth", "vendure"]
WANTED: dict[Name, str] = {"better-auth": ">= 1.8", "vendure": ">= 2.3"}
FAIRNESS = """Every server does Argon2id with the same parameters; wrk and PostgreSQL share the cores with all of them.
A row is the median of loads that took turns; ratios are medians of the ratios within a round. The peers have less to
do: no session, no mail, no rate limit and nothing to confirm, while the gateway makes a token and writes the mail and
the event beside the customer. The verdict is about the best of a peer's rows."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Who is loaded; `variant` tells apart several ways to run the same peer."""

    name: Name
    engine: Engine
    variant: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One load: registrations a second, p99 and CPU of server and database for each registration in milliseconds."""

    contender: Contender
    rate: float
    p99: float
    server_ms: float
    database_ms: float


@dataclass(frozen=True, slots=True)
class Round:
    """A slice of everybody within a minute or so, with the bare hashes a second of the same minute."""

    limit: float
    slices: list[Slice]

    def of(self, contender: Contender) -> Slice:
        return next(each for each in self.slices if each.contender == contender)

    def gateway(self, engine: Engine) -> Slice:
        return next(
            each for each in self.slices if each.contender.name == "gateway" and each.contender.engine == engine
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Medians over all rounds. `lead` is how many times as many the gateway registers on the same engine."""

    contender: Contender
    rate: float
    ratio: float
    lead: float
    p99: float
    server_ms: float
    database_ms: float


def standings(rounds: Sequence[Round]) -> list[Standing]:
    """In the order of the first round."""
    return [_standing(rounds, each.contender) for each in rounds[0].slices]


def verdicts(standing: Sequence[Standing]) -> Iterator[Bar]:
    """One for each peer and engine, about the variant that serves the peer best."""
    for name, wanted in WANTED.items():
        for engine in ENGINES:
            leads = [each.lead for each in standing if (each.contender.name, each.contender.engine) == (name, engine)]
            if leads:
                yield Bar(f"registrations a second against {name}, {engine}", wanted, min(leads))


def report(machine: str, versions: str, rounds: Sequence[Round]) -> str:
    """All of it, in Markdown."""
    found = standings(rounds)
    rows = [
        (
            *(each.contender.name, each.contender.engine, each.contender.variant),
            *(each.rate, each.ratio, None if each.contender.name == "gateway" else each.lead),
            *(each.p99, each.server_ms, each.database_ms),
        )
        for each in found
    ]
    names = ("who", "engine", "run as", "rate/s", "of the limit", "gateway / theirs", "p99 ms", "CPU ms", "database ms")
    limit = median(each.limit for each in rounds)
    heading = ["# Beside its peers", "", machine, "", versions, "", FAIRNESS, ""]
    title = f"{len(rounds)} rounds, where the bare limit was {limit:.0f} hashes a second"
    return "\n".join([*heading, *section(title, names, rows), "## Bars", "", *bar_table(list(verdicts(found))), ""])


def _standing(rounds: Sequence[Round], contender: Contender) -> Standing:
    def middle(value: Callable[[Slice], float]) -> float:
        return median(value(each.of(contender)) for each in rounds)

    return Standing(
        contender=contender,
        rate=middle(lambda slice_: slice_.rate),
        ratio=median(each.of(contender).rate / each.limit for each in rounds),
        lead=median(each.gateway(contender.engine).rate / each.of(contender).rate for each in rounds),
        p99=middle(lambda slice_: slice_.p99),
        server_ms=middle(lambda slice_: slice_.server_ms),
        database_ms=middle(lambda slice_: slice_.database_ms),
    )
