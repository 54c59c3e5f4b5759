"""What traces add to a sign-up: CPU microseconds of the calls that one makes, while they are off and while they are on.

`python -m benchmarks.traces` prints both. On, spans are made and thrown away: no exporter.
"""

import time

from opentelemetry.sdk.trace import SpanProcessor

from registration.tracing import traces

ROUNDS, REPEATS = 2000, 5


def of_a_sign_up() -> None:
    """A request, its operation and use case, a wait, a hash, a commit with its transaction, and the mail."""
    with traces.span("HTTP", kind="server"), traces.span("createCustomer"), traces.span("sign_up"):
        traces.are_on()
        with traces.at(traces.place()):
            traces.waited("wait for a slot", time.perf_counter())
            traces.spanned("hash", int)
        traces.traceparent()
        with traces.spans("commit", [traces.place()]), traces.span("transaction"):
            pass
        traces.tell("HTTP /graphql", operation="createCustomer", outcome="CreateCustomerSuccess", status=200)
    with traces.span("mail", kind="consumer", mail_kind="confirmation", attempt=1):
        traces.tell(outcome="Sent")


def microseconds() -> float:
    """The best of some repeats: other processes can only add."""
    of_a_sign_up()
    return min(_once() for _ in range(REPEATS))


def _once() -> float:
    started = time.thread_time()
    for _ in range(ROUNDS):
        of_a_sign_up()
    return (time.thread_time() - started) * 1e6 / ROUNDS


if __name__ == "__main__":
    print(f"off {microseconds():.2f} µs")
    traces.switch_on(SpanProcessor())
    print(f"on {microseconds():.1f} µs")
    traces.switch_off()
