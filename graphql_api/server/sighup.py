"""SIGHUP: a process begins anew, or ends when the terminal in which it was started has been closed."""

import os

STANDARD_INPUT = 0


class Terminal:
    """The terminal of this process, if there was one when this object was made."""

    def __init__(self) -> None:
        self._was_there = os.isatty(STANDARD_INPUT)

    def is_closed(self) -> bool:
        return self._was_there and not os.isatty(STANDARD_INPUT)
