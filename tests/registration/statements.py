"""What use cases say to the database; nothing here changes it."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, event

Result = TypeVar("Result")


def statements_of(work: Callable[[], Result]) -> tuple[Result, list[str]]:
    """The result of the work, and the text of every statement that it ran, in order and without values."""
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        return work(), said
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
