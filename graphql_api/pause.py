"""A pause of the event loop that ends early for those who must not wait; it never decides who they are."""

import selectors
import socket
from contextlib import suppress
from typing import Self


class Pause:
    """Belongs to one event loop, as all its methods but `end` do; while it is not entered they do nothing.

    No thread may have news any more when it is left.
    """

    def __init__(self) -> None:
        self._has_news = False
        self._heeded: set[int] = set()
        self._bell: socket.socket | None = None

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        bell, self._bell = self._bell, None
        assert bell
        bell.close()
        self._ear.close()
        self._heeded.clear()
        self._selector.close()

    def take(self, seconds: float) -> None:
        """Hold up the event loop, unless there were news since the last time: it may not have seen them yet."""
        if not self._bell:
            return
        if not self._has_news:
            for key, _ in self._selector.select(seconds):
                self.ignore(key.fd)
        self._has_news = False
        with suppress(BlockingIOError):
            self._ear.recv(1)

    def end(self) -> None:
        """From any thread, after it has given the event loop something to do."""
        if self._bell and not self._has_news:
            self._has_news = True
            self._bell.send(b".")

    def heed(self, client: int) -> None:
        """Let one pause end when this file descriptor has something to read.

        Only one: what a client sends behind a request that waits for its turn is not read until then.
        """
        if self._bell and client not in self._heeded:
            self._selector.register(client, selectors.EVENT_READ)
            self._heeded.add(client)

    def ignore(self, client: int) -> None:
        """No longer heed it; also to be told when its connection ends, because another one may get its number."""
        if client in self._heeded:
            self._heeded.remove(client)
            self._selector.unregister(client)
