"""SIGHUP: a process begins anew if it can, or ends when the terminal in which it was started has been closed."""

import os
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.supervisors import Multiprocess

STANDARD_INPUT = 0

Check = Callable[[], bool]
"""Whether a start would succeed now; it tells why not."""


class Terminal:
    """The terminal of this process, if there was one when this object was made."""

    def __init__(self) -> None:
        self._was_there = os.isatty(STANDARD_INPUT)

    def is_closed(self) -> bool:
        return self._was_there and not os.isatty(STANDARD_INPUT)


class Workers(Multiprocess):
    """Processes that listen on one address; at SIGHUP each is replaced in its turn, if the installation `is_fit`."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], is_fit: Check) -> None:
        super().__init__(config, sockets)
        self._terminal = Terminal()
        self._is_fit = is_fit

    def handle_hup(self) -> None:
        if self._terminal.is_closed():
            self.handle_term()
        elif self._is_fit():
            super().handle_hup()
