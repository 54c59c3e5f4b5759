"""`python -m benchmarks.versus CHECKOUT`: this checkout compared with another one, in turns within one run.

The other checkout has its own .venv (`make setup`). Its `registration-gateway` is run and measured from outside; none
of its code is imported here.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import mean, median
from typing import TypeVar

from benchmarks import load, pressure, reads
from benchmarks.bare_hash import CHEAPEST, PRODUCTION
from benchmarks.load import LoadError, require_wrk
from benchmarks.registrations import DOORS, Door, one_load
from benchmarks.report import section, target_table
from benchmarks.run_record import describe_machine, timed
from benchmarks.start import REPOSITORY, compile_packages, one_start
from benchmarks.targets import CONCURRENCY, Target
from harness.gateway import Gateway, outer_environment
from harness.production import gateway
from harness.store import ENGINES, Engine, Store, unmigrated_store
from registration.hashing.calibration import Costs

PROFILES = {"production hash": PRODUCTION, "cheapest hash": CHEAPEST}
PARTS = ("sign-ups", "reads", "starts", "floods")
FLOODS = count(1)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A directory with a revision of this repository."""

    path: Path

    @property
    def command(self) -> Path:
        return self.path / ".venv" / "bin" / "registration-gateway"

    @property
    def revision(self) -> str:
        command = ["git", "-C", str(self.path), "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout that serves a database of its own."""

    checkout: Checkout
    store: Store
    running: Gateway
    directory: Path


@dataclass(frozen=True, slots=True)
class Row:
    """A measure of this checkout and the other, by round.

    `most` is a bound of the ratio; `wanted` is the target of this checkout alone. None: there is none.
    """

    name: str
    this: list[float]
    other: list[float]
    most: str | None = None
    wanted: str | None = None

    @property
    def ratios(self) -> list[float]:
        """This checkout divided by the other, within each round."""
        return [this / other for this, other in zip(self.this, self.other, strict=True)]

    @property
    def targets(self) -> Iterator[Target]:
        if self.most:
            yield Target(f"{self.name}: this / other", self.most, median(self.ratios))
        if self.wanted:
            yield Target(self.name, self.wanted, median(self.this))


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two checkouts, of which the first is this one; a directory on a disk; and how much is measured."""

    checkouts: Sequence[Checkout]
    directory: Path
    rounds: int
    seconds: float

    def measure(self, part: str) -> Iterator[Row]:
        """The rows of one of the PARTS."""
        match part:
            case "sign-ups":
                for engine in ENGINES:
                    for profile in PROFILES:
                        yield from self.sign_ups(engine, profile)
            case "reads":
                yield self.typename()
            case "starts":
                yield self.starts()
            case "floods":
                yield self.floods()

    def sign_ups(self, engine: Engine, profile: str) -> Iterator[Row]:
        costs = PROFILES[profile]
        with self._sides(engine, costs) as sides:
            for door in DOORS:
                seen = in_turns(sides, self.rounds, partial(_sign_up_ms, door=door, seconds=self.seconds))
                most = "<= 1.04" if costs == PRODUCTION else None
                yield Row(f"CPU ms of a sign-up, {door}, {engine}, {profile}", *seen, most=most)

    def typename(self) -> Row:
        with self._sides("sqlite", CHEAPEST) as sides, reads.bare_route() as bare_url:
            for side in sides:
                reads.pin(side.running)
            seen = in_turns(sides, self.rounds, partial(_typename_ratio, bare_url=bare_url, seconds=self.seconds))
        return Row("{ __typename } against the bare route", *seen, wanted=">= 0.30")

    def starts(self) -> Row:
        with self._sides("sqlite", CHEAPEST) as sides:
            seen = in_turns(sides, self.rounds, _start_seconds)
        return Row("seconds from start to first answer", *seen, wanted="<= 1.5")

    def floods(self) -> Row:
        with self._sides("sqlite", PRODUCTION, queue_seconds=pressure.QUEUE_SECONDS) as sides:
            capacities = {side.checkout: _capacity(side) for side in sides}
            seen = in_turns(sides, self.rounds, partial(_kept, capacities=capacities))
        return Row("registrations kept under ten times the load", *seen, wanted=">= 0.80")

    @contextmanager
    def _sides(self, engine: Engine, costs: Costs, *, queue_seconds: int = 60) -> Iterator[list[Side]]:
        with ExitStack() as stack:
            sides = [_side(each, self.directory, engine, costs, queue_seconds) for each in self.checkouts]
            yield [stack.enter_context(side) for side in sides]


Measured = TypeVar("Measured")


def in_turns(
    both: Sequence[Measured], rounds: int, measure: Callable[[Measured], float]
) -> tuple[list[float], list[float]]:
    """Measure each of two once a round; the one that was last in a round is first in the next."""
    seen: tuple[list[float], list[float]] = [], []
    for number in range(rounds):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            seen[place].append(measure(both[place]))
    return seen


@contextmanager
def _side(checkout: Checkout, directory: Path, engine: Engine, costs: Costs, queue_seconds: int) -> Iterator[Side]:
    """The checkout makes its keys and migrates an empty database; sign-ups through both doors fill its caches."""
    own = Path(tempfile.mkdtemp(dir=directory))
    with unmigrated_store(engine, own) as empty:
        environment = {"GATEWAY_DATABASE_URL": empty.url, "GATEWAY_KEYS_DIR": str(own / "keys")}
        for arguments in (["keys", "new"], ["migrate"]):
            command = [str(checkout.command), *arguments]
            subprocess.run(command, env=outer_environment() | environment, stdout=subprocess.DEVNULL, check=True)
        queue = str(queue_seconds)
        with gateway(own, empty, costs, command=checkout.command, GATEWAY_QUEUE_SECONDS=queue) as running:
            for door in DOORS:
                one_load(running, empty, door, 8, 1.0)
            yield Side(checkout, empty, running, own)


def _sign_up_ms(side: Side, door: Door, seconds: float) -> float:
    return one_load(side.running, side.store, door, CONCURRENCY, seconds).server_ms


def _typename_ratio(side: Side, bare_url: str, seconds: float) -> float:
    before = reads.bare_rate(bare_url, seconds)
    rate = reads.one_load(side.running.base_url, reads.READS["{ __typename }"], seconds).rate
    return rate / mean([before, reads.bare_rate(bare_url, seconds)])


def _start_seconds(side: Side) -> float:
    return one_start(side.directory, side.store, side.checkout.command).seconds


def _capacity(side: Side) -> float:
    """Registrations a second with all hash slots at work."""
    rate = load.run(side.running.base_url, "graphql", connections=CONCURRENCY, seconds=5, tag="capacity").rate
    load.settled(side.store.customers)
    return rate


def _kept(side: Side, capacities: Mapping[Checkout, float]) -> float:
    return pressure.one_round(side.running, side.store, capacities[side.checkout], f"flood{next(FLOODS)}").kept


def report(machine: str, checkouts: Sequence[Checkout], rows: Sequence[Row]) -> str:
    """Medians of both checkouts and of the ratios within a round, the smallest and largest ratio, and the targets."""
    this, other = (each.revision for each in checkouts)
    cells = [
        (row.name, median(row.this), median(row.other), median(row.ratios), min(row.ratios), max(row.ratios))
        for row in rows
    ]
    names = ("measure", f"this ({this})", f"other ({other})", "this / other", "smallest", "largest")
    targets = [target for row in rows for target in row.targets]
    return "\n".join([machine, "", *section(f"{len(rows[0].this)} rounds", names, cells), *target_table(targets)])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.versus", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a directory with another revision and its .venv")
    parser.add_argument("--rounds", type=int, default=5, help="of each measure (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="of one load (default: %(default)s)")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may be repeated")
    given = parser.parse_args(arguments)
    checkouts = [Checkout(REPOSITORY), Checkout(given.checkout.resolve())]
    for each in checkouts:
        if not each.command.exists():
            sys.exit(f"benchmarks.versus: there is no {each.command}; run make setup there")
    place = Path("var")  # on a disk, as a database would be
    place.mkdir(exist_ok=True)
    machine = describe_machine()
    rows: list[Row] = []
    try:
        require_wrk()
        for each in checkouts:
            compile_packages(each.path)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as directory:
            compared = SideBySide(checkouts, Path(directory).resolve(), given.rounds, given.seconds)
            for part in given.part or PARTS:
                with timed(part):
                    rows += compared.measure(part)
    except LoadError as error:
        print(f"\nbenchmarks.versus: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if rows:
            print(f"\n{report(machine, checkouts, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
