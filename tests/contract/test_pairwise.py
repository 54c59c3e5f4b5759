"""The pairwise tables of the contract's tests leave no pair out."""

from itertools import combinations, product

import pytest

from tests.contract.pairwise import pairwise


def pairs(rows: list[tuple[str, ...]]) -> set[object]:
    return {pair for row in rows for pair in combinations(enumerate(row), 2)}


@pytest.mark.parametrize(("sizes", "rows"), [((2, 3), 6), ((2, 13, 6), 78), ((8, 25, 2, 2), 200)])
def test_every_pair_of_the_product_is_in_a_row(sizes: tuple[int, ...], rows: int) -> None:
    """A table holds every pair that the full product holds, in as few rows as the two longest factors allow."""
    factors = [[f"value {number}" for number in range(size)] for size in sizes]
    table = pairwise(*factors)
    assert pairs(table) == pairs(list(product(*factors)))
    assert len(table) == rows
