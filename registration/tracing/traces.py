"""Traces: what a request does, as spans; while they are off, which is the default, each call is an `if`.

The names and attributes of spans are words of ours: no argument, document or address. `open_telemetry` makes the spans.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from registration.tracing.open_telemetry import OpenTelemetry

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

NOTHING = nullcontext()

_made_by: "OpenTelemetry | None" = None


def can_be_on() -> bool:
    """Whether the packages of the extra `traces` are installed."""
    try:
        import registration.tracing.open_telemetry  # noqa: F401, PLC0415 - not installed everywhere
    except ImportError:
        return False
    return True


def switch_on(processor: Any = None) -> None:
    """Make spans in this process from now on; the OTEL_ variables say where to, unless a span processor is given."""
    global _made_by  # noqa: PLW0603 - as metrics, of the process
    from registration.tracing.open_telemetry import OpenTelemetry  # noqa: PLC0415 - not installed everywhere

    _made_by = OpenTelemetry(processor)


def switch_off() -> None:
    """Send what waits, and make no more spans."""
    global _made_by  # noqa: PLW0603
    if _made_by:
        _made_by.close()
    _made_by = None


def are_on() -> bool:
    return _made_by is not None


def span(name: str, **facts: Any) -> AbstractContextManager[None]:
    """A span of what the block does; `facts` are attributes and those of `OpenTelemetry.span`."""
    return _made_by.span(name, **facts) if _made_by else NOTHING


def spanned(name: str, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Do work in a span."""
    if _made_by is None:
        return work(*args, **kwargs)
    with _made_by.span(name):
        return work(*args, **kwargs)


def waited(name: str, since: float) -> None:
    """A span of a wait that ends now, and began at that moment of the performance counter."""
    if _made_by:
        _made_by.waited(name, since)


def tell(name: str | None = None, **attributes: str | int) -> None:
    """Say more of the current span."""
    if _made_by:
        _made_by.tell(name, attributes)


def traceparent() -> str | None:
    """The current span, for a row that another process reads (W3C Trace Context); None where there is none."""
    return _made_by.traceparent() if _made_by else None


def place() -> Any:
    """Where spans are made now, for a thread that works for this one; None while traces are off."""
    return _made_by.place() if _made_by else None


def at(there: Any) -> AbstractContextManager[None]:
    """Let the block make its spans there."""
    return _made_by.at(there) if _made_by and there is not None else NOTHING


def spans(name: str, places: Sequence[Any]) -> AbstractContextManager[None]:
    """A span of what the block does for several, in each of their places."""
    return _made_by.spans(name, [each for each in places if each is not None]) if _made_by else NOTHING
