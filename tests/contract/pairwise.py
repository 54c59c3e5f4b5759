"""Pairwise tables: every two values of different factors meet in a row, in far fewer rows than the full product has."""

from collections.abc import Sequence
from itertools import combinations, product
from math import comb
from typing import Any


def pairwise(*factors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """A row holds one value of each factor. The same factors make the same rows, in the same order."""
    rows: list[tuple[Any, ...]] = []
    met: set[object] = set()
    # In this order the values of a factor are used about equally often.
    every = sorted(product(*(range(len(factor)) for factor in factors)), key=lambda row: sum(row) % 2)
    # Rows with many new pairs come first, so that few are needed.
    for wanted in range(comb(len(factors), 2), 0, -1):
        for row in every:
            pairs = set(combinations(enumerate(row), 2))
            if len(pairs - met) >= wanted:
                met |= pairs
                rows.append(tuple(factor[index] for factor, index in zip(factors, row, strict=True)))
    return rows
