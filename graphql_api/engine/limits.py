"""Limits on a document, measured in one memoised pass before validation; it never looks at the schema or at a value."""

from collections.abc import Collection
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

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document may ask for; fragments count as often as they are spread.

    They leave room for the introspection query of GraphiQL, the largest document that is ours.
    """

    tokens: int = 1500
    operations: int = 10
    depth: int = 25
    fields: int = 300
    root_fields: int = 20
    aliases: int = 30
    directives: int = 50
    hashing_fields: int = 1


class Weight(NamedTuple):
    """What a selection set asks for. `depth` counts nested selection sets, those of fragments too."""

    depth: int = 0
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    hashing_fields: int = 0
    introspection_fields: int = 0


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A document asks for more than `maximum` of what `limit` names."""

    limit: str
    maximum: int


def weigh(
    document: DocumentNode, limits: Limits, hashing_fields: Collection[str]
) -> list[tuple[OperationDefinitionNode, Weight]] | Exceeded:
    """Weigh every operation, and also fragments that none of them spreads, because validation walks those too."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) > limits.operations:
        return Exceeded("operations", limits.operations)
    scales = _Scales(document, limits.depth, hashing_fields)
    weights = [(operation, scales.operation(operation)) for operation in operations]
    for weight in [*(weight for _, weight in weights), *scales.fragments()]:
        if exceeded := _exceeded(weight, limits):
            return exceeded
    return weights


def _exceeded(weight: Weight, limits: Limits) -> Exceeded | None:
    for limit in ("depth", "fields", "root_fields", "aliases", "directives", "hashing_fields"):
        maximum: int = getattr(limits, limit)
        if getattr(weight, limit) > maximum:
            return Exceeded(limit, maximum)
    return None


class _Scales:
    """Weighs each fragment once, however often it is spread: a chain that doubles with each link stays linear."""

    def __init__(self, document: DocumentNode, max_depth: int, hashing_fields: Collection[str]) -> None:
        self._definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._weights: dict[str, Weight] = {}
        self._max_depth = max_depth
        self._hashing_fields = hashing_fields

    def operation(self, node: OperationDefinitionNode) -> Weight:
        variables = [_directives(variable) for variable in node.variable_definitions or ()]
        return _together([_directives(node), *variables, self._selection_set(node.selection_set, 0)])

    def fragments(self) -> list[Weight]:
        return [self._fragment(name, 0) for name in self._definitions]

    def _fragment(self, name: str, level: int) -> Weight:
        if name not in self._weights:
            # What a fragment in a cycle adds to itself counts nothing: validation refuses it without following it.
            self._weights[name] = Weight()
            definition = self._definitions.get(name)
            if definition is not None:
                selections = self._selection_set(definition.selection_set, level)
                self._weights[name] = _together([_directives(definition), selections])
        return self._weights[name]

    def _selection_set(self, node: SelectionSetNode | None, level: int) -> Weight:
        if node is None:
            return Weight()
        # Stopping bounds our own recursion; the levels above are by then too many already.
        selections = node.selections if level <= self._max_depth else ()
        inner = _together([self._selection(selection, level + 1) for selection in selections])
        return inner._replace(depth=inner.depth + 1)

    def _selection(self, node: SelectionNode, level: int) -> Weight:
        match node:
            case FieldNode():
                below = self._selection_set(node.selection_set, level)._replace(root_fields=0)
                return _together([self._field(node), _directives(node), below])
            case FragmentSpreadNode():
                return _together([_directives(node), self._fragment(node.name.value, level)])
            case InlineFragmentNode():  # pragma: no branch (the grammar has no fourth kind of selection)
                return _together([_directives(node), self._selection_set(node.selection_set, level)])
        raise TypeError(node.kind)  # pragma: no cover (the grammar has no fourth kind of selection)

    def _field(self, node: FieldNode) -> Weight:
        return Weight(
            fields=1,
            root_fields=1,
            aliases=int(node.alias is not None),
            hashing_fields=int(node.name.value in self._hashing_fields),
            introspection_fields=int(node.name.value in INTROSPECTION_FIELDS),
        )


def _directives(node: object) -> Weight:
    return Weight(directives=len(getattr(node, "directives", None) or ()))


def _together(weights: list[Weight]) -> Weight:
    """Counts add up; depths lie side by side."""
    if not weights:
        return Weight()
    depths, *counts = zip(*weights, strict=True)
    return Weight(max(depths), *map(sum, counts))
