"""The statistic of `make bench-disclosure`: it finds differences that exist, and no others."""

from collections.abc import Callable
from random import Random

import pytest

from benchmarks.comparison import LIMIT, Comparison, compare

PAIRS = 1000
Times = Callable[[Random], float]


def request_time(random: Random) -> float:
    """Milliseconds as on a busy machine: most near five, some far longer."""
    return 4 + random.lognormvariate(0, 0.5) + (random.expovariate(0.05) if random.random() < 0.02 else 0)


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a test needs the same numbers every time


def drawn(seed: int, first: Times, second: Times) -> Comparison:
    random = chance(seed)
    return compare([(first(random), second(random)) for _ in range(PAIRS)], random)


@pytest.mark.long
def test_equal_times_are_not_told_apart() -> None:
    """Of thirty comparisons without a difference, at most one is called distinguishable."""
    told_apart = [drawn(seed, request_time, request_time).is_distinguishable for seed in range(30)]
    assert sum(told_apart) <= 1


@pytest.mark.parametrize("shift", [0.2, -0.2])
def test_a_shift_is_found(shift: float) -> None:
    """A shift of 0.2 ms in either direction is found each time, although single times differ by far more."""
    for seed in range(5):
        found = drawn(seed, lambda random: request_time(random) + shift, request_time)
        assert found.is_distinguishable
        assert (found.difference > 0) is (shift > 0)


def test_a_rare_delay_is_found() -> None:
    """A delay of a third of the requests is found: medians hardly move, but ranks do."""
    slower = lambda random: request_time(random) + (0.5 if random.random() < 0.34 else 0)  # noqa: E731
    assert all(drawn(seed, slower, request_time).is_distinguishable for seed in range(5))


def test_a_machine_that_slows_down_is_no_difference() -> None:
    """A slower machine delays both sides of a pair and makes no difference."""
    random = chance(1)
    pairs = [(request_time(random) + place / 100, request_time(random) + place / 100) for place in range(PAIRS)]
    assert not compare(pairs, random).is_distinguishable


def test_says_what_it_would_have_seen() -> None:
    """`visible_from` follows from the noise and lies above a difference by chance."""
    nothing = drawn(7, request_time, request_time)
    assert nothing.visible_from == LIMIT * nothing.noise
    assert abs(nothing.difference) < nothing.visible_from < 0.2


def test_times_that_are_all_the_same() -> None:
    """Equal times are not distinguishable and cause no division by zero."""
    same = compare([(5.0, 5.0)] * 10, chance(1))
    assert (same.medians, same.difference, same.noise, same.ranks) == ((5.0, 5.0), 0.0, 0.0, 0.0)
    assert not same.is_distinguishable
