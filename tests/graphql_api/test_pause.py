"""A pause of the event loop: what ends it. Whoever is wrong about that waits here until the test is killed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, Timer

import pytest

from graphql_api.pause import Pause

FOR_EVER = 3600.0


@pytest.fixture
def pause() -> Iterator[Pause]:
    with Pause() as pause:
        yield pause


@contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_ends_by_itself(pause: Pause) -> None:
    """Nobody has to come."""
    pause.take(0.001)


def test_ends_when_a_thread_has_news(pause: Pause) -> None:
    """Whatever came of its work need not wait."""
    thread = Timer(0.02, pause.end)
    thread.start()
    pause.take(FOR_EVER)
    thread.join()


def test_does_not_begin_over_news(pause: Pause) -> None:
    """Else they would wait for all of it: the event loop may not have seen them yet. Twice is not more than once."""
    for _ in range(2):
        thread = Thread(target=pause.end)
        thread.start()
        thread.join()
    pause.take(FOR_EVER)
    pause.take(0.001)


def test_ends_for_whom_it_heeds(pause: Pause) -> None:
    """However often it was told to."""
    with connection() as (ours, theirs):
        pause.heed(ours.fileno())
        pause.heed(ours.fileno())
        theirs.send(b".")
        pause.take(FOR_EVER)
        pause.ignore(ours.fileno())


@pytest.fixture
def news(pause: Pause) -> Iterator[list[str]]:
    """What ends a pause that nobody else ends, after a while."""
    told: list[str] = []

    def end() -> None:
        told.append("news")
        pause.end()

    thread = Timer(0.05, end)
    thread.start()
    yield told
    thread.join()


def test_goes_on_for_whom_it_ignores(pause: Pause, news: list[str]) -> None:
    """Also for one whom it never heeded; only news end it then."""
    with connection() as (ours, theirs):
        pause.ignore(ours.fileno())
        pause.heed(ours.fileno())
        pause.ignore(ours.fileno())
        theirs.send(b".")
        pause.take(FOR_EVER)
        assert news


def test_goes_on_for_who_has_ended_one(pause: Pause, news: list[str]) -> None:
    """Until he is served again: a server that does not read him for now would have no pause otherwise."""
    with connection() as (ours, theirs):
        theirs.send(b".")
        pause.heed(ours.fileno())
        pause.take(FOR_EVER)
        assert not news
        pause.take(FOR_EVER)
        assert news
        pause.heed(ours.fileno())
        pause.take(FOR_EVER)


def test_forgets_who_is_gone(pause: Pause) -> None:
    """A closed connection's number may be given to another one, who can be heeded in turn."""
    for _ in range(2):
        with connection() as (ours, theirs):
            number = ours.fileno()
            pause.heed(number)
            theirs.send(b".")
            pause.take(FOR_EVER)
        pause.ignore(number)


def test_does_nothing_before_and_afterwards() -> None:
    """When the server stops connections may still end, and somebody may be refused."""
    pause = Pause()
    with connection() as (ours, _):
        for _ in range(2):
            pause.take(FOR_EVER)
            pause.end()
            pause.heed(ours.fileno())
            pause.ignore(ours.fileno())
            with pause:
                pause.heed(ours.fileno())
