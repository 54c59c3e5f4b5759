"""The report of a run, in Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple

from benchmarks.registrations import Registrations
from benchmarks.targets import Measured, Target

PEERS = """Peers are not part of this run: `make bench-peers` compares better-auth and Vendure with the gateway. The
speed issue measured once, on two cores that made 240 bare hashes a second with a build for the host and the same
Argon2 parameters: better-auth 99-110 registrations/s on PostgreSQL and 77-88 on SQLite, Vendure 73-85, fastapi-users
37-67; reads on one core: Vendure 1,550/s, Strawberry 1,100/s."""
WIDTH = 50


def report(machine: str, measured: Measured, targets: Sequence[Target]) -> str:
    """The whole report."""
    return "\n".join([*_heading(machine), *_body(measured), "## Targets", "", *target_table(targets), ""])


def plot(rows: Sequence[Registrations]) -> str:
    """Bars of text: registrations a second in full blocks, bare hashes a second in light ones."""
    most = max(max(each.rate, each.bare_rate) for each in rows)
    return "\n".join(_bar(each, most) for each in rows)


def label(row: Registrations) -> str:
    kind = row.kind
    workers = f"{kind.workers} worker{'s' if kind.workers > 1 else ' '}"
    return f"{kind.engine:<10} {kind.door:<7} {kind.build:<8} {workers} c{kind.concurrency:<3}"


def _heading(machine: str) -> Iterator[str]:
    yield "# How fast it is here"
    yield ""
    yield machine
    yield ""
    yield "wrk (one thread), gateway and PostgreSQL share the cores; the CPU of each is measured by itself."
    yield ""
    yield PEERS
    yield ""


def _body(measured: Measured) -> Iterator[str]:
    yield from section(
        "Hashes a second on one core (CPU time)",
        (
            "memory KiB",
            "passes",
            "wheel, default",
            "wheel, kept",
            "here, default",
            "here, kept",
            "kept / wheel default",
        ),
        [
            (
                each.costs.memory_kib,
                each.costs.time_cost,
                each.wheel,
                each.wheel_kept,
                each.default,
                each.kept,
                each.gain,
            )
            for each in measured.engines
        ],
    )
    yield from section(
        "Registrations beside bare hashes",
        (
            *("engine", "door", "build", "workers", "conc.", "rate/s", "bare hash/s", "ratio", "hash ms", "server ms"),
            *("share", "overhead ms", "database ms", "wrk ms", "p50", "p95", "p99", "errors", "RSS MiB"),
        ),
        [
            (
                *(row.kind.engine, row.kind.door, row.kind.build, row.kind.workers, row.kind.concurrency),
                *(row.rate, row.bare_rate, row.ratio, row.hash_ms, row.server_ms),
                *(row.share, row.overhead_ms, row.database_ms, row.generator_ms),
                *(row.p50, row.p95, row.p99, 0, row.memory),
            )
            for row in measured.registrations
        ],
    )
    yield from ("```text", plot(measured.registrations), "```", "")
    yield from section(
        "Everything but the hash, through HTTP (cheapest profile)",
        ("engine", "server CPU ms", "rate/s", "CPU ms of a mail (relay)"),
        [(engine, *figures, measured.mail_ms[engine]) for engine, figures in measured.without_hash.items()],
    )
    yield from section(
        "Its parts, in full batches, in one process without HTTP (CPU ms)",
        ("engine", "GraphQL and JSON", "rules", "hash of 8 KiB", "transaction", "outbox", "in all", "budgets, on top"),
        [
            (engine, each.gateway, each.rules, each.hash, each.transaction, each.outbox, each.total, each.budgets)
            for engine, each in measured.breakdown.items()
        ],
    )
    yield from section(
        "Reads on one core",
        ("query", "rate/s", "bare route/s", "ratio", "p99 ms"),
        [(each.name, each.rate, each.bare, each.ratio, each.p99) for each in measured.reads],
    )
    yield from section(
        "Hash share of server CPU with GATEWAY_SIGN_UP_LIMIT",
        ("engine", "without", "with", "fall"),
        [(each.engine, each.share_without, each.share_with, each.fall) for each in measured.limit_costs],
    )
    yield from section(
        "Sign-ins beside bare hashes",
        ("engine", "rate/s", "hash ms", "server ms", "share", "database ms", "p99"),
        [
            (each.engine, each.rate, each.hash_ms, each.server_ms, each.share, each.database_ms, each.p99)
            for each in measured.sign_ins
        ],
    )
    yield from section(
        "Registrations with their mails (CPU of gateway and relay)",
        (
            *("engine", "door", "mails", "rate/s", "bare hash/s", "hash ms", "CPU ms", "share", "a mail ms"),
            *("database ms", "seconds to arrive, p50", "p99"),
        ),
        [
            (
                *(row.engine, row.door, row.way, row.rate, row.bare_rate, row.hash_ms, row.server_ms, row.share),
                *(row.mail_ms, row.database_ms, *(row.waits or (None, None))),
            )
            for row in measured.with_mails
        ],
    )
    yield from section(
        "Mails to a server that takes 100 ms for one",
        ("engine", "mails/s", "with 32 connections", "share of the registrations/s meanwhile"),
        [(each.engine, each.by_default, each.by_many, each.kept_up) for each in measured.backlogs],
    )
    yield from section(
        "Growth (CPU ms of server and database)",
        ("engine", "customers", "registration", "sign-in", "registration without the hash"),
        [
            (each.engine, each.customers, each.registration_ms, each.sign_in_ms, each.without_hash_ms)
            for each in measured.growth
        ],
    )
    start, pressure = measured.start, measured.pressure
    yield from section("Start", ("seconds to the first answer", "RSS MiB at rest"), [(start.seconds, start.memory)])
    yield from section(
        "Ten times the load (rates a second, times in ms)",
        (
            *("", "registered", "processors of the server", "of wrk"),
            *("offered", "refused (503)", "p99 of me"),
        ),
        [
            ("idle", None, None, None, None, None, pressure.idle_p99),
            ("full load", *astuple(pressure.calm), None, None, pressure.full_p99),
            ("ten times that", *astuple(pressure.flood), pressure.offered, pressure.refused, pressure.flood_p99),
            ("kept", pressure.kept, None, None, None, None, None),
        ],
    )


def target_table(targets: Sequence[Target]) -> Iterator[str]:
    rows = [(each.name, each.wanted, each.value, "met" if each.is_met else "NOT MET") for each in targets]
    yield from _table(("target", "wanted", "measured", "verdict"), rows)


def section(title: str, names: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield from (f"## {title}", "", *_table(names, rows), "")


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    cells = [list(names), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    yield from (lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:])


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
        case _:
            return str(value)


def _bar(row: Registrations, most: float) -> str:
    full, bare = round(WIDTH * row.rate / most), round(WIDTH * row.bare_rate / most)
    drawn = "█" * full + "░" * max(0, bare - full)
    return f"{label(row)} {drawn:<{WIDTH}} {row.rate:4.0f} of {row.bare_rate:.0f}/s"
