"""A statistic for pairs of times: does one side take longer than the other?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from statistics import median, stdev

Pair = tuple[float, float]
SHUFFLES = 200
# In standard deviations: pure chance exceeds it once in a thousand comparisons (two-sided, normal).
LIMIT = 3.29


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two sides of many pairs, in the unit of the times.

    `noise` is the standard deviation of the difference of medians when chance assigns the sides of each pair.
    `ranks` is Wilcoxon's signed-rank statistic in standard deviations; it reacts to shifts too small for medians.
    """

    medians: Pair
    noise: float
    ranks: float

    @property
    def difference(self) -> float:
        return self.medians[0] - self.medians[1]

    @property
    def visible_from(self) -> float:
        """The smallest difference of medians that counts as more than chance."""
        return LIMIT * self.noise

    @property
    def is_distinguishable(self) -> bool:
        return abs(self.difference) > self.visible_from or abs(self.ranks) > LIMIT


def compare(pairs: Sequence[Pair], random: Random) -> Comparison:
    """Compare the first sides with the second ones. Both times of a pair must have been measured close together.

    If the side makes no difference, each pair could as well have come out the other way round: both statistics are
    compared with what that chance gives.
    """
    return Comparison(_medians(pairs), _noise(pairs, random), _ranks(pairs))


def _medians(pairs: Sequence[Pair]) -> Pair:
    first, second = zip(*pairs, strict=True)
    return median(first), median(second)


def _noise(pairs: Sequence[Pair], random: Random) -> float:
    differences = []
    for _ in range(SHUFFLES):
        first, second = _medians([pair if random.getrandbits(1) else pair[::-1] for pair in pairs])
        differences.append(first - second)
    return stdev(differences)


def _ranks(pairs: Sequence[Pair]) -> float:
    """Pairs of equal times are left out; equal differences are too rare to matter with a clock of nanoseconds."""
    differences = sorted((first - second for first, second in pairs if first != second), key=abs)
    number = len(differences)
    if not number:
        return 0.0
    positive = sum(rank for rank, difference in enumerate(differences, 1) if difference > 0)
    mean = number * (number + 1) / 4
    return (positive - mean) / sqrt(mean * (2 * number + 1) / 6)
