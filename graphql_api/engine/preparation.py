"""Unknown documents, prepared on one thread: a document of a stranger does not hold up the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from graphql_api.engine.documents import Documents, Prepared
from graphql_api.server.admission import Overloaded

MAX_WAITING = 64
"""Documents in preparation or waiting for it. The costliest that the limits allow take it 20 to 30 ms each."""

RETRY_AFTER = 2


class Preparation:
    """Belongs to one event loop. `close` waits for the document in preparation."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        # One: more would share the same interpreter lock, and leave less of it to the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents")
        self._waiting: dict[str, asyncio.Task[Prepared]] = {}

    async def prepared(self, text: str) -> Prepared | Overloaded:
        """What `Documents.prepare` says; Overloaded where too many documents wait already.

        Requests that bring the same document at the same time share one preparation.
        """
        if text not in self._waiting:
            if len(self._waiting) >= MAX_WAITING:
                return Overloaded(RETRY_AFTER)
            self._waiting[text] = asyncio.ensure_future(self._prepare(text))
        return await asyncio.shield(self._waiting[text])

    def close(self) -> None:
        self._thread.shutdown()

    async def _prepare(self, text: str) -> Prepared:
        try:
            prepared = await asyncio.wrap_future(self._thread.submit(self._documents.prepare, text))
        finally:
            del self._waiting[text]
        self._documents.keep(text, prepared)
        return prepared
