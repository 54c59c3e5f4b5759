"""What loads in turns say about who is faster."""

import pytest

from benchmarks.peer_table import Contender, Round, Slice, report, standings, verdicts
from harness.store import Engine

OURS = Contender("gateway", "postgresql", "1 worker")
PLAIN = Contender("better-auth", "postgresql", "1 process")
MANY = Contender("better-auth", "postgresql", "2 processes")
SHOP = Contender("vendure", "postgresql", "1 process")


def slice_of(contender: Contender, rate: float) -> Slice:
    return Slice(contender, rate, p99=2000 / rate, server_ms=1000 / rate, database_ms=0.5)


def turns(limit: float, **rates: float) -> Round:
    everybody = {"ours": OURS, "plain": PLAIN, "many": MANY, "shop": SHOP}
    return Round(limit, [slice_of(everybody[name], rate) for name, rate in rates.items()])


# The machine is slower in the second round, and the third begins with somebody else.
ROUNDS = [
    turns(240, ours=200, plain=90, many=100, shop=80),
    turns(120, ours=100, plain=40, many=50, shop=45),
    turns(200, many=100, shop=80, ours=190, plain=110),
]


class TestStandings:
    def test_takes_medians_of_each(self) -> None:
        """In the order of the first round, whoever began later ones."""
        found = standings(ROUNDS)
        assert [each.contender for each in found] == [OURS, PLAIN, MANY, SHOP]
        assert [each.rate for each in found] == [190, 90, 100, 80]
        assert found[0].p99 == pytest.approx(2000 / 190)
        assert found[0].server_ms == pytest.approx(1000 / 190)

    def test_compares_within_a_round(self) -> None:
        """What slows the whole machine down is nobody's."""
        ours, plain, many, shop = standings(ROUNDS)
        assert ours.ratio == pytest.approx(200 / 240)
        assert [ours.lead, plain.lead, many.lead, shop.lead] == pytest.approx([1, 200 / 90, 2, 190 / 80])

    def test_compares_on_the_same_engine(self) -> None:
        """SQLite with SQLite."""
        engines: list[tuple[Engine, float]] = [("sqlite", 300), ("postgresql", 200)]
        ours = [slice_of(Contender("gateway", engine, "1 worker"), rate) for engine, rate in engines]
        theirs = [slice_of(Contender("better-auth", engine, "1 process"), 100) for engine, _ in engines]
        assert [each.lead for each in standings([Round(400, ours + theirs)])] == [1, 1, 3, 2]


class TestVerdicts:
    def test_are_about_the_best_of_a_peer(self) -> None:
        """Two processes are better here: 2, not 2.2 times; who is not there has no verdict."""
        found = list(verdicts(standings(ROUNDS)))
        assert [(each.wanted, each.value, each.is_met) for each in found] == [
            (">= 1.8", 2, True),
            (">= 2.3", pytest.approx(190 / 80), True),
        ]

    def test_a_lead_too_small_is_not_met(self) -> None:
        """Whether or not we are ahead."""
        found = list(verdicts(standings([turns(240, ours=200, plain=112, shop=88)])))
        assert [each.is_met for each in found] == [False, False]


class TestReport:
    def test_names_machine_versions_and_verdicts(self) -> None:
        """The gateway has no lead over itself."""
        text = report("A machine with 2 cores", "better-auth 1, Node 2", ROUNDS)
        assert "A machine with 2 cores" in text
        assert "better-auth 1, Node 2" in text
        assert "## 3 rounds, where the bare limit was 200 hashes a second" in text
        assert text.count("| met ") == 2
        ours = next(line for line in text.splitlines() if line.startswith("| gateway"))
        assert [cell.strip() for cell in ours.split("|")[4:7]] == ["190", "0.833", "-"]
