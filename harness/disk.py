"""A small disk of its own, in memory, that tests fill up or make read-only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self


class CannotMount(Exception):
    """This process may not mount a disk; the text has the reason."""


class SmallDisk:
    """Mounted below /tmp, so that servers that run as another user can use it; 16 MiB."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="registration-disk-", dir="/tmp"))

    def __enter__(self) -> Self:
        done = self._mount("size=16m,mode=777")
        if done.returncode:
            self.path.rmdir()
            raise CannotMount(done.stderr.strip())
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", self.path], check=True)
        self.path.rmdir()

    @contextmanager
    def full(self, but_for: int = 0) -> Iterator[None]:
        """So many bytes are free meanwhile, a multiple of 4096."""
        filler = self.path / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        os.truncate(filler, filler.stat().st_size - but_for)
        assert shutil.disk_usage(self.path).free == but_for
        yield
        filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be written meanwhile; no file may be open for writing."""
        self._mount("remount,ro").check_returncode()
        yield
        self._mount("remount,rw").check_returncode()

    def _mount(self, options: str) -> "subprocess.CompletedProcess[str]":
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)]
        environment = os.environ | {"LC_ALL": "C"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
