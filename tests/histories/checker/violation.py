"""A violation: what a history shows that the gateway promises not to do."""

from dataclasses import dataclass

from tests.histories.checker.operation import Operation


@dataclass(frozen=True, slots=True)
class Violation:
    """`operations` are the smallest part of the history that shows it."""

    rule: str
    what: str
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        in_order = sorted(self.operations, key=lambda operation: operation.began)
        return "\n    ".join([f"{self.rule}: {self.what}", *map(str, in_order)])
