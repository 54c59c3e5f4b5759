"""Callers: tokens that come together share a statement, and each request gets the caller of its own token."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, event

from graphql_api.engine.callers import MAX_BATCH, Callers
from graphql_api.engine.threads import Threads
from registration.services import Services
from registration.sessions.access_tokens import BadToken, Caller
from registration.sessions.sessions import revoke_all
from registration.storage.database import Unavailable
from registration.storage.deadline import within
from tests.in_process import Installation
from tests.registration.members import CLIENT, member
from tests.waiting import wait_for

Found = Caller | BadToken | BaseException


@pytest.fixture
def services(installation: Installation) -> Services:
    return installation.services


@pytest.fixture
def threads() -> Iterator[Threads]:
    with closing(Threads(hashing=1, other=2)) as threads:
        yield threads


async def together(callers: Callers, *tokens: str) -> list[Found]:
    return await asyncio.gather(*map(callers.authenticate, tokens), return_exceptions=True)


def statements(services: Services, work: Callable[[], Any]) -> list[str]:
    """The selecting statements that the work sends."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = services.database._readers.engine
    event.listen(engine, "before_cursor_execute", note)
    work()
    event.remove(engine, "before_cursor_execute", note)
    return [each for each in seen if each.startswith("SELECT")]


def test_each_request_gets_its_own_caller(services: Services, threads: Threads) -> None:
    """Requests that come together are told their own customers; a bad token among them is refused alone."""
    ada, ben = (member(services, email=f"{name}@example.org") for name in ("ada", "ben"))
    given = [ben.tokens.access_token, "no token", ada.tokens.access_token, ben.tokens.access_token]
    found = asyncio.run(together(Callers(services, threads), *given))
    told = [each.customer if isinstance(each, Caller) else each for each in found]
    assert told == [ben.customer, BadToken.INVALID, ada.customer, ben.customer]


def test_requests_that_come_together_share_a_statement(services: Services, threads: Threads) -> None:
    """A group of tokens costs one statement, however many there are; more than the largest group cost another."""
    tokens = [member(services, email=f"{number}@example.org").tokens.access_token for number in range(3)]
    for number, wanted in ((3, 1), (MAX_BATCH, 1), (MAX_BATCH + 1, 2)):
        given = [tokens[each % 3] for each in range(number)]
        seen = statements(services, lambda given=given: asyncio.run(together(Callers(services, threads), *given)))  # type: ignore[misc]
        assert len(seen) == wanted


def test_a_session_that_has_ended_is_refused_at_once(services: Services, threads: Threads) -> None:
    """What is remembered of a token is its signature: its session is looked at each time."""
    token = member(services).tokens.access_token

    async def before_and_after() -> list[Found]:
        callers = Callers(services, threads)
        [first] = await together(callers, token)
        assert isinstance(first, Caller)
        await threads.run(revoke_all, services, first, CLIENT)
        return [first, *await together(callers, token)]

    assert asyncio.run(before_and_after())[1] is BadToken.REVOKED


def test_a_token_that_expires_is_refused_at_once(installation: Installation, threads: Threads) -> None:
    """The times of a token are looked at each time, too."""
    token = member(installation.services).tokens.access_token
    callers = Callers(installation.services, threads)
    assert isinstance(asyncio.run(together(callers, token))[0], Caller)
    installation.clock.move(timedelta(hours=8))
    assert asyncio.run(together(callers, token)) == [BadToken.INVALID]


class Failing:
    """A database whose reads raise what `errors` holds, one each, and then work."""

    def __init__(self, services: Services, *errors: Exception) -> None:
        self._read = services.database.read
        self.errors = list(errors)
        self.reads = 0

    def read(self, work: Callable[[Connection], Any]) -> Any:
        self.reads += 1
        if self.errors:
            raise self.errors.pop(0)
        return self._read(work)


def test_an_outage_fails_the_whole_group(services: Services, threads: Threads) -> None:
    """Each request of a group that the database does not answer gets its own exception; nothing is tried again."""
    token = member(services).tokens.access_token
    failing: Any = Failing(services, Unavailable("away"))
    found = asyncio.run(together(Callers(replace(services, database=failing), threads), token, token))
    assert [(type(each), str(each)) for each in found] == [(Unavailable, "away")] * 2
    assert found[0] is not found[1]
    assert failing.reads == 1


def test_a_bug_fails_only_the_request_that_meets_it(services: Services, threads: Threads) -> None:
    """A group that fails for another reason is looked up token by token."""
    new = member(services)
    failing: Any = Failing(services, ValueError("together"), ValueError("alone"))
    tokens = [new.tokens.access_token] * 2
    first, second = asyncio.run(together(Callers(replace(services, database=failing), threads), *tokens))
    assert isinstance(first, ValueError)
    assert str(first) == "alone"
    assert isinstance(second, Caller)


@pytest.mark.parametrize("error", [None, Unavailable("away")])
def test_a_request_that_does_not_wait_any_more_harms_no_other(
    services: Services, threads: Threads, error: Unavailable | None
) -> None:
    """A group goes on when one of its requests is at its deadline, and leaves that one's outcome alone."""
    token, may_read, began = member(services).tokens.access_token, Event(), Event()
    read = services.database.read

    class Slow:
        def read(self, work: Callable[[Connection], Any]) -> Any:
            began.set()
            wait_for(may_read)
            if error:
                raise error
            return read(work)

    async def late(callers: Callers) -> Caller | BadToken:
        with within(-0.5):
            return await callers.authenticate(token)

    async def both() -> list[Found]:
        slow: Any = Slow()
        callers = Callers(replace(services, database=slow), threads)
        waiting: list[Awaitable[Caller | BadToken]] = [
            asyncio.ensure_future(late(callers)),
            asyncio.ensure_future(callers.authenticate(token)),
        ]
        with pytest.raises(Unavailable, match="deadline"):
            await waiting[0]
        may_read.set()
        return [*await asyncio.gather(waiting[1], return_exceptions=True)]

    [other] = asyncio.run(both())
    assert began.is_set()
    assert isinstance(other, Caller if error is None else Unavailable)
