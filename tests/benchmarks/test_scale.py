"""What many nodes can do, reckoned from costs; and the costs, measured for a moment with a real gateway and relay."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import Costs, Site, capacities, measure, needs, report
from tests.benchmarks.wrk import needs_wrk

COSTS = Costs(
    hash_ms=9.0,
    server_ms=10.0,
    database_ms=1.5,
    wal=6000.0,
    commits=0.25,
    mail_ms=2.0,
    mail_database_ms=0.5,
    mail_wal=2000.0,
    mail_commits=0.1,
    mails=300.0,
)
SITE = Site(nodes=10, node_cores=4, database_cores=16, wal_mb=200.0)


def test_each_part_has_a_capacity() -> None:
    """Gateways and relays do more with more nodes, the database does not."""
    assert capacities(COSTS, SITE) == {
        "gateways": 4000.0,
        "relays": 3000.0,
        "database, CPU": 8000.0,
        "database, WAL": 25_000.0,
    }
    assert capacities(COSTS, replace(SITE, nodes=100))["database, CPU"] == 8000.0


def test_a_rate_needs_so_much() -> None:
    """Each part is busy for 0.7 of its time: 70 sign-ups a second need as much as 100 would use up."""
    assert needs(COSTS, 70.0) == pytest.approx(
        {
            "cores of gateways": 1.0,
            "relays": 1 / 3,
            "cores of relays": 0.2,
            "cores of the database": 0.2,
            "MB of WAL a second": 0.8,
            "commits a second": 35.0,
        }
    )


def test_the_report_names_what_is_used_up_first() -> None:
    """One row for each number of nodes says which part ends the growth, and the sign-ups of an hour."""
    sites = [replace(SITE, nodes=nodes) for nodes in (1, 10, 100)]
    rows = [line.split("|")[1:-1] for line in report(COSTS, sites, "a machine") if line.startswith("| 1")]
    found = [[cell.strip() for cell in (row[0], *row[-3:])] for row in rows]
    assert found == [
        ["1", "relays", "1,080,000", "80"],
        ["10", "relays", "10,800,000", "800"],
        ["100", "database, CPU", "28,800,000", "8000"],
    ]


@needs_wrk
@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_the_costs_are_measured(tmp_path: Path) -> None:
    """A sign-up and a mail cost something of each part, and a commit is shared by several sign-ups or mails."""
    costs = measure(tmp_path, 2.0)
    assert costs.server_ms > costs.hash_ms / 2
    assert min(costs.database_ms, costs.wal, costs.mail_ms, costs.mail_database_ms, costs.mail_wal, costs.mails) > 0
    assert costs.commits > 0
