"""An outage of what the REST door itself asks, besides the operations that it runs."""

import pytest
from structlog.testing import capture_logs

from graphql_api.settings import GatewaySettings
from harness.ports import free_port
from registration.limits.lockout import LockoutTerms
from registration.limits.redis_lockout import RedisLockout
from registration.notes import with_notes
from registration.storage.database import open_database
from tests.in_process import installation
from tests.two_doors.visitor import Visitor


@pytest.mark.parametrize(
    ("attributes", "token"),
    [({"username": "ada@example.org"}, None), ({"username": "ada@example.org", "password": "change123"}, "bad")],
    ids=["422 otherwise", "401 otherwise"],
)
def test_a_lock_out_that_cannot_be_read_is_told_as_every_outage(
    sqlite_url: str, attributes: dict[str, object], token: str | None
) -> None:
    """A sign-in that a later check refuses is first asked for a lock-out: without an answer it is the document 9503."""
    lockout = RedisLockout(f"redis://127.0.0.1:{free_port()}/0", LockoutTerms())
    with (
        installation(open_database(sqlite_url), GatewaySettings(), lockout=lockout) as running,
        capture_logs([with_notes]) as lines,
    ):
        answer = Visitor(running.client, token=token).glue("POST", "/access-tokens", attributes)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    [error] = answer.json()["errors"]
    assert (error["status"], error["code"]) == (503, "9503")
    assert answer.headers["x-correlation-id"] in error["detail"]
    [line] = [line for line in lines if line["event"] == "database unavailable"]
    assert (line["log_level"], line["correlation_id"]) == ("error", answer.headers["x-correlation-id"])
