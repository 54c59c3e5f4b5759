"""deploy/systemd: the unit is valid and hardened, and the gateway takes the socket that systemd hands over."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gateway import COMMAND, DIES_WITH_US, outer_environment, succeeds
from harness.ports import HOST, free_port
from tests.programs import program
from tests.waiting import PATIENCE, eventually

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
INSTALLED = "/opt/registration-gateway/.venv/bin/registration-gateway"
LARGEST_EXPOSURE = 2.0
# What systemd does: it listens, and starts the service with the socket as file descriptor 3.
AS_SYSTEMD = """
import os, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.fixture
def analyze() -> str:
    """The path of systemd-analyze, which containers often lack."""
    return program("systemd-analyze", package="systemd", variable="REQUIRE_SYSTEMD", untested="UNITS NOT VERIFIED")


def test_the_units_are_valid_and_hardened(analyze: str, tmp_path: Path) -> None:
    """systemd takes both units, and counts an exposure of at most 2.0."""
    for path in UNITS.iterdir():
        text = path.read_text("utf-8")
        (tmp_path / path.name).write_text(text.replace(INSTALLED, str(COMMAND)))
    units = sorted(map(str, tmp_path.iterdir()))
    verified = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = [analyze, "security", "--offline=true", "--no-pager", str(UNITS / "registration-gateway.service")]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    [exposure] = re.findall(r"Overall exposure level for registration-gateway\.service: ([\d.]+)", seen)
    assert float(exposure) <= LARGEST_EXPOSURE


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_serves_on_the_socket_of_systemd(sqlite_url: str, keys_directory: Path, tmp_path: Path, workers: str) -> None:
    """With a socket handed over, `serve` listens there, and GATEWAY_PORT does not count."""
    port = free_port()
    settings = {
        "GATEWAY_MODE": "development",
        "GATEWAY_DATABASE_URL": sqlite_url,
        "GATEWAY_KEYS_DIR": str(keys_directory),
        "GATEWAY_RELAY": "off",
        "GATEWAY_WORKERS": workers,
        "GATEWAY_PORT": "1",
    }
    command = [*DIES_WITH_US, sys.executable, "-c", AS_SYSTEMD, HOST, str(port), str(COMMAND), "serve"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=outer_environment() | settings, stdout=output, stderr=output
        )
    try:
        eventually(lambda: process.poll() is not None or succeeds(port, "/readyz"))
        assert process.poll() is None, log.read_text()
        assert f"http://{HOST}:{port}/graphql" in log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
