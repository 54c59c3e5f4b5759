"""How the processes log: one line an event, with the frames of a fault but never its text, which can quote values."""

import logging
import sys
from traceback import format_tb
from typing import Any

import structlog
from structlog.typing import EventDict


def configure_logs(*, development: bool) -> None:
    """To standard error: JSON in production, for reading in development. Other libraries speak from WARNING up."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _frames_only,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if development
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _frames_only(_logger: Any, _method: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["fault"] = type(error).__qualname__
        event["frames"] = "".join(format_tb(error.__traceback__))
    return event
