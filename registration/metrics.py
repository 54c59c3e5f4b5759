"""Every metric: names, labels and how each is counted; docs/metrics.md says what to look for.

With PROMETHEUS_MULTIPROC_DIR in the environment when this is imported, several processes count together. The values of
all labels are bounded: what a client names itself (an operation, a path, an address) is no label.
"""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REGISTRY = CollectorRegistry()
"""What this process counts. Its own, so that a library that counts adds nothing."""

OPERATIONS = Counter(
    "gateway_operations",
    "Requests by operation (field of the schema, or route) and outcome (type of the answer, code or state).",
    ("operation", "outcome"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "gateway_request_seconds",
    "From the head of a request to the end of its answer.",
    ("operation",),
    buckets=SECONDS,
    registry=REGISTRY,
)
HASH_QUEUE = Gauge(
    "gateway_hash_queue_length",
    "What waits to hash: for a turn of the admission, then for a slot.",
    ("place",),
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
HASH_WAIT_SECONDS = Histogram(
    "gateway_hash_wait_seconds",
    "How long a hash waited: for a turn of the admission, then for a slot.",
    ("place",),
    buckets=SECONDS,
    registry=REGISTRY,
)
HASH_SLOTS = Gauge("gateway_hash_slots", "Hashes that may run at once.", multiprocess_mode="livesum", registry=REGISTRY)
HASH_SLOTS_BUSY = Gauge("gateway_hash_slots_busy", "Slots that work.", multiprocess_mode="livesum", registry=REGISTRY)
DATABASE_CONNECTIONS = Gauge(
    "gateway_database_connections",
    "Transactions that may run at once.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
DATABASE_CONNECTIONS_BUSY = Gauge(
    "gateway_database_connections_busy", "Transactions that run.", multiprocess_mode="livesum", registry=REGISTRY
)
MAILS = Counter(
    "gateway_mails",
    "Attempts of the relay by outcome: sent, dropped (not needed), parked (given up), waits (tried again).",
    ("outcome",),
    registry=REGISTRY,
)

QUEUE_FOR_TURN, QUEUE_FOR_SLOT = HASH_QUEUE.labels("turn"), HASH_QUEUE.labels("slot")
WAIT_FOR_TURN, WAIT_FOR_SLOT = HASH_WAIT_SECONDS.labels("turn"), HASH_WAIT_SECONDS.labels("slot")


class Backlog(NamedTuple):
    """What the database holds for others to fetch; `oldest_seconds` is the age of the mail that has waited longest."""

    mails: int
    oldest_seconds: float
    events: int


def looked_up(backlog: Backlog | None, version: str, hash_build: str) -> Iterator[GaugeMetricFamily]:
    """The metrics that are looked up when they are asked for; without a backlog the database did not answer."""
    build = GaugeMetricFamily("gateway_build_info", "The version and its build of Argon2.", labels=("version", "hash"))
    build.add_metric((version, hash_build), 1)
    yield build
    yield GaugeMetricFamily("gateway_database_up", "Whether the database answered.", int(backlog is not None))
    if backlog:
        yield GaugeMetricFamily("gateway_outbox_mails", "Mails that wait, at most 100,000.", backlog.mails)
        oldest = "Age of the mail that has waited longest; 0 without one."
        yield GaugeMetricFamily("gateway_outbox_oldest_seconds", oldest, backlog.oldest_seconds)
        yield GaugeMetricFamily("gateway_events_waiting", "Events that are kept, at most 100,000.", backlog.events)
