"""What every command does at the terminal: it prints tables or JSON, and ends with one line where it cannot work."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, NoReturn, ParamSpec, TypeVar

import typer

from registration.environment import SettingsError
from registration.keys.key_files import KeyFileError
from registration.readable_json import readable_json
from registration.storage.database import Outage, Unavailable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

PIPE_WIDTH = 300
"""Columns of a table that goes to another program: wide enough for one line a row."""


def stop(reason: str) -> NoReturn:
    """End the process with status 2, as for a usage error."""
    print(f"registration-gateway: {reason}", file=sys.stderr)
    raise typer.Exit(2)


AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for another program")]


def show_json(rows: Sequence[Mapping[str, object]] | Mapping[str, object]) -> None:
    """Print an array of objects or one object; moments in ISO 8601."""
    print(readable_json(rows))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; its first column is not wrapped."""
    from rich.console import Console  # noqa: PLC0415 - a server prints no table, and holds 5 MiB less without
    from rich.table import Column, Table  # noqa: PLC0415

    first, *others = columns
    table = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error, told what is done and how much of how much; none where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<28}"), BarColumn(None), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("")
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def one_line_errors(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorates a command: a mistake in the installation ends it with one line instead of a stack trace.

    A reader of its output that stops early, such as `| head`, ends it without a line.
    """

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _end_quietly()
        except (SettingsError, KeyFileError, Unavailable, OSError) as error:
            stop(_reason(error))

    return run


def _end_quietly() -> NoReturn:
    # Python flushes standard output when it exits, and would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(1) from None


def _reason(error: Exception) -> str:
    match error:
        case Unavailable(outage=Outage.LEDGER):
            return f"GATEWAY_ERASURE_LEDGER: {error}"
        case Unavailable():
            return f"GATEWAY_DATABASE_URL: {error}"
        case OSError() if error.filename is not None and error.strerror is not None:
            return f"{error.filename}: {error.strerror}"
        case _:
            return str(error)
