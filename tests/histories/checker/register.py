"""A register: one value that operations write and read, some of them at the same time."""

from dataclasses import dataclass
from math import inf

from tests.histories.checker.operation import Operation

Value = str | bool | None


@dataclass(frozen=True, slots=True)
class Write:
    """A value that was written at one moment from `began` to `until`; one with no end was perhaps never written."""

    value: Value
    began: float
    until: float
    operation: Operation


class Register:
    """Knows every write, and so which values it may hold or must hold while an operation reads it."""

    def __init__(self) -> None:
        self.writes: list[Write] = []

    def write(self, value: Value, operation: Operation, began: float = inf, until: float = inf) -> None:
        """Count an operation that is done or whose outcome is not known; other moments may narrow or widen its own."""
        self.writes.append(Write(value, min(began, operation.began), min(until, operation.until), operation))

    def may_hold(self, value: Value, read: Operation) -> bool:
        """Whether the register can have this value at one moment of the operation."""
        return any(self._until(each) >= read.began for each in self._of(value) if each.began <= read.ended)

    def must_hold(self, value: Value, read: Operation) -> bool:
        """Whether the register has this value from the beginning to the end of the operation."""
        return any(began < read.began and ended > read.ended for began, ended, _ in self.spans(value))

    def spans(self, value: Value) -> list[tuple[float, float, Operation]]:
        """From when to when the register must have this value, and what wrote it."""
        spans = ((each.until, self._may_last_until(each), each.operation) for each in self._of(value))
        return [span for span in spans if span[0] < span[1]]

    def evidence(self, value: Value, read: Operation) -> tuple[Operation, ...]:
        """Why the register cannot have the value while the operation reads it: its last write, and what replaced it."""
        written = [each for each in self._of(value) if each.began <= read.ended]
        if not written:
            return (read,)
        last = max(written, key=self._until)
        return (last.operation, min(self._after(last), key=lambda each: each.until).operation, read)

    def _of(self, value: Value) -> list[Write]:
        return [each for each in self.writes if each.value == value]

    def _after(self, write: Write) -> list[Write]:
        """The writes of other values that surely came after this one."""
        return [each for each in self.writes if each.value != write.value and write.until < each.began]

    def _until(self, write: Write) -> float:
        """When another value had surely replaced this one."""
        return min((each.until for each in self._after(write)), default=inf)

    def _may_last_until(self, write: Write) -> float:
        """The first moment at which another value may have been written after this one."""
        others = (each.began for each in self.writes if each.value != write.value and each.until > write.began)
        return min(others, default=inf)
