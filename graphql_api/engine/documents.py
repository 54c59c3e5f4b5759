"""Documents made ready to run: parsed, measured, validated, compiled, and kept in a bounded cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cachetools import LRUCache
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    ValuesOfCorrectTypeRule,
    parse,
    specified_rules,
    validate,
)

from graphql_api.engine.coercion import LiteralsOfCorrectType
from graphql_api.engine.compiled_operation import CompiledOperation, compile_operation
from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.errors import (
    ErrorCode,
    PublicError,
    limit_exceeded,
    public_error,
    syntax_error,
    validation_error,
)
from graphql_api.engine.limits import Exceeded, Limits, Size, measure
from graphql_api.engine.overlaps import BoundedOverlaps

OTHER = "other"

MOST_VALIDATION_ERRORS = 20
CACHED_DOCUMENTS = 256
CACHED_CHARACTERS = 64 * 1024
"""In all. A syntax tree takes 100 to 270 times the memory of its text, so the cache stays below 18 MiB."""
NEW_CHARACTERS = CACHED_CHARACTERS // 4
"""Of documents that were not used again: a flood of those displaces none that was."""
LONGEST_CACHED_DOCUMENT = 8 * 1024

_REPLACED: Mapping[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: LiteralsOfCorrectType,
    OverlappingFieldsCanBeMergedRule: BoundedOverlaps,
}
RULES = tuple(_REPLACED.get(rule, rule) for rule in specified_rules)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document. `hashes` says whether a field of it hashes a password.

    `compiled` is None for documents that are not kept, and for operations that graphql-core has to execute. `field` is
    what logs and metrics call the operation: its field of the schema, OTHER where it has several or none.
    """

    document: DocumentNode
    node: OperationDefinitionNode
    hashes: bool
    compiled: CompiledOperation | None = None
    field: str = OTHER

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def is_mutation(self) -> bool:
        return self.node.operation is OperationType.MUTATION

    @property
    def is_subscription(self) -> bool:
        return self.node.operation is OperationType.SUBSCRIPTION


Operations: TypeAlias = tuple[Operation, ...]
Prepared: TypeAlias = Operations | list[PublicError]
"""The operations of a valid document, or the errors of one that is not."""


def choose(operations: Operations, name: str | None) -> Operation | PublicError:
    """The operation that a request means, or why that is not clear."""
    if name is None:
        if len(operations) == 1:
            return operations[0]
        return public_error(
            ErrorCode.OPERATION_NAME_REQUIRED,
            "The document must hold one operation, or name one of several in operationName.",
        )
    named = next((operation for operation in operations if operation.name == name), None)
    return named or public_error(ErrorCode.OPERATION_NOT_FOUND, "The document has no operation of that name.")


class Documents:
    """Reads documents for one schema, and keeps those that may be kept.

    `prepare` may run on any thread; all else belongs to one event loop or thread. Without `compiled_operations`
    graphql-core executes every operation.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        costs: FieldCosts,
        introspection: bool,
        suggestions: bool,
        limits: Limits | None = None,
        compiled_operations: bool = True,
    ) -> None:
        self._schema = schema
        self._compiled_operations = compiled_operations
        self._costs = costs
        self._introspection = introspection
        self._suggestions = suggestions
        self._limits = limits or Limits()
        self._new: LRUCache[str, Operations] = LRUCache(NEW_CHARACTERS, _size)
        self._used_again: LRUCache[str, Operations] = LRUCache(CACHED_CHARACTERS - NEW_CHARACTERS, _size)
        self._ours: dict[str, Prepared] = {}

    def kept(self, text: str) -> Operations | None:
        """What was kept of a document; None for one that has to be prepared."""
        if text in self._new:
            self._used_again[text] = self._new.pop(text)
        return self._used_again.get(text)

    def keep(self, text: str, prepared: Prepared) -> None:
        """Keep what `prepare` returned, if it may be kept."""
        if isinstance(prepared, tuple) and _may_be_kept(text):
            self._new[text] = prepared

    def ours(self, text: str) -> Prepared:
        """A constant document of ours: prepared at its first use, at once, and kept for good."""
        if text not in self._ours:
            self._ours[text] = self.prepare(text)
        return self._ours[text]

    def prepare(self, text: str) -> Prepared:
        """The operations of a valid document, or the errors of one that is not; takes milliseconds."""
        if len(text) > self._limits.characters:
            return [limit_exceeded(Exceeded("characters", self._limits.characters))]
        most = self._limits.tokens
        try:
            document = parse(text, max_lexical_tokens=most, max_comments=most)
        except GraphQLSyntaxError as error:
            return [syntax_error(error)]
        sizes = measure(document, self._limits, self._costs)
        if isinstance(sizes, Exceeded):
            return [limit_exceeded(sizes)]
        if not self._introspection and any(size.introspection_fields for _, size in sizes):
            return [public_error(ErrorCode.INTROSPECTION_DISABLED, "Introspection is switched off here.")]
        errors = validate(self._schema, document, RULES, MOST_VALIDATION_ERRORS, hide_suggestions=not self._suggestions)
        if errors:
            return [validation_error(error) for error in errors]
        compiles = self._compiled_operations and _may_be_kept(text)
        return tuple(self._operation(document, node, size, compiles=compiles) for node, size in sizes)

    def _operation(
        self, document: DocumentNode, node: OperationDefinitionNode, size: Size, *, compiles: bool
    ) -> Operation:
        compiled = compile_operation(self._schema, document, node) if compiles else None
        return Operation(document, node, size.hashing_fields > 0, compiled, _only_field(node))


def _only_field(operation: OperationDefinitionNode) -> str:
    selections = operation.selection_set.selections
    names = {each.name.value if isinstance(each, FieldNode) else OTHER for each in selections} - {"__typename"}
    return names.pop() if len(names) == 1 else OTHER


def _may_be_kept(text: str) -> bool:
    """A string literal may be a password, so its document must not outlive the request. Clients send variables."""
    return len(text) <= LONGEST_CACHED_DOCUMENT and '"' not in text


def _size(operations: Operations) -> int:
    """The length of the document. A short one counts for so much that at most CACHED_DOCUMENTS fit in the cache."""
    location = operations[0].document.loc
    assert location, "graphql-core notes locations unless it is told not to"
    return max(len(location.source.body), CACHED_CHARACTERS // CACHED_DOCUMENTS)
