"""deploy/: examples of a container and of a compose file."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from graphql_api.settings import GatewaySettings
from registration.settings import PREFIX

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
NAMES = {f"{PREFIX}{name.upper()}" for name in GatewaySettings.model_fields}


def test_the_compose_file_names_settings_that_exist() -> None:
    """The services run commands of ours with settings of ours, without root's rights, from a read-only image."""
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))["services"]
    ours = {name: each for name, each in services.items() if each["image"] == "registration-gateway"}
    assert ours.keys() == {"keys", "migrate", "gateway", "relay"}
    for each in ours.values():
        assert each["environment"].keys() - NAMES == set()
        assert (each["read_only"], each["cap_drop"]) == (True, ["ALL"])
    text = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    assert set(re.findall(r"GATEWAY_[A-Z_]+", text)) - NAMES == set()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


@pytest.mark.long
def test_the_steps_of_the_container_install_a_gateway(tmp_path: Path) -> None:
    """What the Containerfile runs makes a gateway without the packages of development, with a portable fast hash."""
    if shutil.which("gcc") is None and "CI" not in os.environ:
        pytest.skip("CONTAINER'S STEPS NOT RUN: there is no gcc")
    target = tmp_path / "gateway"
    subprocess.run(["sh", DEPLOY / "container" / "build.sh", target, "x86-64-v3"], check=True, cwd=tmp_path)
    done = subprocess.run(
        [target / "bin" / "registration-gateway", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("registration-gateway ")
    assert done.stdout.endswith("Argon2: -march=x86-64-v3\n")
    assert not list(target.glob("lib/python3*/site-packages/pytest"))
