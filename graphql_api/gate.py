"""The gate before the application: under overload it turns sign-ups away before they cost a task; it lets by all else.

Ten times more sign-ups than there can be hashes must not keep the processors from hashing. What is plain at a glance
is answered here; whoever is not plainly one too many goes the usual way, and is told there.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from graphql_api.admission import Admission
from graphql_api.pause import Pause

Refuse = Callable[[bytes, int], Response | None]
"""Answers a whole body with how many seconds to wait; None where it is not plainly that of a sign-up.

Doors give the same response to all whom they tell the same, as it was: it is sent without being called.
"""

Door = Callable[[Request], Refuse | None]
"""Looks at the head of a request, and says how its body is refused; None where something is wrong with the head."""

MARGIN = 64
"""Places in the queue: when fewer are free for sure, it is worth waiting for a body to see whether it wants one."""

LOG_SECONDS = 1.0

AWAKE_TURNS = 10
PAUSE_SECONDS = 0.02
"""While it refuses: turns of the event loop before a pause, and its longest; so it meets the next ones together.

Beside hashes, which empty the processor's caches, a refusal costs 20 to 40 µs, and waking up for it another 200. In
that many turns whoever was let by comes into the queue, and whoever is served into a thread, whose news ends a pause.
"""

END_OF_HEAD = b"\r\n\r\n"
KNOWN_HEADS = 1024
LONGEST_KNOWN_HEAD = 2048
PERSONAL = {b"authorization", b"proxy-authorization", b"cookie", b"idempotency-key"}
"""Headers of heads that are not kept: these are secrets, and nobody else sends the same."""

log = structlog.get_logger(__name__)


class Gate:
    """Belongs to one event loop. `doors` are asked by the path of a POST request.

    `client` is the file descriptor of a connection.
    """

    def __init__(self, admission: Admission, doors: Mapping[str, Door], pause: Pause) -> None:
        self._admission = admission
        self._doors = doors
        self._pause = pause
        self._known: dict[tuple[bytes, int], Refuse] = {}
        self._refused = 0
        self._is_awake = False
        self._let_by = 0
        self._has_refused = False

    def may_refuse(self, scope: Scope, client: int) -> bool:
        """Whether it is worth waiting for the body to ask `refuse`."""
        is_at_door = scope["method"] == "POST" and scope["path"] in self._doors
        if self._admission.refusal(MARGIN + self._let_by) is None:
            if is_at_door:
                self._let_by_one()
            return False
        if not is_at_door:
            self._pause.heed(client)
        return is_at_door

    def refuse(self, scope: Scope, body: bytes, read: bytes, client: int) -> bytes | None:
        """The whole response, but for how the connection goes on; None where the application has to look.

        `read` is what came at once, if it began with the first byte of a request.
        """
        overloaded = self._admission.refusal(self._let_by)
        refuse = self._doors[scope["path"]](Request(scope))
        response = refuse(body, overloaded.retry_after if overloaded else 0) if refuse else None
        if refuse is None or response is None:
            self._pause.heed(client)
            return None
        if overloaded is None:
            self._let_by_one()
            return None
        self._wake()
        self._remember(scope, body, read, refuse)
        return self._as_sent(response, client)

    def refuse_known(self, read: bytes, client: int) -> bytes | None:
        """As `refuse`, for what came at once: the very head of somebody who was refused, and a body of that length.

        Whatever the head says is known then, and is not read again.
        """
        overloaded = self._admission.refusal(self._let_by) if self._known else None
        if overloaded is None:
            return None
        head, end, body = read.partition(END_OF_HEAD)
        refuse = self._known.get((head, len(body))) if end else None
        response = refuse(body, overloaded.retry_after) if refuse else None
        if response is None:
            return None
        self._wake()
        return self._as_sent(response, client)

    def leave(self, client: int) -> None:
        """The connection is at its end."""
        self._pause.ignore(client)

    def _let_by_one(self) -> None:
        self._wake()
        self._let_by += 1

    def _remember(self, scope: Scope, body: bytes, read: bytes, refuse: Refuse) -> None:
        head, end, rest = read.partition(END_OF_HEAD)
        if not end or rest != body:  # it came in pieces, in chunks, or behind another one
            return
        if len(head) <= LONGEST_KNOWN_HEAD and PERSONAL.isdisjoint(name for name, _ in scope["headers"]):
            if len(self._known) == KNOWN_HEADS:
                self._known.clear()
            self._known[head, len(body)] = refuse

    def _as_sent(self, response: Response, client: int) -> bytes:
        """One line in the log for all of a second: a line for each would be part of the flood."""
        self._pause.ignore(client)
        self._has_refused = True
        if self._refused == 0:
            asyncio.get_running_loop().call_later(LOG_SECONDS, self._log)
        self._refused += 1
        return _bytes_of(response)

    def _wake(self) -> None:
        """Until the event loop has done what it has at hand."""
        if not self._is_awake:
            self._is_awake = True
            self._rest_after(AWAKE_TURNS)

    def _rest_after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._rest_after, turns - 1)
        else:
            self._rest()

    def _rest(self) -> None:
        if self._has_refused:
            # No longer than those who have had their turn keep the slots busy.
            self._pause.take(min(PAUSE_SECONDS, self._admission.service_time / 2))
        self._is_awake, self._has_refused, self._let_by = False, False, 0

    def _log(self) -> None:
        log.warning("overloaded", refused=self._refused, seconds=LOG_SECONDS)
        self._refused = 0


@lru_cache(maxsize=64)
def _bytes_of(response: Response) -> bytes:
    head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"%b%b\r\n%b" % (STATUS_LINE[response.status_code], head, cast("bytes", response.body))
