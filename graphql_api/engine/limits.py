"""Limits on a document: its size is measured in one memoised pass before validation, without schema and values."""

from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from graphql_api.engine.costs import FieldCosts

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document may ask for; a fragment counts each time it is spread.

    GraphiQL's introspection query, the largest document that we send ourselves, stays within them.
    """

    characters: int = 16 * 1024
    tokens: int = 1000
    operations: int = 10
    depth: int = 25
    fields: int = 300
    root_fields: int = 20
    aliases: int = 30
    directives: int = 50
    directives_at_one_place: int = 5
    hashing_fields: int = 1
    values: int = 300


class Size(NamedTuple):
    """What a selection set asks for. `depth` counts nested selection sets, those of fragments too.

    `values` are those of the answer: a field below a list counts once for each item. Introspection is not counted.
    """

    depth: int = 0
    directives_at_one_place: int = 0
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    hashing_fields: int = 0
    values: int = 0
    introspection_fields: int = 0


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A document asks for more than `maximum` of what `limit` names."""

    limit: str
    maximum: int


def measure(
    document: DocumentNode, limits: Limits, costs: FieldCosts
) -> list[tuple[OperationDefinitionNode, Size]] | Exceeded:
    """The size of every operation, or the first limit exceeded.

    Fragments that no operation spreads are measured against the limits, too, because validation walks them.
    """
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) > limits.operations:
        return Exceeded("operations", limits.operations)
    meter = _SizeMeter(document, limits.depth, costs)
    sizes = [(operation, meter.operation(operation)) for operation in operations]
    for size in [*(size for _, size in sizes), *meter.fragments()]:
        if exceeded := _exceeded(size, limits):
            return exceeded
    return sizes


def _exceeded(size: Size, limits: Limits) -> Exceeded | None:
    for limit in (
        "depth",
        "fields",
        "root_fields",
        "aliases",
        "directives",
        "directives_at_one_place",
        "hashing_fields",
        "values",
    ):
        maximum: int = getattr(limits, limit)
        if getattr(size, limit) > maximum:
            return Exceeded(limit, maximum)
    return None


class _SizeMeter:
    """Measures each fragment once, so that a chain of fragments that doubles with each link takes linear time."""

    def __init__(self, document: DocumentNode, max_depth: int, costs: FieldCosts) -> None:
        self._definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._sizes: dict[str, Size] = {}
        self._max_depth = max_depth
        self._costs = costs

    def operation(self, node: OperationDefinitionNode) -> Size:
        variables = [_directives(variable) for variable in node.variable_definitions or ()]
        return _sum([_directives(node), *variables, self._selection_set(node.selection_set, 0)])

    def fragments(self) -> list[Size]:
        """The fields of a fragment are root fields, and make values, only where an operation spreads it."""
        return [self._fragment(name, 0)._replace(root_fields=0, values=0) for name in self._definitions]

    def _fragment(self, name: str, level: int) -> Size:
        if name not in self._sizes:
            # A fragment in a cycle adds nothing to itself: validation refuses cycles without following them.
            self._sizes[name] = Size()
            definition = self._definitions.get(name)
            if definition is not None:
                selections = self._selection_set(definition.selection_set, level)
                self._sizes[name] = _sum([_directives(definition), selections])
        return self._sizes[name]

    def _selection_set(self, node: SelectionSetNode | None, level: int) -> Size:
        if node is None:
            return Size()
        # Stopping here bounds our own recursion: the depth limit is already exceeded.
        selections = node.selections if level <= self._max_depth else ()
        inner = _sum([self._selection(selection, level + 1) for selection in selections])
        return inner._replace(depth=inner.depth + 1)

    def _selection(self, node: SelectionNode, level: int) -> Size:
        match node:
            case FieldNode():
                below = self._selection_set(node.selection_set, level)._replace(root_fields=0)
                return _sum([self._field(node, below.values), _directives(node), below._replace(values=0)])
            case FragmentSpreadNode():
                return _sum([_directives(node), self._fragment(node.name.value, level)])
            case InlineFragmentNode():  # pragma: no branch (the grammar has no fourth kind of selection)
                return _sum([_directives(node), self._selection_set(node.selection_set, level)])
        raise TypeError(node.kind)  # pragma: no cover (the grammar has no fourth kind of selection)

    def _field(self, node: FieldNode, values_below: int) -> Size:
        name = node.name.value
        introspects = name in INTROSPECTION_FIELDS
        return Size(
            fields=1,
            root_fields=1,
            aliases=int(node.alias is not None),
            hashing_fields=int(name in self._costs.hashing),
            values=0 if introspects else self._costs.items.get(name, 1) * (1 + values_below),
            introspection_fields=int(introspects),
        )


def _directives(node: object) -> Size:
    count = len(getattr(node, "directives", None) or ())
    return Size(directives=count, directives_at_one_place=count)


def _sum(sizes: list[Size]) -> Size:
    """The size of selections side by side: counts add up, of depths and of places the greatest counts."""
    if not sizes:
        return Size()
    depths, places, *counts = zip(*sizes, strict=True)
    return Size(max(depths), max(places), *map(sum, counts))
