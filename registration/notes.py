"""What is noted of a request while it is served: its correlation id, and what else its log lines say.

The threads that work for a request share its notes, so that a note is seen wherever it was made. They hold no value
that a client sent.
"""

import secrets
from contextvars import ContextVar
from typing import Any

from structlog.typing import EventDict

CORRELATION_ID = "correlation_id"

# One variable: each of structlog's own costs a refused request as much as a look-up of its operation.
_NOTES: ContextVar[dict[str, Any] | None] = ContextVar("notes", default=None)


def begin_notes() -> dict[str, Any]:
    """Those of the current task, which serves one request. The id that they begin with has 16 hexadecimal digits."""
    notes: dict[str, Any] = {CORRELATION_ID: secrets.token_hex(8)}
    _NOTES.set(notes)
    return notes


def note(**facts: Any) -> None:
    """Add facts to all later log lines of the current request; outside a request nothing is noted."""
    notes = _NOTES.get()
    if notes is not None:
        notes.update(facts)


def current_correlation_id() -> str:
    """The id of the current request; empty outside a request."""
    notes = _NOTES.get()
    return notes[CORRELATION_ID] if notes else ""


def with_notes(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A processor of structlog. Where an event and the notes say the same, the event's word counts."""
    return {**event, **(_NOTES.get() or {}), **event}
