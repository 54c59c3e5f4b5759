"""How tests run the command `registration-gateway` in this process, and what they expect of a command that fails."""

from typer.testing import CliRunner, Result

from graphql_api.cli.main import main


def run(*arguments: str, **settings: str) -> Result:
    return CliRunner().invoke(main, arguments, env=settings)


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
