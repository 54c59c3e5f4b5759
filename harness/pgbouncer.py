"""A real PgBouncer in front of a PostgreSQL, a program of the system; it ends with the process that starts it."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from harness.ports import HOST, free_port
from harness.postgres import PATIENCE, PREFIX, SUPERUSER

CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user}

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
logfile = {log}
auth_type = any
{settings}
"""


class PgBouncer:
    """Asks clients for no password; all are `user` to the server. `settings` are those of its configuration."""

    def __init__(self, program: str, server_port: int, *, user: str = SUPERUSER, **settings: str) -> None:
        self.port = free_port()
        self._program = program
        # Not below pytest's directory, which the user `nobody` may not read.
        self._directory = Path(tempfile.mkdtemp(prefix="registration-pgbouncer-"))
        self._file = self._directory / "pgbouncer.ini"
        self._file.write_text(
            CONFIGURATION.format(
                host=HOST,
                port=self.port,
                server_port=server_port,
                user=user,
                log=self.log,
                settings="\n".join(f"{name} = {value}" for name, value in settings.items()),
            )
        )
        if os.geteuid() == 0:
            shutil.chown(self._directory, "nobody", "nogroup")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*PREFIX, self._program, "--quiet", str(self._file)],
            stdin=subprocess.DEVNULL,
            cwd=self._directory,
            start_new_session=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        shutil.rmtree(self._directory)

    @property
    def log(self) -> Path:
        return self._directory / "log"

    def _answers(self) -> bool:
        """Whether it listens; the database of this name is PgBouncer's own."""
        try:
            psycopg.connect(host=HOST, port=self.port, user=SUPERUSER, dbname="pgbouncer", autocommit=True).close()
        except psycopg.OperationalError as error:
            return "refused" not in str(error)
        return True
