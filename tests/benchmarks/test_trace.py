"""The trace of a sign-up: what it counts, and that it is a sign-up."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.recorder import Call, Recorder
from benchmarks.trace import Trace, table, traces, tree
from registration.storage.database import Database
from tests.registration.stored import counts

pytestmark = pytest.mark.usefixtures("unmeasured")


def call(file: str, thread: str = "loop", depth: int = 0) -> Call:
    return Call(file, "work", thread, depth)


def test_each_door_signs_customers_up(database: Database, database_url: str) -> None:
    """Warm-ups and the recorded sign-up are stored, and the trace names the functions that a sign-up must pass."""
    graphql, rest = traces(database_url, warm_ups=2)
    assert counts(database)["customer"] == 6
    assert (graphql.door, rest.door) == ("graphql", "rest")
    for found in (graphql, rest):
        assert len(found.calls) > len(found.files) > len(found.threads) > 0
        assert found.returns > 0
        lines = list(tree(found))
        assert len(lines) == len(found.calls)
        assert any("operations/create_customer.py:create_customer" in line for line in lines)
        assert any("Database.write" in line for line in lines)
    assert any("rest_compat/" in file for file in rest.files)
    assert not any("rest_compat/" in file for file in graphql.files)


@pytest.mark.long
def test_the_command_prints_figures_goals_and_trees() -> None:
    """`python -m benchmarks.trace --tree` needs no server and prints no line of the log."""
    command = [sys.executable, "-m", "benchmarks.trace", "--warm-ups", "1", "--tree"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    title, names, graphql, rest, *trees = done.stdout.splitlines()
    assert title == "One warm sign-up through each door, sqlite"
    assert names.split()[0] == "door"
    assert graphql.startswith("graphql")
    assert "(goal 170)" in graphql
    assert rest.startswith("rest")
    assert "(goal 34)" in rest
    assert [line for line in trees if line.endswith(":")] == ["graphql:", "rest:"]


def test_a_return_enters_a_file_that_was_left() -> None:
    """Calls within a file are no return, and neither is the first call in a file."""
    assert Trace("rest", [call("a"), call("a"), call("b"), call("c")]).returns == 0
    assert Trace("rest", [call("a"), call("b"), call("a"), call("a"), call("b")]).returns == 2


def test_the_tree_shows_threads_changes_of_file_and_depth() -> None:
    """A new file is marked `+`, a return `<`."""
    found = Trace("rest", [call("a"), call("a", depth=1), call("b", "hash"), call("a", depth=2)])
    assert list(tree(found)) == ["loop + a:work", "loop     a:work", "hash + b:work", "loop <     a:work"]
    assert "1 (goal 240)" in list(table([Trace("rest", [call("a")])]))[1]


def in_a_thread(work: Callable[[], object]) -> None:
    thread = Thread(target=work, name="worker")
    thread.start()
    thread.join()


def two_steps() -> Iterator[int]:
    yield 1
    yield 2


def exhaust() -> None:
    list(two_steps())


def test_a_recorder_notes_each_function_once_when_it_is_entered() -> None:
    """A generator that is resumed is not entered again; nothing is noted of other folders or while it is off."""
    here = Path(__file__).parent
    recorder = Recorder(here.parent, [here.name])
    with recorder.installed():
        in_a_thread(exhaust)
        assert recorder.take() == []
        recorder.is_on = True
        in_a_thread(exhaust)
        file = f"{here.name}/{Path(__file__).name}"
        assert recorder.take() == [Call(file, "exhaust", "worker", 0), Call(file, "two_steps", "worker", 1)]
    elsewhere = Recorder(here.parent, ["elsewhere"])
    with elsewhere.installed():
        elsewhere.is_on = True
        in_a_thread(exhaust)
        assert elsewhere.take() == []
