"""What is noted of a request: shared by its task and its threads, and by nothing else."""

import asyncio
import re
from contextvars import Context

from registration.notes import begin_notes, current_correlation_id, note, with_notes


def test_what_a_thread_notes_is_seen_by_the_request() -> None:
    """A thread that works for a request sees its id, and its task sees what the thread notes."""

    async def request() -> tuple[str, str]:
        notes = begin_notes()
        await asyncio.to_thread(lambda: note(operation=current_correlation_id()))
        return notes["correlation_id"], notes["operation"]

    made, seen_by_thread = asyncio.run(request())
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert seen_by_thread == made


def test_requests_at_once_have_notes_of_their_own() -> None:
    """What one request notes stands in no line of another one."""

    async def request(name: str) -> dict[str, object]:
        begin_notes()
        note(operation=name)
        await asyncio.sleep(0)
        return dict(with_notes(None, "", {"event": "request"}))

    async def two() -> tuple[dict[str, object], dict[str, object]]:
        return await asyncio.gather(request("one"), request("two"))

    first, second = asyncio.run(two())
    assert (first["operation"], second["operation"]) == ("one", "two")
    assert first["correlation_id"] != second["correlation_id"]


def test_an_event_keeps_its_own_words_and_their_order() -> None:
    """Where an event says what is noted too, its own word stands; it comes before the notes."""

    def line() -> list[tuple[str, object]]:
        begin_notes().update(correlation_id="1", outcome="noted")
        return list(with_notes(None, "", {"event": "request", "outcome": "said"}).items())

    assert Context().run(line) == [("event", "request"), ("outcome", "said"), ("correlation_id", "1")]


def test_outside_a_request_nothing_is_noted() -> None:
    """Outside a request there is no id, and a note is lost."""

    def outside() -> tuple[str, dict[str, object]]:
        note(outcome="lost")
        return current_correlation_id(), dict(with_notes(None, "", {"event": "starting"}))

    assert Context().run(outside) == ("", {"event": "starting"})
