"""The table of the peers, from loads that took turns."""

import pytest

from benchmarks.peer_table import Contender, Round, Slice, peer_rows, report, targets
from harness.store import Engine

OURS = Contender("gateway", "postgresql", "1 worker")
PLAIN = Contender("better-auth", "postgresql", "1 process")
MANY = Contender("better-auth", "postgresql", "2 processes")
SHOP = Contender("vendure", "postgresql", "1 process")


def slice_of(contender: Contender, rate: float) -> Slice:
    return Slice(contender, rate, p99=2000 / rate, server_ms=1000 / rate, database_ms=0.5)


def turns(bare_rate: float, **rates: float) -> Round:
    servers = {"ours": OURS, "plain": PLAIN, "many": MANY, "shop": SHOP}
    return Round(bare_rate, [slice_of(servers[name], rate) for name, rate in rates.items()])


# The machine is slower in the second round, and the third begins with another server.
ROUNDS = [
    turns(240, ours=200, plain=90, many=100, shop=80),
    turns(120, ours=100, plain=40, many=50, shop=45),
    turns(200, many=100, shop=80, ours=190, plain=110),
]


class TestPeerRows:
    def test_takes_medians_of_each(self) -> None:
        """A row holds the medians of a server; rows have the order of the first round."""
        found = peer_rows(ROUNDS)
        assert [each.contender for each in found] == [OURS, PLAIN, MANY, SHOP]
        assert [each.rate for each in found] == [190, 90, 100, 80]
        assert found[0].p99 == pytest.approx(2000 / 190)
        assert found[0].server_ms == pytest.approx(1000 / 190)

    def test_compares_within_a_round(self) -> None:
        """Ratios are taken within a round, so a slower machine does not change them."""
        ours, plain, many, shop = peer_rows(ROUNDS)
        assert ours.ratio == pytest.approx(200 / 240)
        assert [ours.lead, plain.lead, many.lead, shop.lead] == pytest.approx([1, 200 / 90, 2, 190 / 80])

    def test_compares_on_the_same_engine(self) -> None:
        """The lead is that of the gateway on the same engine."""
        engines: list[tuple[Engine, float]] = [("sqlite", 300), ("postgresql", 200)]
        ours = [slice_of(Contender("gateway", engine, "1 worker"), rate) for engine, rate in engines]
        theirs = [slice_of(Contender("better-auth", engine, "1 process"), 100) for engine, _ in engines]
        assert [each.lead for each in peer_rows([Round(400, ours + theirs)])] == [1, 1, 3, 2]


class TestTargets:
    def test_count_the_fastest_variant_of_a_peer(self) -> None:
        """The lead over the faster variant counts, 2 and not 2.2; an engine without a peer has no target."""
        found = list(targets("registrations", peer_rows(ROUNDS)))
        assert [(each.wanted, each.value, each.is_met) for each in found] == [
            (">= 1.8", 2, True),
            (">= 2.3", pytest.approx(190 / 80), True),
        ]

    def test_a_lead_too_small_is_not_met(self) -> None:
        """A lead below the target misses it, even if the gateway is faster."""
        found = list(targets("registrations", peer_rows([turns(240, ours=200, plain=112, shop=88)])))
        assert [each.is_met for each in found] == [False, False]


class TestReport:
    def test_names_machine_versions_and_targets(self) -> None:
        """The report holds machine, versions, bare hashes and targets, and no lead of the gateway over itself."""
        text = report("A machine with 2 cores", "better-auth 1, Node 2", {"registrations": ROUNDS, "sign-ins": ROUNDS})
        assert "A machine with 2 cores" in text
        assert "better-auth 1, Node 2" in text
        assert "## Registrations: 3 rounds, beside 200 bare hashes a second" in text
        assert "## Sign-ins: 3 rounds, beside 200 bare hashes a second" in text
        assert "| sign-ins a second against better-auth, postgresql      | >= 1.2 |" in text
        assert text.count("| met ") == 4
        ours = next(line for line in text.splitlines() if line.startswith("| gateway"))
        assert [cell.strip() for cell in ours.split("|")[4:7]] == ["190", "0.833", "-"]
