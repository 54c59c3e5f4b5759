"""Notes which functions of some packages are called, in all threads, with the interpreter's profiling hook."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType


@dataclass(frozen=True, slots=True)
class Call:
    """A function that was entered; `depth` is the number of such functions below it on the stack of its thread."""

    file: str
    function: str
    thread: str
    depth: int


class Recorder:
    """Notes calls into the folders of `root` that are named, while `is_on`, in threads started while it is installed.

    Up to Python 3.11 a comprehension is a function of its own. A coroutine or generator that is resumed is no new call.
    """

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.is_on = False
        self._root = root
        self._prefixes = tuple(f"{root / folder}{os.sep}" for folder in folders)
        self._calls: list[Call] = []
        self._begun: set[FrameType] = set()

    @contextmanager
    def installed(self) -> Iterator[None]:
        threading.setprofile(self._note)
        try:
            yield
        finally:
            threading.setprofile(None)

    def take(self) -> list[Call]:
        """The calls since the last time, in the order in which they began."""
        calls, self._calls, self._begun = self._calls, [], set()
        return calls

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if self.is_on and event == "call" and self._counts(frame.f_code) and not self._is_resumed(frame):
            file = str(Path(frame.f_code.co_filename).relative_to(self._root))
            thread = threading.current_thread().name
            self._calls.append(Call(file, frame.f_code.co_qualname, thread, self._depth(frame)))

    def _is_resumed(self, frame: FrameType) -> bool:
        if not frame.f_code.co_flags & (CO_COROUTINE | CO_GENERATOR):
            return False
        has_begun = frame in self._begun
        self._begun.add(frame)
        return has_begun

    def _counts(self, code: CodeType) -> bool:
        return code.co_filename.startswith(self._prefixes)

    def _depth(self, frame: FrameType) -> int:
        depth, below = 0, frame.f_back
        while below:
            depth += self._counts(below.f_code)
            below = below.f_back
        return depth
