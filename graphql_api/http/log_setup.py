"""How processes log: one line an event, with the frames of an exception but not its text, which can quote values."""

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from json import JSONEncoder
from traceback import format_tb
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict

from registration.notes import with_notes


class FramesOnly(logging.Formatter):
    """Formats log records of other libraries as lines to read: their exceptions without the text."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        kind, _, trace = ei
        return f"{kind.__qualname__ if kind else None}\n{_frames(trace)}"


class JsonLines(logging.Formatter):
    """Formats log records of other libraries as our own events: JSON, an exception without its text."""

    def format(self, record: logging.LogRecord) -> str:
        event: EventDict = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        event["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        if record.exc_info and record.exc_info[1]:
            event.update(_of_fault(record.exc_info[1]))
        return _as_json(event)


class TolerantStream:
    """A stream that loses a line when it fails (full disk, closed pipe) instead of failing the request or the relay."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logs(*, development: bool) -> None:
    """Log to standard error: JSON in production, readable lines in development; other libraries from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FramesOnly("%(levelname)s %(name)s %(message)s") if development else JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            with_notes,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _frames_only,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if development
            else structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", TolerantStream(sys.stderr))),
        cache_logger_on_first_use=True,  # else each line makes its logger anew, a twentieth of a read
    )


_encode = JSONEncoder(default=repr).encode


def _as_json(event: EventDict, **_options: Any) -> str:
    """Use one encoder: json.dumps would make a new one for each line."""
    return _encode(event)


def _frames_only(_logger: Any, _method: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event.update(_of_fault(error))
    return event


def _of_fault(error: BaseException) -> EventDict:
    return {"fault": type(error).__qualname__, "frames": _frames(error.__traceback__)}


def _frames(trace: TracebackType | None) -> str:
    return "".join(format_tb(trace))
