"""What the metrics add to a sign-up: CPU milliseconds of the calls that one makes, counted for several workers.

`python -m benchmarks.metrics` prints the result.
"""

import os
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

from registration import metrics

ROUNDS, REPEATS = 2000, 5
TRANSACTIONS = 6
"""One of the sign-up, and those of a relay; it shares them among the mails of a batch."""


def measure() -> float:
    """Measure in a process of its own, which counts into a directory as a worker does: that is the dearer way."""
    command = [sys.executable, "-m", "benchmarks.metrics"]
    with TemporaryDirectory() as directory:
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": directory}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def of_a_sign_up() -> None:
    """A hash that waits for a turn and for a slot, a transaction of its own, the request, and the mail, sent alone."""
    for queue, wait in (
        (metrics.QUEUE_FOR_TURN, metrics.WAIT_FOR_TURN),
        (metrics.QUEUE_FOR_SLOT, metrics.WAIT_FOR_SLOT),
    ):
        queue.inc()
        queue.dec()
        wait.observe(0.01)
    with metrics.HASH_SLOTS_BUSY.track_inprogress():
        pass
    for _ in range(TRANSACTIONS):
        with metrics.DATABASE_CONNECTIONS_BUSY.track_inprogress():
            pass
    metrics.REQUEST_SECONDS.labels("createCustomer").observe(0.01)
    metrics.OPERATIONS.labels("createCustomer", "CreateCustomerSuccess").inc()
    metrics.MAILS.labels("sent").inc()


def milliseconds() -> float:
    """The best of some repeats: other processes can only add."""
    of_a_sign_up()
    return min(_once() for _ in range(REPEATS))


def _once() -> float:
    started = time.process_time()
    for _ in range(ROUNDS):
        of_a_sign_up()
    return (time.process_time() - started) * 1000 / ROUNDS


if __name__ == "__main__":
    print(milliseconds())
