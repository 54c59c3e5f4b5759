"""Answers as server-sent events, as the distinct connections mode of the protocol "GraphQL over SSE" has it.

One request runs one operation: an event `next` for each answer, then the event `complete`. A stream that ends without
`complete`, after its longest time, in an outage or because this process stops, is not over for the client, which asks
again.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from registration.limits.payers import client_of
from registration.storage.database import Unavailable

EVENT_STREAM = "text/event-stream"
CLOSING = "gateway.closing"
"""The member of a scope that returns an event which is set when the server closes the connection."""

HEARTBEAT = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the events otherwise
]

Body: TypeAlias = Mapping[str, Any]
"""What a GraphQL response has: `data`, `errors`."""

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class EventStreams:
    """The open streams of a process: `most` in all, `most_per_client` of one client, 0 for any number.

    A stream lasts for `longest` seconds, and says every `heartbeat` seconds that it lives.
    """

    def __init__(
        self,
        client_ip: Callable[[Request], str],
        most: int,
        most_per_client: int = 0,
        longest: float = 900.0,
        *,
        heartbeat: float = 15.0,
    ) -> None:
        self._client_ip = client_ip
        self.are_offered = most > 0
        self._most = most
        self._most_per_client = most_per_client
        self._of_client: Counter[str] = Counter()
        self.longest = longest
        self.heartbeat = heartbeat

    @contextmanager
    def one_more(self, request: Request) -> Iterator[bool]:
        """Count a stream as long as the block runs; False where there is no room for it."""
        client = client_of(self._client_ip(request))
        if self._of_client.total() >= self._most or 0 < self._most_per_client <= self._of_client[client]:
            yield False
            return
        self._of_client[client] += 1
        try:
            yield True
        finally:
            self._of_client[client] -= 1
            self._of_client += Counter()  # forgets the clients without streams


class EventStream(Response):
    """Sends bodies as they come; a heartbeat between them shows proxies and clients that the connection lives."""

    def __init__(self, bodies: AsyncIterator[Body], gone: Callable[[], Awaitable[None]], streams: EventStreams) -> None:
        super().__init__()
        self._bodies = bodies
        self._gone = gone
        self._streams = streams
        self.raw_headers = list(HEADERS)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*self.raw_headers]})
        over = asyncio.ensure_future(_first_of(self._gone(), _closing(scope), asyncio.sleep(self._streams.longest)))
        coming = asyncio.ensure_future(_next(self._bodies))
        try:
            while True:
                await asyncio.wait({coming, over}, timeout=self._streams.heartbeat, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    event = coming.result()
                    if event is None:
                        break
                    await send(_part(event))
                    if event is COMPLETE:
                        break
                    coming = asyncio.ensure_future(_next(self._bodies))
                elif over.done():
                    break
                else:
                    await send(_part(HEARTBEAT))
        finally:
            await _cancelled(coming, over)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _next(bodies: AsyncIterator[Body]) -> bytes | None:
    """The next event; None where an outage ended the bodies, which have told it."""
    try:
        body = await anext(bodies, None)
    except Unavailable:
        return None
    return COMPLETE if body is None else b"event: next\ndata: %b\n\n" % encode(body).encode()


async def _closing(scope: Scope) -> None:
    """Completes when the server closes the connection; waits without end where no server sets the event (tests)."""
    event: asyncio.Event = scope.get(CLOSING, asyncio.Event)()
    await event.wait()


async def _first_of(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(*tasks)


async def _cancelled(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
