"""The correlation id of a request: in its log lines, in a header of its response, and in the errors that mention it.

structlog adds it to every line that the request's own task logs, and the threads that work for it.
"""

import secrets

from structlog.contextvars import bind_contextvars, get_contextvars

CORRELATION_ID = "correlation_id"


def bind_correlation_id() -> str:
    """Make an id and bind it to the current task, which serves one request: 16 hexadecimal digits."""
    correlation_id = secrets.token_hex(8)
    bind_contextvars(**{CORRELATION_ID: correlation_id})
    return correlation_id


def current_correlation_id() -> str:
    """The id that the current task is bound to; empty outside a request."""
    return str(get_contextvars().get(CORRELATION_ID, ""))
