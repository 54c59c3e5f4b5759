"""The gateway, whose event loop writes down when one step of it computes for too long: `python -m fuzz.watched serve`.

Measured is the processor time of the loop's own thread, so a busy machine does not count.
"""

import asyncio
import os
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api import app as gateway
from graphql_api.cli.main import main

REPORT = "FUZZ_LOOP_REPORT"
"""The environment variable with the file that gets a line for each such step: when it ended, and its seconds."""
TOO_LONG = 0.05
EVERY = 0.005


def watched(make: Callable[[], ASGIApp]) -> Callable[[], ASGIApp]:
    def made() -> ASGIApp:
        app, tasks = make(), set[asyncio.Task[None]]()

        async def watching(scope: Scope, receive: Receive, send: Send) -> None:
            if not tasks:
                tasks.add(asyncio.create_task(watch(os.environ[REPORT])))
            await app(scope, receive, send)

        return watching

    return made


async def watch(report: str) -> None:
    last = time.thread_time()
    while True:
        await asyncio.sleep(EVERY)
        now = time.thread_time()
        if now - last > TOO_LONG:
            with open(report, "a", encoding="ascii") as file:  # noqa: ASYNC230 - seldom, and short
                file.write(f"{time.monotonic():.3f} {now - last:.3f}\n")
        last = now


if __name__ == "__main__":
    gateway.from_environment = watched(gateway.from_environment)
    main()
