"""The gate before the application: under overload it turns sign-ups away before they cost a task; it lets by all else.

Ten times more sign-ups than there can be hashes must not keep the processors from hashing. What is plain at a glance
is answered here; whoever is not plainly one too many goes the usual way, and is told there.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from graphql_api.admission import Admission

Refuse = Callable[[Request, bytes, int], Response | None]
"""Answers a request, of which the whole body is there, with how many seconds to wait; None where it is not for sure.

Doors give the same response to all whom they tell the same, as it was: it is sent without being called.
"""

LOG_SECONDS = 1.0

REST_SECONDS = 0.003
"""How long the event loop rests after it has refused somebody, so that it meets the next ones together.

Beside hashes, which empty the processor's caches, ten refusals in a row cost about as much as three that come one by
one. While nobody is refused nothing rests.
"""

log = structlog.get_logger(__name__)


class Gate:
    """Belongs to one event loop. `doors` are asked by the path of a POST request."""

    def __init__(self, admission: Admission, doors: Mapping[str, Refuse]) -> None:
        self._admission = admission
        self._doors = doors
        self._refused = 0
        self._will_rest = False

    def may_refuse(self, scope: Scope) -> bool:
        """Whether it is worth waiting for the body to ask `refuse`."""
        return scope["method"] == "POST" and scope["path"] in self._doors and self._admission.refusal() is not None

    def refuse(self, scope: Scope, body: bytes) -> bytes | None:
        """The whole response, but for how the connection goes on; None where the application has to look."""
        overloaded = self._admission.refusal()
        if overloaded is None:
            return None
        response = self._doors[scope["path"]](Request(scope), body, overloaded.retry_after)
        if response is None:
            return None
        self._count()
        self._rest_soon()
        return _as_sent(response)

    def _count(self) -> None:
        """One line in the log for all of a second: a line for each would be part of the flood."""
        if self._refused == 0:
            asyncio.get_running_loop().call_later(LOG_SECONDS, self._log)
        self._refused += 1

    def _rest_soon(self) -> None:
        """When the event loop has done what it has at hand."""
        if not self._will_rest:
            self._will_rest = True
            asyncio.get_running_loop().call_soon(self._rest)

    def _rest(self) -> None:
        self._will_rest = False
        time.sleep(REST_SECONDS)

    def _log(self) -> None:
        log.warning("overloaded", refused=self._refused, seconds=LOG_SECONDS)
        self._refused = 0


@lru_cache(maxsize=64)
def _as_sent(response: Response) -> bytes:
    head = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"%b%b\r\n%b" % (STATUS_LINE[response.status_code], head, cast("bytes", response.body))
