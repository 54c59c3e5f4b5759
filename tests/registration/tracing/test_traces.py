"""Traces: spans of what a process does, which are made only while traces are on."""

import time
from threading import Thread

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from registration.tracing import traces
from tests.spans import traced

REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_nothing_is_made_while_traces_are_off() -> None:
    """Off, which is the default, each call does what it is given to do and nothing else."""
    assert not traces.are_on()
    with traces.span("a", kind="server"), traces.spans("b", [None]), traces.at(None):
        traces.tell("c", outcome="d")
        traces.waited("e", 0.0)
        assert traces.traceparent() is traces.place() is None
    assert traces.spanned("f", max, 1, 2) == 2
    assert traces.can_be_on()


def test_spans_lie_in_each_other() -> None:
    """A span lies in the one around it, has a name and attributes that were told, and one of a wait its beginning."""
    with traced() as spans:
        with traces.span("request", kind="server", parent=REMOTE):
            since = time.perf_counter() - 5
            traces.waited("wait", since)
            assert traces.spanned("work", max, 1, 2) == 2
            traces.tell("renamed", status=200)
            traces.tell(outcome="Success")
        assert spans.trees() == ["renamed > wait", "renamed", "renamed > work"]
        request, wait = spans.named("renamed"), spans.named("wait")
    assert (request.attributes, request.kind) == ({"status": 200, "outcome": "Success"}, SpanKind.SERVER)
    assert f"{request.context.trace_id:032x}" == REMOTE.split("-")[1]
    assert request.parent
    assert f"{request.parent.span_id:016x}" == REMOTE.split("-")[2]
    assert wait.start_time
    assert wait.end_time
    assert 4 < (wait.end_time - wait.start_time) / 1e9 < 60


def test_a_part_needs_a_whole() -> None:
    """Outside of a request or a mail nothing is made: a relay that looks for mails leaves no spans."""
    with traced() as spans:
        with traces.span("transaction"), traces.spans("commit", [traces.place()]):
            traces.waited("wait", 0.0)
            traces.tell("renamed")
        assert traces.traceparent() is None
        assert spans.all == ()


def test_what_is_done_for_several_is_in_the_trace_of_each() -> None:
    """One commit for two requests is a span of each; what it does lies in that of the first."""
    with traced() as spans:
        places = []
        for name in ("first", "second"):
            with traces.span(name, kind="server"):
                places.append(traces.place())

        def commit() -> None:
            with traces.spans("commit", places), traces.span("transaction"):
                pass

        thread = Thread(target=commit)
        thread.start()
        thread.join()
        assert sorted(spans.trees()) == [
            "first",
            "first > commit",
            "first > commit > transaction",
            "second",
            "second > commit",
        ]


def test_a_later_span_links_to_its_cause() -> None:
    """A span in another process links to the one whose traceparent it was given; nonsense is no cause."""
    with traced() as spans:
        with traces.span("request", kind="server"):
            cause = traces.traceparent()
        with traces.span("mail", kind="consumer", cause=cause):
            pass
        with traces.span("other", kind="consumer", cause="nonsense"):
            pass
        request, mail, other = (spans.named(name) for name in ("request", "mail", "other"))
    assert [link.context.span_id for link in mail.links] == [request.context.span_id]
    assert mail.context.trace_id != request.context.trace_id
    assert other.links == ()


def test_the_text_of_an_exception_is_in_no_span() -> None:
    """A span that an exception ends has its type; the text, which can hold values, is nowhere."""
    with traced() as spans:
        with pytest.raises(ValueError, match="secret"), traces.span("request", kind="server"):
            raise ValueError("secret")
        request = spans.named("request")
    assert (request.status.status_code, request.attributes) == (StatusCode.ERROR, {"error.type": "ValueError"})
    assert "secret" not in request.to_json()
