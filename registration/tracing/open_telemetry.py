"""Spans by OpenTelemetry, whose packages the extra `traces` installs; imported where traces are switched on.

A span holds what `traces` is given. The texts of exceptions are left out: they can hold values.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SERVICE = "registration-gateway"
W3C = TraceContextTextMapPropagator()

Value = str | int
KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}


class OpenTelemetry:
    """Makes spans, and hands those that have ended to `processor`; without one, to the OTLP exporter over HTTP.

    The SDK reads the variables OTEL_… itself.
    """

    def __init__(self, processor: SpanProcessor | None = None) -> None:
        os.environ.setdefault("OTEL_SERVICE_NAME", SERVICE)
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SERVICE)

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: str | None = None,
        parent: str | None = None,
        cause: str | None = None,
        **attributes: Value,
    ) -> Iterator[None]:
        """A span of what the block does, below the current one, or below `parent` of another process.

        Without a kind it is a part of another: outside of every span there is none. `parent`, and `cause`, which the
        span links to, are values of a header traceparent (W3C Trace Context).
        """
        if kind is None and not _is_in_span():
            yield
            return
        caused = trace.get_current_span(_read(cause)).get_span_context() if cause else None
        with (
            self._tracer.start_as_current_span(
                name,
                _read(parent) if parent else None,
                KINDS[kind] if kind else SpanKind.INTERNAL,
                attributes,
                [Link(caused)] if caused and caused.is_valid else None,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(span),
        ):
            yield

    @contextmanager
    def spans(self, name: str, places: Sequence[Context]) -> Iterator[None]:
        """A span of the block in each of these contexts; the block runs in the first."""
        with ExitStack() as open_ones:
            for place in reversed(places):
                open_ones.enter_context(self.at(place))
                open_ones.enter_context(self.span(name))
            yield

    @contextmanager
    def at(self, place: Context) -> Iterator[None]:
        token = context.attach(place)
        try:
            yield
        finally:
            context.detach(token)

    def waited(self, name: str, since: float) -> None:
        """A span that ends now, and began at that moment of the performance counter."""
        if _is_in_span():
            now = time.time_ns()
            began = now - int((time.perf_counter() - since) * 1e9)
            self._tracer.start_span(name, start_time=began).end(now)

    def tell(self, name: str | None, attributes: Mapping[str, Value]) -> None:
        """Rename the current span, and add to its attributes."""
        span = trace.get_current_span()
        if name:
            span.update_name(name)
        span.set_attributes(attributes)

    def place(self) -> Context:
        return context.get_current()

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """Export what has ended."""
        self._provider.shutdown()


def _is_in_span() -> bool:
    return trace.get_current_span().get_span_context().is_valid


def _read(traceparent: str) -> Context:
    return W3C.extract({"traceparent": traceparent}, Context())


@contextmanager
def _failing(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR))
        span.set_attribute("error.type", type(error).__name__)
        raise
