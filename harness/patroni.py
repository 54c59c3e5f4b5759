"""A real Patroni cluster of three PostgreSQL nodes on loopback ports, from pip alone; they agree by Raft.

`.venv/bin/python -m harness.patroni` runs one until Ctrl-C and prints its URL.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from shutil import rmtree
from typing import Any, Self

from harness.ports import HOST, free_ports
from harness.postgres import SETTINGS, SUPERUSER, new_directory, programs
from harness.processes import working_in

PATIENCE = 120  # seconds
NODES = 3
PATRONI = [sys.executable, "-m", "patroni"]
# SIGTERM lets Patroni stop its PostgreSQL. The capability lets the user `nobody` read our Python, wherever it is.
PREFIX = ["setpriv", "--pdeathsig", "TERM"]
if os.geteuid() == 0:
    PREFIX += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    PREFIX += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
PARAMETERS = {name: value for name, value in SETTINGS.items() if name not in {"listen_addresses", "full_page_writes"}}
"""Patroni sets the address, and pg_rewind, which a leader that died needs to follow the next one, wants whole pages."""


class Node:
    """Patroni and its PostgreSQL; `raft` has the addresses at which nodes agree, its own first."""

    def __init__(self, name: str, directory: Path, raft: list[str], ports: tuple[int, int], binaries: Path) -> None:
        self.name = name
        self.address = f"{HOST}:{ports[0]}"
        self.rest_port = ports[1]
        self.data = directory / name / "data"
        self.log = directory / name / "log"
        self._file = directory / name / "patroni.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._file.parent.mkdir()
        self._file.write_text(json.dumps(self._configuration(raft, binaries)))  # JSON is YAML
        if os.geteuid() == 0:
            for path in (self._file.parent, self._file):
                os.chown(path, *_owner(directory))

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*PREFIX, *PATRONI, self._file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._file.parent,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )

    def kill_postgres(self) -> None:
        """End all processes of PostgreSQL at once; Patroni goes on."""
        for pid in working_in(self.data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """End Patroni and PostgreSQL at once, as when the machine dies."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None
        while working_in(self.data):
            self.kill_postgres()

    def ask(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """The status and the answer of Patroni's REST API. Raises OSError or HTTPException when it does not answer."""
        connection = HTTPConnection(HOST, self.rest_port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(document))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _configuration(self, raft: list[str], binaries: Path) -> dict[str, object]:
        dynamic = {
            # A node that died is replaced after `ttl` seconds; Patroni takes no less than 20.
            "ttl": 20,
            "loop_wait": 2,
            "retry_timeout": 5,
            # What is acknowledged is on two nodes, and only a node that has it becomes the leader.
            "synchronous_mode": True,
            "postgresql": {"use_pg_rewind": True, "parameters": PARAMETERS},
        }
        own = {
            "listen": self.address,
            "connect_address": self.address,
            "data_dir": str(self.data),
            "bin_dir": str(binaries),
            "pgpass": str(self._file.parent / "pgpass"),
            "authentication": {"superuser": {"username": SUPERUSER}, "replication": {"username": "replicator"}},
            "pg_hba": [f"host {database} all {HOST}/32 trust" for database in ("all", "replication")],
        }
        rest = f"{HOST}:{self.rest_port}"
        return {
            "scope": "registration",
            "name": self.name,
            "raft": {"self_addr": raft[0], "partner_addrs": raft[1:], "data_dir": str(self._file.parent / "raft")},
            "restapi": {"listen": rest, "connect_address": rest},
            "bootstrap": {"dcs": dynamic, "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"]},
            "postgresql": own,
        }


class PatroniCluster:
    """Three nodes with synchronous replication; nodes that were killed can be started again."""

    def __init__(self) -> None:
        self._directory = new_directory(on_disk=False)
        binaries = programs(self._directory)
        ports = free_ports(3 * NODES)
        raft = [f"{HOST}:{port}" for port in ports[2 * NODES :]]
        self.nodes = [
            Node(f"node{n}", self._directory, raft[n:] + raft[:n], (ports[n], ports[NODES + n]), binaries)
            for n in range(NODES)
        ]

    def __enter__(self) -> Self:
        self.start_what_died()
        self.wait_until_whole()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            if node.is_running:
                node.kill()
        rmtree(self._directory)

    @property
    def url(self) -> str:
        """Names all nodes; the driver looks for the one that can be written."""
        hosts = ",".join(node.address for node in self.nodes)
        return f"postgresql://{SUPERUSER}@{hosts}/{SUPERUSER}?target_session_attrs=read-write"

    @property
    def leader(self) -> Node:
        (name,) = [member["name"] for member in self.members() if member["role"] == "leader"]
        return next(node for node in self.nodes if node.name == name)

    def members(self) -> list[dict[str, Any]]:
        """What the first node that answers knows of all: name, role, state, timeline."""
        for node in self.nodes:
            with suppress(OSError, HTTPException):
                _, answer = node.ask("GET", "/cluster")
                members: list[dict[str, Any]] = json.loads(answer)["members"]
                return members
        return []

    def switch_over(self) -> None:
        """Let a synchronous standby become the leader, and return then. Raises RuntimeError if Patroni refuses."""
        leader = self.leader
        candidate = next(member["name"] for member in self.members() if member["role"] == "sync_standby")
        status, answer = leader.ask("POST", "/switchover", {"leader": leader.name, "candidate": candidate})
        if status != 200:
            raise RuntimeError(f"Patroni answers {status}: {answer!r}")

    def start_what_died(self) -> None:
        """Start the nodes that were killed."""
        for node in self.nodes:
            if not node.is_running:
                node.start()

    def wait_until_whole(self) -> None:
        """Return when one node leads and the others follow, one of them synchronously. Raises RuntimeError."""
        deadline = time.monotonic() + PATIENCE
        while not self._is_whole():
            if time.monotonic() > deadline:
                logs = "\n".join(line for node in self.nodes for line in node.log.read_text().splitlines()[-10:])
                raise RuntimeError(f"the cluster is not whole: {self.members()}\n{logs}")
            time.sleep(0.2)

    def _is_whole(self) -> bool:
        members = self.members()
        followers = [member["state"] for member in members if member["role"] != "leader"]
        roles = [member["role"] for member in members]
        timelines = {member.get("timeline") for member in members}
        return followers == ["streaming"] * (NODES - 1) and "sync_standby" in roles and len(timelines) == 1


def _owner(directory: Path) -> tuple[int, int]:
    found = directory.stat()
    return found.st_uid, found.st_gid


def main() -> None:
    with PatroniCluster() as cluster, suppress(KeyboardInterrupt):
        print(cluster.url, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
