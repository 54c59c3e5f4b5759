"""Waiting for facts: one look for all that wait, none while nothing waits."""

import asyncio
from collections.abc import Callable, Collection, Mapping

from graphql_api.server.watch import Watch
from registration.storage.database import Unavailable
from registration.storage.deadline import begin, remaining


class Looks:
    """Finds the facts that a test has put there; counts looks by the keys that they ask for."""

    def __init__(self) -> None:
        self.facts: dict[str, int] = {}
        self.asked: list[list[str]] = []
        self.is_out = False
        self.left: list[float] = []

    async def __call__(self, keys: Collection[str]) -> Mapping[str, int]:
        self.asked.append(sorted(keys))
        self.left.append(remaining())
        if self.is_out:
            self.is_out = False
            raise Unavailable("gone")
        return {key: self.facts[key] for key in keys if key in self.facts}


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a watch tells nothing of its looks
        await asyncio.sleep(0)


async def until_asked(looks: Looks, times: int) -> None:
    await until(lambda: len(looks.asked) >= times)


def test_one_look_serves_all_that_wait() -> None:
    """Waits for two keys are served by the same look; a key without a fact is asked for again."""

    async def scene() -> None:
        looks = Looks()
        watch = Watch(looks, pause=0)
        waits = [asyncio.create_task(watch.fact_about(key)) for key in ("a", "a", "b")]
        await until_asked(looks, 2)
        assert looks.asked[0] == ["a", "b"]
        looks.facts = {"a": 1}
        assert await asyncio.gather(*waits[:2]) == [1, 1]
        looks.facts = {"b": 2}
        assert await waits[2] == 2
        assert looks.asked[-1] == ["b"]

    asyncio.run(scene())


def test_nothing_is_looked_up_while_nothing_waits() -> None:
    """When the last wait is over or given up, looking ends, and begins anew with the next."""

    async def scene() -> None:
        looks = Looks()
        watch = Watch(looks, pause=0)
        wait = asyncio.create_task(watch.fact_about("a"))
        await until_asked(looks, 1)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        looks.facts = {"b": 2}
        assert await watch.fact_about("b") == 2
        assert looks.asked[-1] == ["b"]

    asyncio.run(scene())


def test_a_wait_that_was_given_up_during_a_look_is_passed_over() -> None:
    """One of two waits for a key ends while the look is under way: the other one gets the fact."""

    async def scene() -> int:
        waits: list[asyncio.Task[int]] = []

        async def look(_keys: Collection[str]) -> Mapping[str, int]:
            waits[0].cancel()
            return {"a": 1}

        watch = Watch(look, pause=0)
        waits += [asyncio.create_task(watch.fact_about("a")) for _ in range(2)]
        return await waits[1]

    assert asyncio.run(scene()) == 1


def test_an_outage_is_no_end() -> None:
    """While the database is gone a wait goes on."""

    async def scene() -> int:
        looks = Looks()
        looks.facts, looks.is_out = {"a": 1}, True
        return await Watch(looks, pause=0).fact_about("a")

    assert asyncio.run(scene()) == 1


def test_a_look_that_fails_is_told_to_each_wait() -> None:
    """A bug in a look ends the waits with it, and the next wait begins to look anew."""

    async def scene() -> int:
        bugs = [ZeroDivisionError("a bug")]

        async def look(keys: Collection[str]) -> Mapping[str, int]:
            if bugs:
                raise bugs.pop()
            return dict.fromkeys(keys, 1)

        watch = Watch(look, pause=0)
        failed = await asyncio.gather(watch.fact_about("a"), watch.fact_about("b"), return_exceptions=True)
        assert [type(each) for each in failed] == [ZeroDivisionError] * 2
        return await watch.fact_about("a")

    assert asyncio.run(scene()) == 1


def test_looking_has_no_deadline() -> None:
    """Looking outlives the request that began it, and is not bound by the deadline of that."""

    async def scene() -> list[float]:
        looks = Looks()
        looks.facts = {"a": 1}
        begin(60)
        await Watch(looks, pause=0).fact_about("a")
        return looks.left

    assert asyncio.run(scene()) == [float("inf")]


def test_closing_ends_the_looks() -> None:
    """A watch that is closed looks no more; closing one that never looked does nothing."""

    async def scene() -> None:
        looks = Looks()
        watch = Watch(looks, pause=0)
        watch.close()
        wait = asyncio.create_task(watch.fact_about("a"))
        await until_asked(looks, 1)
        watch.close()
        await until(lambda: len(asyncio.all_tasks()) == 2)
        wait.cancel()

    asyncio.run(scene())
