"""Logs, in processes of their own, because logging is configured for a whole process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "correct-horse"
CORRELATION_ID = "0123456789abcdef"
PROGRAM = """
import asyncio, logging, structlog
from graphql_api.http.log_setup import configure_logs
from registration.notes import begin_notes

configure_logs(development={development})
log = structlog.get_logger("ours")
begin_notes().update(correlation_id="{correlation_id}")

def sign_up(password):
    raise ValueError("refused " + password)

try:
    sign_up("{secret}")
except ValueError as fault:
    log.error("by value", exc_info=fault)
    log.exception("by context")
    logging.getLogger("theirs").exception("failed")
    try:
        raise RuntimeError("{secret}") from fault
    except RuntimeError:
        logging.getLogger("theirs").exception("failed again")
log.info("request", status=200, reason="550 no\\n{{\\"event\\": \\"forged\\"}}\\r\\x1b[31m")
log.debug("quiet")
log.error("no fault", exc_info=None)
logging.getLogger("theirs").error("nothing raised", exc_info=True)
logging.getLogger("theirs").warning("careful")
logging.getLogger("theirs").info("chatter")
"""


def program_in(development: bool) -> str:
    return PROGRAM.format(development=development, secret=SECRET, correlation_id=CORRELATION_ID)


def run(development: bool) -> str:
    done = subprocess.run([sys.executable, "-c", program_in(development)], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("development", [False, True])
def test_the_text_of_an_exception_does_not_appear(development: bool) -> None:
    """Of an exception only type and frames are logged, by our loggers and by those of libraries."""
    log = run(development)
    assert SECRET not in log
    assert "refused" not in log
    assert log.count("ValueError") == 3
    assert log.count("RuntimeError") == 1
    assert log.count("in sign_up") == 3


def test_production_writes_one_json_object_a_line() -> None:
    """In production each event is a JSON object in one line, with level and time in UTC."""
    lines = run(development=False).splitlines()
    ours = [each for each in map(json.loads, lines) if "logger" not in each]
    assert [(entry["level"], entry["event"]) for entry in ours] == [
        ("error", "by value"),
        ("error", "by context"),
        ("info", "request"),
        ("error", "no fault"),
    ]
    assert all(entry["timestamp"].endswith("Z") for entry in ours)
    assert "fault" not in ours[-1]
    theirs = [json.loads(line) for line in lines if '"logger": "theirs"' in line]
    assert [(entry["level"], entry["event"], entry.get("fault")) for entry in theirs] == [
        ("error", "failed", "ValueError"),
        ("error", "failed again", "RuntimeError"),
        ("error", "nothing raised", None),
        ("warning", "careful", None),
    ]
    assert "chatter" not in "".join(lines)


@pytest.mark.parametrize("development", [False, True])
def test_a_line_feed_in_a_value_ends_no_line(development: bool) -> None:
    """A value with line ends and control characters, as of a mail server's answer, stays inside its line."""
    lines = run(development).splitlines()
    (line,) = [line for line in lines if "forged" in line]
    assert "550 no" in line
    assert "\x1b[31m" not in line


def test_every_line_of_a_request_names_its_correlation_id() -> None:
    """Each line has the correlation id that is bound to the context."""
    lines = run(development=False).splitlines()
    ours = [each for each in map(json.loads, lines) if "logger" not in each]
    assert [entry["correlation_id"] for entry in ours] == [CORRELATION_ID] * 4


def test_development_writes_lines_to_read() -> None:
    """In development the lines are readable, and without colours when they go to a file."""
    log = run(development=True)
    assert "request" in log
    assert "\x1b[" not in log


@pytest.mark.parametrize("development", [False, True])
def test_a_log_that_cannot_be_written_ends_nothing(development: bool) -> None:
    """A program whose log goes to a full disk does the rest of its work."""
    program = program_in(development) + "print('the rest')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert done.stdout == "the rest\n"
