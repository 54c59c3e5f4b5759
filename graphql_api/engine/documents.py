"""Documents made ready to run: parsed, measured, validated, compiled, and kept in a bounded cache."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    ValuesOfCorrectTypeRule,
    parse,
    specified_rules,
    validate,
)

from graphql_api.engine.coercion import LiteralsOfCorrectType
from graphql_api.engine.compiled_operation import CompiledOperation, compile_operation
from graphql_api.engine.errors import (
    ErrorCode,
    PublicError,
    limit_exceeded,
    public_error,
    syntax_error,
    validation_error,
)
from graphql_api.engine.limits import Exceeded, Limits, measure

MOST_VALIDATION_ERRORS = 20
CACHED_DOCUMENTS = 256
CACHED_CHARACTERS = 64 * 1024
"""In all. A syntax tree takes 100 to 270 times the memory of its text, so the cache stays below 18 MiB."""
LONGEST_CACHED_DOCUMENT = 8 * 1024

RULES = tuple(LiteralsOfCorrectType if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document. `hashes` says whether a field of it hashes a password.

    `compiled` is None for documents that are not kept, and for operations that graphql-core has to execute.
    """

    document: DocumentNode
    node: OperationDefinitionNode
    hashes: bool
    compiled: CompiledOperation | None = None

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def is_mutation(self) -> bool:
        return self.node.operation is OperationType.MUTATION


Operations: TypeAlias = tuple[Operation, ...]


class Documents:
    """Reads documents for one schema. Belongs to one event loop or thread.

    Without `compiled_operations` graphql-core executes every operation.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        hashing_fields: Collection[str],
        introspection: bool,
        suggestions: bool,
        limits: Limits | None = None,
        compiled_operations: bool = True,
    ) -> None:
        self._schema = schema
        self._compiled_operations = compiled_operations
        self._hashing_fields = hashing_fields
        self._introspection = introspection
        self._suggestions = suggestions
        self._limits = limits or Limits()
        self._cache: LRUCache[str, Operations] = LRUCache(CACHED_CHARACTERS, _size)

    def operations(self, text: str) -> Operations | list[PublicError]:
        """The operations of a valid document, or the errors of one that is not."""
        operations = self._cache.get(text)
        if operations is not None:
            return operations
        prepared = self._prepare(text)
        if isinstance(prepared, tuple) and _may_be_kept(text):
            if self._compiled_operations:
                prepared = tuple(map(self._compiled, prepared))
            self._cache[text] = prepared
        return prepared

    def _compiled(self, operation: Operation) -> Operation:
        return replace(operation, compiled=compile_operation(self._schema, operation.document, operation.node))

    def _prepare(self, text: str) -> Operations | list[PublicError]:
        most = self._limits.tokens
        try:
            document = parse(text, max_lexical_tokens=most, max_comments=most)
        except GraphQLSyntaxError as error:
            return [syntax_error(error)]
        costs = measure(document, self._limits, self._hashing_fields)
        if isinstance(costs, Exceeded):
            return [limit_exceeded(costs)]
        if not self._introspection and any(cost.introspection_fields for _, cost in costs):
            return [public_error(ErrorCode.INTROSPECTION_DISABLED, "Introspection is switched off here.")]
        errors = validate(self._schema, document, RULES, MOST_VALIDATION_ERRORS, hide_suggestions=not self._suggestions)
        if errors:
            return [validation_error(error) for error in errors]
        return tuple(Operation(document, node, cost.hashing_fields > 0) for node, cost in costs)


def _may_be_kept(text: str) -> bool:
    """A string literal may be a password, so its document must not outlive the request. Clients send variables."""
    return len(text) <= LONGEST_CACHED_DOCUMENT and '"' not in text


def _size(operations: Operations) -> int:
    """The length of the document. A short one counts for so much that at most CACHED_DOCUMENTS fit in the cache."""
    location = operations[0].document.loc
    assert location, "graphql-core notes locations unless it is told not to"
    return max(len(location.source.body), CACHED_CHARACTERS // CACHED_DOCUMENTS)
