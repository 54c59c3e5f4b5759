"""The statements that use cases run."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, event

Result = TypeVar("Result")


def statements_of(work: Callable[[], Result]) -> tuple[Result, list[str]]:
    """The result of the work, and the text of every statement that it ran, in order and without values."""
    statements: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        return work(), statements
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
