"""Unknown documents are prepared beside the event loop, one at a time, and only so many wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from threading import Event, current_thread

from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.documents import Documents, Prepared
from graphql_api.engine.preparation import MAX_WAITING, RETRY_AFTER, Preparation
from graphql_api.server.admission import Overloaded
from tests.graphql_api.sample_schema import schema


class Watched(Documents):
    """Documents whose preparation waits for `gate`, and which note what was prepared on which thread."""

    def __init__(self) -> None:
        super().__init__(schema._schema, costs=FieldCosts(), introspection=True, suggestions=True)
        self.gate = Event()
        self.prepared: list[tuple[str, str]] = []

    def prepare(self, text: str) -> Prepared:
        self.gate.wait(5)
        self.prepared.append((text, current_thread().name))
        return super().prepare(text)


def run(scenario: Callable[[Watched, Preparation], Awaitable[None]]) -> None:
    async def told() -> None:
        documents = Watched()
        with closing(Preparation(documents)) as preparation:
            try:
                await scenario(documents, preparation)
            finally:
                documents.gate.set()

    asyncio.run(told())


def test_the_event_loop_goes_on_meanwhile() -> None:
    """A document is prepared on the thread for documents, and kept for the next request."""

    async def scenario(documents: Watched, preparation: Preparation) -> None:
        waiting = asyncio.ensure_future(preparation.prepared("{ hello }"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        documents.gate.set()
        prepared = await waiting
        assert documents.kept("{ hello }") is prepared
        assert documents.prepared == [("{ hello }", "documents_0")]

    run(scenario)


def test_requests_with_one_document_share_its_preparation() -> None:
    """A document that a thousand clients send at once is prepared once; a client that leaves does not end it."""

    async def scenario(documents: Watched, preparation: Preparation) -> None:
        first, *others = [asyncio.ensure_future(preparation.prepared("{ hello }")) for _ in range(1000)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        documents.gate.set()
        assert {id(prepared) for prepared in await asyncio.gather(*others)} == {id(documents.kept("{ hello }"))}
        assert len(documents.prepared) == 1

    run(scenario)


def test_only_so_many_documents_wait() -> None:
    """One document more than may wait is refused at once, without being read."""

    async def scenario(documents: Watched, preparation: Preparation) -> None:
        texts = [f"{{ a{number}: hello }}" for number in range(MAX_WAITING)]
        waiting = [asyncio.ensure_future(preparation.prepared(text)) for text in texts]
        await asyncio.sleep(0)
        assert await preparation.prepared("{ hello }") == Overloaded(RETRY_AFTER)
        documents.gate.set()
        await asyncio.gather(*waiting)
        assert [text for text, _ in documents.prepared] == texts
        assert isinstance(await preparation.prepared("{ hello }"), tuple)

    run(scenario)
