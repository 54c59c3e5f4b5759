"""Measuring hashes with a clock that the test moves, and proposals for hashes of known times."""

from collections.abc import Callable
from itertools import count

import pytest

from registration.hashing.calibration import Costs, measure, propose
from registration.settings import Settings

CHEAP = Costs(8, 1)


def ticking(step: float) -> Callable[[], float]:
    """A clock that moves on by `step` seconds at each look."""
    ticks = count()
    return lambda: next(ticks) * step


class TestMeasure:
    def test_counts_hashes_until_the_time_is_over(self) -> None:
        """A hash takes one tick of this clock, ten fit in; the looks before and after take one, too."""
        speed = measure(CHEAP, 1, 10.0, ticking(1.0))
        assert speed.rate == pytest.approx(10 / 11)
        assert speed.seconds == pytest.approx(11 / 10)

    @pytest.mark.parametrize("threads", [1, 3])
    def test_hashes_once_in_each_thread_at_least(self, threads: int) -> None:
        """Each thread hashes at least once in the shortest time; the seconds are those of one hash among the others."""
        speed = measure(CHEAP, threads, 0.0, ticking(1.0))
        assert speed.rate * speed.seconds == pytest.approx(threads)

    def test_reports_kept_memory(self) -> None:
        """A measurement says that memory is kept, and how much of it is in huge pages."""
        speed = measure(Costs(4096, 1), 1, 0.0, ticking(1.0))
        assert speed.keeps_memory
        assert speed.huge_bytes >= 0


class TestPropose:
    @staticmethod
    def seconds_of(costs: Costs) -> float:
        """A machine that needs 10 ms for every pass over a MiB, and 5 ms besides."""
        return 0.005 + 0.010 * costs.time_cost * costs.memory_kib / 1024

    @pytest.mark.parametrize(("wish", "passes"), [(0.0151, 1), (0.0251, 2), (0.25, 24), (1.0, 99)])
    def test_takes_as_many_passes_as_fit(self, wish: float, passes: int) -> None:
        """The proposal's time is within the wish, and that of one pass more is not."""
        costs = propose(1024, wish, self.seconds_of)
        assert costs == Costs(1024, passes)
        assert self.seconds_of(costs) <= wish < self.seconds_of(Costs(1024, passes + 1))

    def test_takes_less_memory_when_one_pass_is_too_much(self) -> None:
        """When one pass takes too long, the memory is reduced in proportion, but not below Argon2's minimum."""
        assert propose(1024 * 1024, 1.0, self.seconds_of) == Costs(102_350, 1)
        assert propose(1024, 1e-9, self.seconds_of) == Costs(8, 1)

    def test_bears_a_noisy_measurement(self) -> None:
        """When two passes seem no slower than one, the proposal is still bounded."""
        assert propose(1024, 1.0, lambda _: 0.1).time_cost == 91


@pytest.mark.parametrize(
    ("costs", "is_weak"),
    [(Costs(19_456, 2), False), (Costs(47_104, 1), False), (Costs(7168, 5), False), (Costs(19_456, 1), True)],
)
def test_weak_is_less_than_owasps_list(costs: Costs, is_weak: bool) -> None:
    """Costs below the entries of OWASP's list, which trade memory for passes, are weak."""
    assert costs.is_weak is is_weak


def test_the_default_is_not_weak() -> None:
    """The costs of an installation that sets none are those of OWASP's list at least."""
    settings = Settings()
    assert not Costs(settings.hash_memory_kib, settings.hash_time_cost, settings.hash_parallelism).is_weak
