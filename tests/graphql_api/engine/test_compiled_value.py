"""What becomes of values that a compiled operation cannot convert."""

import pytest
from graphql import Undefined

from graphql_api.engine.compiled_value import UnfitValue, optional, required


@pytest.mark.parametrize("nothing", [None, Undefined])
def test_a_value_does_not_become_null(nothing: object) -> None:
    """A value that is converted to nothing is left to graphql-core, for nullable and for other types."""
    for convert in (optional(lambda _value: nothing), required(lambda _value: nothing)):
        with pytest.raises(UnfitValue):
            convert("a value")


def test_null_is_null_where_it_may_be() -> None:
    """Null stays null without a conversion for a nullable type, and fits no other."""
    assert optional(str)(None) is None
    assert optional(str)(1) == required(str)(1) == "1"
    with pytest.raises(UnfitValue):
        required(str)(None)
