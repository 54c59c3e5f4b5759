"""`python -m benchmarks.trace`: which of our functions one warm sign-up calls, in this process and without a server.

Counted are the calls of all threads between the call of the ASGI application and its return.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from benchmarks.application import parts
from benchmarks.recorder import Call, Recorder
from benchmarks.registrations import DOORS, Door
from benchmarks.sign_up_request import graphql_request, rest_request
from graphql_api.app import create_app
from graphql_api.http.log_setup import configure_logs
from harness.store import ENGINES, store

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("registration", "graphql_api", "rest_compat")
WARM_UPS = 20
NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Goal:
    """The most calls and files that a sign-up should take."""

    calls: int
    files: int


GOALS: dict[Door, Goal] = {"graphql": Goal(calls=170, files=28), "rest": Goal(calls=240, files=34)}


@dataclass(frozen=True, slots=True)
class Trace:
    """The calls of one sign-up, in the order in which they began."""

    door: Door
    calls: list[Call]

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(call.file for call in self.calls))

    @property
    def threads(self) -> list[str]:
        return list(dict.fromkeys(call.thread for call in self.calls))

    @property
    def changes_file(self) -> list[bool]:
        """For each call, whether the one before it was in another file."""
        return [True, *(before.file != after.file for before, after in pairwise(self.calls))]

    @property
    def returns(self) -> int:
        """How often a call enters a file that had been entered and left."""
        return sum(self.changes_file) - len(self.files)


def traces(url: str, warm_ups: int) -> Iterator[Trace]:
    """Sign up through each door of an application of its own; the last of each door's sign-ups is recorded."""
    recorder = Recorder(ROOT, PACKAGES)
    with recorder.installed(), parts(url) as (settings, services):
        app = create_app(settings, services)

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            threading.current_thread().name = "event loop"
            recorder.is_on = scope["type"] == "http"
            await app(scope, receive, send)
            recorder.is_on = False

        with TestClient(recorded, client=("127.0.0.1", 1)) as client:
            for door in DOORS:
                for _ in range(warm_ups + 1):
                    recorder.take()
                    _sign_up(client, door)
                yield Trace(door, recorder.take())


def _sign_up(client: TestClient, door: Door) -> None:
    """Raises RuntimeError unless the customer is told of success."""
    email = f"trace-{os.getpid()}-{next(NUMBERS)}@example.org"
    if door == "graphql":
        response = client.post("/graphql", json=graphql_request(email))
        succeeded = "CreateCustomerSuccess" in response.text
    else:
        media_type = {"Content-Type": "application/vnd.api+json"}
        response = client.post("/customers", json=rest_request(email), headers=media_type)
        succeeded = response.status_code == 201
    if not succeeded:
        raise RuntimeError(f"{door}: {response.status_code} {response.text}")


def table(found: Sequence[Trace]) -> Iterator[str]:
    """The figures of each door, with the goals beside them."""
    yield f"{'door':<9}{'calls':<17}{'files':<16}{'returns to a file':<19}threads"
    for each in found:
        goal = GOALS[each.door]
        calls, files = f"{len(each.calls)} (goal {goal.calls})", f"{len(each.files)} (goal {goal.files})"
        yield f"{each.door:<9}{calls:<17}{files:<16}{each.returns:<19}{len(each.threads)}: {', '.join(each.threads)}"


def tree(found: Trace) -> Iterator[str]:
    """A line for each call: thread, `+` for a new file or `<` for a return to a file, function; indented by depth."""
    width = max(map(len, found.threads))
    seen: set[str] = set()
    for call, changes_file in zip(found.calls, found.changes_file, strict=True):
        mark = " " if not changes_file else "<" if call.file in seen else "+"
        seen.add(call.file)
        yield f"{call.thread:<{width}} {mark} {'  ' * call.depth}{call.file}:{call.function}"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.trace", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite", help="database (default: %(default)s)")
    parser.add_argument("--tree", action="store_true", help="also print every call")
    parser.add_argument("--warm-ups", type=int, default=WARM_UPS, help="sign-ups before (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, store(given.engine, Path(directory)) as empty, _unread_log():
        found = list(traces(empty.url, given.warm_ups))
    print(f"One warm sign-up through each door, {given.engine}", *table(found), sep="\n")
    for each in found if given.tree else []:
        print("", f"{each.door}:", *tree(each), sep="\n")


@contextmanager
def _unread_log() -> Iterator[None]:
    """The log is written as in production, because that is part of a request."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        configure_logs(development=False)
        yield


if __name__ == "__main__":
    main(sys.argv[1:])
