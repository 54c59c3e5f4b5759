"""How tests run the command `registration-gateway` in this process, and what they expect of a command that fails."""

import logging
from collections.abc import Mapping, Sequence

import structlog
from typer.testing import CliRunner, Result

from graphql_api.cli.main import main


def run(*arguments: str, **settings: str) -> Result:
    return invoke(arguments, settings)


def invoke(arguments: Sequence[str], settings: Mapping[str, str], given: str | None = None) -> Result:
    """The command in this process. What it does to the logs ends with it: its standard error is closed then."""
    logs, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return CliRunner().invoke(main, arguments, input=given, env=settings)
    finally:
        structlog.configure(**logs)
        root.handlers[:] = handlers
        root.setLevel(level)


def complaint(result: Result) -> str:
    """The reason that a failed command prints, in one line after its name; the status is that of a usage error.

    Events of the log may come before.
    """
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if "warning:" not in line and line[0] != "{"]
    name, _, reason = line.partition(": ")
    assert name == "registration-gateway"
    assert "Traceback" not in result.output
    return reason
