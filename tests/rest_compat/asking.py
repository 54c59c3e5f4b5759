"""Requests to an ASGI application, with exactly the headers and bytes that a test gives."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Response:
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> list[tuple[int, str | None, str]]:
        """Status, code and detail of each error."""
        return [(error["status"], error.get("code"), error["detail"]) for error in self.document["errors"]]


def ask(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | Iterable[bytes] = b"",
    *,
    root_path: str = "",
    leaves: bool = False,
) -> Response:
    """The response to one request, on an event loop of its own. With `leaves` the client disconnects in the body."""
    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "method": method,
        "path": root_path + unquote_to_bytes(path).decode("utf-8", "replace"),
        "root_path": root_path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
    }
    chunks = [body] if isinstance(body, bytes) else list(body)
    more = [True] * len(chunks) if leaves else [*[True] * (len(chunks) - 1), False]
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": follows}
        for chunk, follows in zip(chunks, more, strict=True)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(_run(app, scope, receive, send))
    start, *bodies = sent
    answered = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Response(start["status"], answered, b"".join(message.get("body", b"") for message in bodies))


async def _run(app: ASGIApp, *exchange: Any) -> None:
    await app(*exchange)


def post(app: ASGIApp, target: str, document: object, headers: Headers = ()) -> Response:
    return ask(app, "POST", target, headers, json.dumps(document).encode())
