"""The door of the operator schema, with a clock of the test."""

import anyio
import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from graphql_api.operators.door import MOST_WRONG, WAIT, TokenDoor
from registration.storage.outages import Unavailable


class Seconds:
    """A clock that stands still until it is told to go on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def no_bearer(_token: str) -> None:
    """No token is good."""


def test_a_refusal_names_the_seconds_that_are_left() -> None:
    """After ten wrong tokens Retry-After counts down from the last of them; then tokens are looked at again."""
    clock = Seconds()
    client = TestClient(TokenDoor(PlainTextResponse("in"), no_bearer, lambda _: "192.0.2.1", clock))

    def answer() -> tuple[int, str | None]:
        response = client.get("/", headers={"authorization": "Bearer wrong"})
        return response.status_code, response.headers.get("retry-after")

    for _ in range(MOST_WRONG):
        clock.now += 10
        assert answer() == (401, None)
    last = clock.now
    for passed, left in ((0, "900"), (0.5, "900"), (100.5, "800"), (899.9, "1")):
        clock.now = last + passed
        assert answer() == (429, left)
    clock.now = last + WAIT
    assert answer() == (401, None)


async def outage(_token: str) -> None:
    """The database that has the tokens does not answer."""
    raise Unavailable("no connection")


def test_an_outage_is_answered_as_graphql_and_counts_no_wrong_token() -> None:
    """A token that cannot be looked up is neither good nor wrong: 503 with a JSON error, however often it comes."""
    client = TestClient(TokenDoor(PlainTextResponse("in"), outage, lambda _: "192.0.2.1", Seconds()))
    for _ in range(MOST_WRONG + 1):
        response = client.get("/", headers={"authorization": "Bearer good"})
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"


@pytest.mark.anyio
async def test_tokens_that_are_looked_up_together_are_all_counted() -> None:
    """Wrong tokens of one client that come at once count as many, not as one."""
    looked_up = anyio.Event()

    async def slow(_token: str) -> None:
        await looked_up.wait()

    door = TokenDoor(PlainTextResponse("in"), slow, lambda _: "192.0.2.1", Seconds())
    async with AsyncClient(transport=ASGITransport(door), base_url="http://gateway") as client:
        seen: list[int] = []

        async def guess() -> None:
            seen.append((await client.get("/", headers={"authorization": "Bearer wrong"})).status_code)

        async with anyio.create_task_group() as guesses:
            for _ in range(MOST_WRONG):
                guesses.start_soon(guess)
            await anyio.wait_all_tasks_blocked()
            looked_up.set()
        assert seen == [401] * MOST_WRONG
        await guess()
        assert seen[-1] == 429
