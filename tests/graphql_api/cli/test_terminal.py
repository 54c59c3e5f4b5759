"""What every command does at the terminal, where no command by itself shows it."""

import errno

import pytest
import typer

from graphql_api.cli.terminal import one_line_errors


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "nowhere"), "nowhere: No such file or directory"),
        (OSError("No username set in the environment"), "No username set in the environment"),
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_an_error_of_the_system_is_told_in_one_line(
    error: OSError, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file of the error where it has one, and is the text of the error where it has none."""

    @one_line_errors
    def fail() -> None:
        raise error

    with pytest.raises(typer.Exit):
        fail()
    assert capsys.readouterr().err == f"registration-gateway: {reason}\n"
