"""What a process says of itself at its start: lines to read in development, events of the log in production."""

import structlog


def tell(*lines: str, development: bool, event: str, **facts: object) -> None:
    """Print the lines in development; in production, where standard output may join a stream of JSON, log the event."""
    if development:
        print(*lines, sep="\n", flush=True)
    else:
        structlog.get_logger(__name__).info(event, **facts)


def warn(event: str, **facts: object) -> None:
    structlog.get_logger(__name__).warning(event, **facts)
