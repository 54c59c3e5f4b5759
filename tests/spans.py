"""Spans that this process makes, for tests to look at."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from registration.tracing import traces


class Spans:
    """What has ended while traces are on."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        [found] = [each for each in self.all if each.name == name]
        return found

    def trees(self) -> list[str]:
        """A line for each span, as `HTTP /graphql > createCustomer`, in the order of their beginnings."""
        known = {each.context.span_id: each for each in self.all}

        def path(span: ReadableSpan) -> str:
            parent = known.get(span.parent.span_id) if span.parent else None
            return f"{path(parent)} > {span.name}" if parent else span.name

        return [path(each) for each in sorted(self.all, key=lambda each: each.start_time or 0)]


@contextmanager
def traced() -> Iterator[Spans]:
    """Traces are on in the block."""
    exporter = InMemorySpanExporter()
    traces.switch_on(SimpleSpanProcessor(exporter))
    try:
        yield Spans(exporter)
    finally:
        traces.switch_off()
