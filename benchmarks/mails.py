"""Registrations with their mails: what a mail costs beside hashes, when it arrives, and whether the relay keeps up."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Literal

from sqlalchemy import select

from benchmarks import bare_hash, load
from benchmarks.bare_hash import BareHash
from benchmarks.load import Load
from benchmarks.mail_sink import Sink, sink
from benchmarks.registrations import DOORS, TAGS, Door
from benchmarks.relay import mails_a_second, relay, wait_until_sent
from harness.gateway import COMMAND, Gateway
from harness.processes import cpu_seconds
from harness.production import gateway
from harness.store import Engine, Store, store
from registration.hashing.machine import cores
from registration.mail.relay import CONNECTIONS
from registration.storage.tables import mail

CONCURRENCY = 32
MANY = 32
"""Connections."""
SLOW_SECONDS = 0.1
QUICK_SECONDS = 0.001
Way = Literal["no mails", "files", "SMTP", "SMTP, own process"]
"""How mails leave: not at all; as with `make run`; by SMTP from within `serve`; by a relay of its own, which counts."""
WAYS: tuple[Way, ...] = ("no mails", "files", "SMTP", "SMTP, own process")


@dataclass(frozen=True, slots=True)
class WithMails:
    """Registrations whose mails have left; CPU of gateway and relay, in ms, until the last of them has.

    `no_mails_ms` is the median CPU without a relay. `waits`: seconds from the time of a registration,
    which is a little before its answer, to the mail server's 250: median and 99th percentile; None without a server.
    """

    engine: Engine
    door: Door
    way: Way
    rate: float
    bare_rate: float
    hash_ms: float
    server_ms: float
    database_ms: float
    waits: tuple[float, float] | None
    no_mails_ms: float = 0.0

    @property
    def share(self) -> float:
        """The share of the hash in the CPU."""
        return self.hash_ms / self.server_ms

    @property
    def mail_ms(self) -> float:
        """The CPU of a mail beside hashes."""
        return self.server_ms - self.no_mails_ms


@dataclass(frozen=True, slots=True)
class Backlog:
    """Mails a second to a server that takes 100 ms for one, with 8 and with 32 connections, while 10,000 wait.

    `kept_up`: mails a second while customers register, with 32 connections, as a share of registrations a second.
    """

    engine: Engine
    by_default: float
    by_many: float
    kept_up: float


@dataclass(frozen=True, slots=True)
class Side:
    """A gateway whose mails leave in one of the ways; `processes` are its own and those of its relay."""

    way: Way
    store: Store
    running: Gateway
    processes: Sequence[int]
    sink: Sink | None


@dataclass(frozen=True, slots=True)
class Slice:
    """One load; `moments` are those of the registration and of the mail server's 250, in seconds, of each mail."""

    load: Load
    server_ms: float
    database_ms: float
    moments: list[tuple[float, float]]

    @property
    def waits(self) -> tuple[float, float] | None:
        found = [taken - registered for registered, taken in self.moments]
        return (median(found), quantiles(found, n=100)[98]) if found else None


def measure(directory: Path, engine: Engine, seconds: float, rounds: int) -> Iterator[WithMails]:
    """Loads of all ways and doors in turns, each between bare hashes; of each kind the one with the median share."""
    with ExitStack() as stack:
        sides = [stack.enter_context(_side(directory, engine, way, QUICK_SECONDS)) for way in WAYS]
        for door in DOORS:
            for side in sides:
                _one_load(side, door, 1.0)
        seen: dict[tuple[Door, Way], list[WithMails]] = {(door, way): [] for door in DOORS for way in WAYS}
        bare = [_bare_hash(seconds)]
        for door in DOORS * rounds:
            for side in sides:
                slice_ = _one_load(side, door, seconds)
                bare.append(_bare_hash(seconds))
                seen[door, side.way].append(_beside(slice_, bare[-2:], engine=engine, door=door, way=side.way))
    for (door, _), found in seen.items():
        no_mails_ms = median(each.server_ms for each in seen[door, "no mails"])
        middle = sorted(found, key=lambda each: each.share)[rounds // 2]
        yield replace(middle, no_mails_ms=no_mails_ms)


def of_a_slow_server(directory: Path, engine: Engine, number: int, seconds: float) -> Backlog:
    """A relay of its own drains `number` mails; then a gateway with 32 connections is loaded for so many seconds."""
    few, many = (mails_a_second(directory, engine, number, SLOW_SECONDS, each) for each in (CONNECTIONS, MANY))
    with _side(directory, engine, "SMTP", SLOW_SECONDS, GATEWAY_MAIL_CONNECTIONS=str(MANY)) as side:
        _one_load(side, "graphql", 1.0)
        registered, taken = zip(*_one_load(side, "graphql", seconds).moments, strict=True)
    return Backlog(engine, few, many, (max(registered) - min(registered)) / (max(taken) - min(taken)))


def _bare_hash(seconds: float) -> BareHash:
    return bare_hash.measure(bare_hash.PRODUCTION, cores(), seconds / 3)


def _beside(slice_: Slice, bare: Sequence[BareHash], *, engine: Engine, door: Door, way: Way) -> WithMails:
    return WithMails(
        engine=engine,
        door=door,
        way=way,
        rate=slice_.load.rate,
        bare_rate=mean(each.rate for each in bare),
        hash_ms=mean(each.cpu_ms for each in bare),
        server_ms=slice_.server_ms,
        database_ms=slice_.database_ms,
        waits=slice_.waits,
    )


@contextmanager
def _side(directory: Path, engine: Engine, way: Way, mail_seconds: float, **settings: str) -> Iterator[Side]:
    """A gateway on a database of its own; its mail server, if there is one, takes so many seconds for a mail."""
    with ExitStack() as stack:
        empty = stack.enter_context(store(engine, directory))
        server = stack.enter_context(sink(mail_seconds)) if way.startswith("SMTP") else None
        if way == "files":
            settings["GATEWAY_MODE"] = "development"
        if server:
            settings["GATEWAY_MAIL_URL"] = server.url
        settings["GATEWAY_RELAY"] = "on" if way in {"files", "SMTP"} else "off"
        own = gateway(directory, empty, bare_hash.PRODUCTION, workers=1, command=COMMAND, **settings)
        running = stack.enter_context(own)
        processes = [running.process.pid]
        if way == "SMTP, own process":
            processes.append(stack.enter_context(relay(directory, empty, **settings)).pid)
        yield Side(way, empty, running, processes, server)


def _one_load(side: Side, door: Door, seconds: float) -> Slice:
    customers, spent, database = side.store.customers(), _cpu(side), side.store.cpu_seconds
    tag = f"{door}{next(TAGS)}"
    seen = load.run(side.running.base_url, door, connections=CONCURRENCY, seconds=seconds, tag=tag)
    number = load.settled(side.store.customers) - customers
    if side.way != "no mails":
        wait_until_sent(side.store, side.running.process)
    spent, database = _cpu(side) - spent, side.store.cpu_seconds - database
    moments = list(_moments(side.store, side.sink.taken())) if side.sink else []
    return Slice(seen, spent * 1000 / number, database * 1000 / number, moments)


def _cpu(side: Side) -> float:
    return sum(map(cpu_seconds, side.processes))


def _moments(store: Store, taken: Mapping[str, float]) -> Iterator[tuple[float, float]]:
    with store.opened() as database:
        rows = database.read(lambda connection: connection.execute(select(mail.c.id, mail.c.created_at)).all())
    for mail_id, created_at in rows:
        if str(mail_id) in taken:
            yield created_at.timestamp(), taken[str(mail_id)]
