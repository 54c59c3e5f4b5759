"""A real gateway process, started as an operator starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from harness.ports import HOST, free_port
from registration.keys.key_files import create_key_file
from registration.keys.secret import create_secret
from registration.keys.signing_keys import create_signing_keys, has_signing_key

# The cheapest parameters that Argon2 allows: tests are not about its strength.
CHEAP_HASHES = {"GATEWAY_HASH_MEMORY_KIB": "8", "GATEWAY_HASH_TIME_COST": "1"}
COMMAND = Path(sys.executable).with_name("registration-gateway")
# The kernel sends SIGTERM when the process that started it has ended, also by SIGKILL.
DIES_WITH_US = ["setpriv", "--pdeathsig", "TERM"]
PATIENCE = 60  # seconds
# What systemd does with the socket that it listens on: the service finds it as file descriptor 3.
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Gateway:
    """`registration-gateway serve`; it keeps its port over restarts. `settings` are GATEWAY_ variables.

    Mails are written as files into `mail_directory`. GATEWAY_ variables of this process are not passed on.
    `command` is another one than our `registration-gateway`, such as that of another checkout. With a `listener`, as
    systemd has it, clients that come while no process serves wait for the next one.
    """

    def __init__(
        self,
        directory: Path,
        settings: dict[str, str],
        command: Path = COMMAND,
        listener: socket.socket | None = None,
    ) -> None:
        self.port = listener.getsockname()[1] if listener else free_port()
        self.base_url = f"http://{HOST}:{self.port}"
        self.mail_directory = directory / "mail"
        self.log = directory / "log"
        self._environment = outer_environment() | {
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_PUBLIC_URL": self.base_url,
            "GATEWAY_MAIL_FROM": "Registration <registration@localhost>",
            "GATEWAY_KEYS_DIR": str(directory / "keys"),
            "GATEWAY_MAIL_URL": f"file://{self.mail_directory}",
            **CHEAP_HASHES,
            # Tests and benchmarks are one client that asks for more than any honest one.
            "GATEWAY_LIMITS": "off",
            **settings,
        }
        self.keys_directory = Path(self._environment["GATEWAY_KEYS_DIR"])
        self._directory = directory
        self.command = command
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        create_secret(self.keys_directory)
        if not has_signing_key(self.keys_directory):
            for name, key in _signing_keys():
                create_key_file(self.keys_directory / name, key)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    def start(self) -> None:
        """Return when the gateway answers that it is ready. Raises RuntimeError, with its log, if it does not start."""
        inherited = [self._listener.fileno()] if self._listener else []
        as_systemd = [sys.executable, "-c", AS_SYSTEMD, *map(str, inherited)] if inherited else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*DIES_WITH_US, *as_systemd, self.command, "serve"],
                pass_fds=inherited,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not succeeds(self.port, "/readyz"):
            if self._process.poll() is not None:
                raise RuntimeError(f"the gateway did not start:\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the gateway did not get ready:\n{self._end_of_log()}")
            time.sleep(0.05)

    def _end_of_log(self) -> str:
        return "".join(self.log.read_text().splitlines(keepends=True)[-20:])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop as by Ctrl-C. Raises AssertionError unless the process ends by itself, as that signal lets it end."""
        process, self._process = self.process, None
        process.send_signal(how)
        try:
            status = process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait(PATIENCE)
        assert status == (0 if how == signal.SIGINT else -how), (
            f"the gateway ended with {status}:\n{self._end_of_log()}"
        )

    def kill(self) -> None:
        """End all its processes at once, as by a crash."""
        process, self._process = self.process, None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def succeeds(port: int, path: str) -> bool:
    """Whether a server on this port answers a GET with 200; False while it does not listen."""
    # Not httpx2.get, which prepares for TLS each time: that takes 20 ms of the processor the gateway starts on.
    try:
        with closing(HTTPConnection(HOST, port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


@cache
def _signing_keys() -> list[tuple[str, bytes]]:
    """The names and contents of key files; made once, because it takes a while to make an RSA key."""
    with TemporaryDirectory() as directory:
        create_signing_keys(Path(directory), "both")
        return [(path.name, path.read_bytes()) for path in Path(directory).iterdir()]


def outer_environment() -> dict[str, str]:
    """The environment of this process without settings of a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
