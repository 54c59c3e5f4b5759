"""One GraphQL operation from text to answer: read, coerce, admit, execute; it knows no HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, TypeAlias, TypeGuard, assert_never, cast

from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfo, GraphQLSchema
from graphql.execution import Executor as Execution
from strawberry.execution import optimized_is_awaitable

from graphql_api.engine.coercion import InputCode, InputViolation, variable_violations
from graphql_api.engine.compiled_operation import CompiledOperation, RootField
from graphql_api.engine.costs import hashing_fields
from graphql_api.engine.documents import Documents, Operation, Operations, Prepared
from graphql_api.engine.errors import (
    UNAVAILABLE_RETRY_AFTER,
    ErrorCode,
    PublicError,
    bad_input,
    field_error,
    note,
    overloaded,
    public_error,
)
from graphql_api.engine.outcome import note_operation, noted, outcomes_noted
from graphql_api.engine.preparation import Preparation
from graphql_api.server.admission import Admission, Admitted, Departed, Departure, Overloaded

Context: TypeAlias = object
"""Resolvers get it as it is; the executor does not look into it."""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None


class Kind(Enum):
    EXECUTED = "executed"
    REFUSED = "refused"
    """A request error: nothing ran, and the answer has no data."""
    MUTATION_NOT_ALLOWED = "mutation not allowed"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """`errors` are public. `data` is None for everything but EXECUTED and, in part, UNAVAILABLE."""

    kind: Kind
    data: dict[str, Any] | None = None
    errors: list[PublicError] | None = None
    retry_after: int | None = None
    """Seconds; set for OVERLOADED and UNAVAILABLE."""


Work: TypeAlias = Callable[[], Awaitable[Answer]]

# Several times faster than graphql-core's own for strings, numbers and dicts.
_is_awaitable = cast("Callable[[object], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable)


class Executor:
    """Runs operations against one schema; those that hash a password wait for their turn in `admission`."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        admission: Admission,
        introspection: bool,
        suggestions: bool,
        compiled_operations: bool = True,
    ) -> None:
        self._schema = schema
        self._admission = admission
        self._documents = Documents(
            schema,
            hashing_fields=hashing_fields(schema),
            introspection=introspection,
            suggestions=suggestions,
            compiled_operations=compiled_operations,
        )
        self._preparation = Preparation(self._documents)

    async def execute(
        self,
        request: OperationRequest,
        context: Context,
        *,
        mutation_allowed: bool,
        departure: Departure | None = None,
    ) -> Answer:
        """Never raises for anything that a client sends. `departure` completes when the caller has gone."""
        operations = self._documents.kept(request.query) or await self._preparation.prepared(request.query)
        if isinstance(operations, Overloaded):
            return overloaded_answer(operations.retry_after)
        answer = await self._execute(operations, request, context, mutation_allowed, departure)
        note(answer.errors or ())
        return answer

    async def execute_ours(self, request: OperationRequest, context: Context, departure: Departure) -> Answer:
        """As `execute`, for a constant document of ours: it neither waits behind those of others nor is forgotten."""
        operations = self._documents.ours(request.query)
        answer = await self._execute(operations, request, context, True, departure)
        note(answer.errors or ())
        return answer

    def close(self) -> None:
        self._preparation.close()

    async def _execute(
        self,
        operations: Prepared,
        request: OperationRequest,
        context: Context,
        mutation_allowed: bool,
        departure: Departure | None,
    ) -> Answer:
        if isinstance(operations, list):
            return Answer(Kind.REFUSED, errors=operations)
        operation = _choose(operations, request.operation_name)
        if isinstance(operation, dict):
            return Answer(Kind.REFUSED, errors=[operation])
        note_operation(operation.field)
        if refused := self._refused(operation, mutation_allowed=mutation_allowed):
            return refused
        work = self._compiled_work(operation, request, context) or self._uncompiled_work(operation, request, context)
        if isinstance(work, Answer):
            return work
        return await self._in_turn(work, departure) if operation.hashes else await work()

    def _refused(self, operation: Operation, *, mutation_allowed: bool) -> Answer | None:
        """Refused before its variables are looked at: under a flood that is most of the work there is."""
        if operation.is_mutation and not mutation_allowed:
            return Answer(Kind.MUTATION_NOT_ALLOWED, errors=[_MUTATION_NOT_ALLOWED])
        refusal = self._admission.refusal() if operation.hashes else None
        return overloaded_answer(refusal.retry_after) if refusal else None

    def _compiled_work(self, operation: Operation, request: OperationRequest, context: Context) -> Work | None:
        """The compiled operation, if there is one and the variables fit it; None leaves them to graphql-core."""
        if operation.compiled is None:
            return None
        try:
            variables = operation.compiled.read(request.variables or {})
        except Exception:
            return None
        return partial(self._run_compiled, operation, operation.compiled, variables, request, context)

    async def _run_compiled(
        self,
        operation: Operation,
        compiled: CompiledOperation,
        variables: dict[str, Any],
        request: OperationRequest,
        context: Context,
    ) -> Answer:
        root = compiled.root
        if root is None:
            return Answer(Kind.EXECUTED, dict(compiled.data))
        try:
            value = await noted(root.resolve(variables, context))
        except Exception as error:
            value = error
        else:
            with suppress(Exception):
                return Answer(Kind.EXECUTED, compiled.serialize(root, value))
        return await self._complete(operation, root, request, context, value)

    async def _complete(
        self, operation: Operation, root: RootField, request: OperationRequest, context: Context, value: object
    ) -> Answer:
        """graphql-core completes the value that the root field has already, or what its resolver raised."""

        def resolved(resolve: Callable[..., Any], source: object, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
            return value if info.path == root.info.path else resolve(source, info, **given)

        execution = self._build(operation, request, context, middleware=[resolved])
        assert isinstance(execution, Execution)
        return await _run(execution)

    def _uncompiled_work(self, operation: Operation, request: OperationRequest, context: Context) -> Work | Answer:
        """graphql-core decides whether variables fit; its messages quote them, so we find the reasons ourselves."""
        execution = self._build(operation, request, context, middleware=[outcomes_noted])
        if isinstance(execution, Execution):
            return partial(_run, execution)
        found = variable_violations(self._schema, operation.node, request.variables or {})
        return Answer(Kind.REFUSED, errors=[bad_input(found or [InputViolation(("variables",), InputCode.WRONG_TYPE)])])

    def _build(
        self, operation: Operation, request: OperationRequest, context: Context, **options: Any
    ) -> Execution[Any] | list[GraphQLError]:
        return Execution.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=cast("dict[str, Any]", request.variables or {}),
            operation_name=operation.name,
            is_awaitable=_is_awaitable,
            # Their search fails at a name with a letter whose lower case is longer (İ), and no client sees them here.
            hide_suggestions=True,
            **options,
        )

    async def _in_turn(self, work: Work, departure: Departure | None) -> Answer:
        outcome = await self._admission.run(work, departure)
        match outcome:
            case Admitted(answer):
                return answer
            case Overloaded(seconds) | Departed(seconds):
                return overloaded_answer(seconds)
        assert_never(outcome)


