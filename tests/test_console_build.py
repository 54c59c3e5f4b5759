"""What a wheel carries of the offline GraphiQL."""

import pytest

from console.build import is_carried


@pytest.mark.parametrize(
    ("version", "environment", "expected"),
    [
        ("standard", {}, True),
        ("standard", {"GATEWAY_GRAPHIQL": "on"}, True),
        ("standard", {"GATEWAY_GRAPHIQL": "off"}, False),
        ("editable", {}, False),
    ],
)
def test_a_wheel_carries_the_bundle_unless_it_is_turned_off(
    version: str, environment: dict[str, str], expected: bool
) -> None:
    """`pip install .` builds the bundle, and neither an editable install nor one with GraphiQL off asks for npm."""
    assert is_carried(version, environment) is expected
