"""The gateway, whose event loop writes down when one step of it computes for too long: `python -m fuzz.watched serve`.

Measured is the processor time of the loop's own thread, so a busy machine does not count. The bound is a number of
rounds of one fixed computation, timed right after the step, so a slow machine does not count either.
"""

import asyncio
import os
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api import app as gateway
from graphql_api.cli.main import main

REPORT = "FUZZ_LOOP_REPORT"
"""The environment variable with the file that gets a line for each such step: its end, its seconds, its rounds."""
TOO_LONG = 25
"""Rounds: about 0.05 s on the machine for which it was chosen."""
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
    least = seconds_of_a_round() * TOO_LONG / 2
    last = time.thread_time()
    while True:
        await asyncio.sleep(EVERY)
        step = time.thread_time() - last
        if step > least and (rounds := step / seconds_of_a_round()) > TOO_LONG:
            with open(report, "a", encoding="ascii") as file:  # noqa: ASYNC230 - seldom, and short
                file.write(f"{time.monotonic():.3f} {step:.3f} {rounds:.0f}\n")
        last = time.thread_time()


def seconds_of_a_round() -> float:
    """The processor time of one round on this machine, now."""
    began = time.thread_time()
    sum(number * number % 7 for number in range(30_000))
    return time.thread_time() - began


if __name__ == "__main__":
    gateway.from_environment = watched(gateway.from_environment)
    main()