def overloaded_answer(seconds: int) -> Answer:
    """What is answered when there is no room, for so many seconds."""
    return Answer(Kind.OVERLOADED, errors=[overloaded(seconds)], retry_after=seconds)


_MUTATION_NOT_ALLOWED = public_error(ErrorCode.MUTATION_NOT_ALLOWED, "A mutation is not allowed here.")


def _choose(operations: Operations, name: str | None) -> Operation | PublicError:
    if name is None:
        if len(operations) == 1:
            return operations[0]
        return public_error(
            ErrorCode.OPERATION_NAME_REQUIRED,
            "The document must hold one operation, or name one of several in operationName.",
        )
    named = next((operation for operation in operations if operation.name == name), None)
    return named or public_error(ErrorCode.OPERATION_NOT_FOUND, "The document has no operation of that name.")


async def _run(execution: Execution[Any]) -> Answer:
    pending = execution.execute_operation()
    # Nothing is awaited where every resolver was synchronous. @defer and @stream are not in the schema.
    result = cast("ExecutionResult", await pending if _is_awaitable(pending) else pending)
    if not result.errors:
        return Answer(Kind.EXECUTED, result.data)
    errors = [field_error(error) for error in result.errors]
    if any(error["extensions"]["code"] is ErrorCode.UNAVAILABLE for error in errors):
        return Answer(Kind.UNAVAILABLE, result.data, errors, retry_after=UNAVAILABLE_RETRY_AFTER)
    return Answer(Kind.EXECUTED, result.data, errors)
