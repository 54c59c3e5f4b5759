"""How the processes log: one line an event, with the frames of a fault but never its text, which can quote values."""

import logging
import sys
from contextlib import suppress
from json import JSONEncoder
from traceback import format_tb
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict


class FramesOnly(logging.Formatter):
    """For what other libraries log: their exceptions without the text."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        kind, _, trace = ei
        return f"{kind.__qualname__ if kind else None}\n{_frames(trace)}"


class TolerantStream:
    """A stream that costs a line when it fails (a full disk, a closed pipe), not the request or the relay."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure_logs(*, development: bool) -> None:
    """To standard error: JSON in production, for reading in development. Other libraries speak from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FramesOnly("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _frames_only,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if development
            else structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", TolerantStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )


_encode = JSONEncoder(default=repr).encode


def _as_json(event: EventDict, **_options: Any) -> str:
    """With an encoder made once; json.dumps makes one for each line that needs a default."""
    return _encode(event)


def _frames_only(_logger: Any, _method: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["fault"] = type(error).__qualname__
        event["frames"] = _frames(error.__traceback__)
    return event


def _frames(trace: TracebackType | None) -> str:
    return "".join(format_tb(trace))
