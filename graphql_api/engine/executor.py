"""One GraphQL operation from text to answer: read, coerce, admit, execute; it knows no HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias, TypeGuard, TypeVar, assert_never, cast

from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfo, GraphQLSchema, subscribe
from graphql.execution import Executor as Execution
from strawberry.execution import optimized_is_awaitable

from graphql_api.engine.coercion import InputCode, InputViolation, variable_violations
from graphql_api.engine.compiled_operation import CompiledOperation, RootField
from graphql_api.engine.costs import field_costs
from graphql_api.engine.documents import Documents, Operation, Prepared, choose
from graphql_api.engine.errors import ErrorCode, bad_input, note_errors, public_error
from graphql_api.engine.limits import Limits
from graphql_api.engine.outcome import (
    Answer,
    Kind,
    OperationRequest,
    answer_of,
    answers_of,
    noted,
    outcomes_noted,
    overloaded_answer,
)
from graphql_api.engine.preparation import Preparation
from graphql_api.server.admission import Admission, Admitted, ClientGone, Disconnected, Overloaded
from registration.notes import note
from registration.tracing import traces

Context: TypeAlias = object
"""Resolvers get it as it is; the executor does not look into it."""

Noted = TypeVar("Noted")

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
        limits: Limits | None = None,
    ) -> None:
        self._schema = schema
        self._admission = admission
        self._documents = Documents(
            schema,
            costs=field_costs(schema),
            introspection=introspection,
            suggestions=suggestions,
            compiled_operations=compiled_operations,
            limits=limits,
        )
        self._preparation = Preparation(self._documents)

    async def prepare(self, request: OperationRequest, *, mutation_allowed: bool) -> Operation | Answer:
        """The operation to pass to `run`, or the answer when nothing is to run; the caller then needs no context.

        Neither `prepare` nor `run` raises for anything that a client sends.
        """
        return _noted(self._allowed(await self._operation(request), mutation_allowed=mutation_allowed))

    async def run(
        self, operation: Operation, request: OperationRequest, context: Context, gone: ClientGone | None = None
    ) -> Answer:
        """The answer to an operation that `prepare` found in this request.

        `gone` completes when the caller has gone.
        """
        work = self._compiled_work(operation, request, context) or self._uncompiled_work(operation, request, context)
        if isinstance(work, Answer):
            return _noted(work)
        with traces.span(operation.field):
            return _noted(await self._in_turn(work, gone) if operation.hashes else await work())

    async def stream(
        self, request: OperationRequest, context: Context, *, mutation_allowed: bool, gone: ClientGone
    ) -> AsyncIterator[Answer]:
        """Any operation: the answers of a subscription as they come, one answer of any other, which has run by then."""
        operation = await self._operation(request)
        if isinstance(operation, Operation) and operation.is_subscription:
            note(operation=f"subscription {operation.field}")
            return answers_of(_noted(await self._subscribed(operation, request, context)))
        allowed = self._allowed(operation, mutation_allowed=mutation_allowed)
        return answers_of(
            _noted(await self.run(allowed, request, context, gone) if isinstance(allowed, Operation) else allowed)
        )

    async def execute_ours(self, request: OperationRequest, context: Context, gone: ClientGone) -> Answer:
        """Prepare and run a constant document of ours: it neither waits behind those of others nor is forgotten."""
        ours = self._allowed(_chosen(self._documents.ours(request.query), request), mutation_allowed=True)
        return await self.run(ours, request, context, gone) if isinstance(ours, Operation) else _noted(ours)

    def close(self) -> None:
        self._preparation.close()

    async def _operation(self, request: OperationRequest) -> Operation | Answer:
        operations = self._documents.kept(request.query) or await self._preparation.prepared(request.query)
        if isinstance(operations, Overloaded):
            return overloaded_answer(operations.retry_after)
        return _chosen(operations, request)

    async def _subscribed(
        self, operation: Operation, request: OperationRequest, context: Context
    ) -> AsyncIterator[ExecutionResult] | Answer:
        given = cast("dict[str, Any]", request.variables or {})
        if found := variable_violations(self._schema, operation.node, given):
            return Answer(Kind.REFUSED, errors=[bad_input(found)])
        events = subscribe(
            self._schema, operation.document, None, context, given, operation.name, hide_suggestions=True
        )
        results = cast(
            "AsyncIterator[ExecutionResult] | ExecutionResult", await events if _is_awaitable(events) else events
        )
        return answer_of(results) if isinstance(results, ExecutionResult) else results

    def _allowed(self, operation: Operation | Answer, *, mutation_allowed: bool) -> Operation | Answer:
        """The operation, or the answer where it is refused, before variables are read: in a flood most are refused."""
        if isinstance(operation, Answer):
            return operation
        note(operation=operation.field)
        if operation.is_mutation and not mutation_allowed:
            return Answer(Kind.MUTATION_NOT_ALLOWED, errors=[_MUTATION_NOT_ALLOWED])
        if operation.is_subscription:
            return Answer(Kind.REFUSED, errors=[_SUBSCRIPTION_NOT_ALLOWED])
        refusal = self._admission.refusal() if operation.hashes else None
        return overloaded_answer(refusal.retry_after) if refusal else operation

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
        """graphql-core's messages about variables quote them, and cost milliseconds: we find the reasons ourselves."""
        if found := variable_violations(self._schema, operation.node, request.variables or {}):
            return Answer(Kind.REFUSED, errors=[bad_input(found)])
        execution = self._build(operation, request, context, middleware=[outcomes_noted])
        if isinstance(execution, Execution):
            return partial(_run, execution)
        return Answer(Kind.REFUSED, errors=[bad_input([InputViolation(("variables",), InputCode.WRONG_TYPE)])])

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

    async def _in_turn(self, work: Work, gone: ClientGone | None) -> Answer:
        outcome = await self._admission.run(work, gone)
        match outcome:
            case Admitted(answer):
                return answer
            case Overloaded(seconds) | Disconnected(seconds):
                return overloaded_answer(seconds)
        assert_never(outcome)


_MUTATION_NOT_ALLOWED = public_error(ErrorCode.MUTATION_NOT_ALLOWED, "A mutation is not allowed here.")

_SUBSCRIPTION_NOT_ALLOWED = public_error(
    ErrorCode.SUBSCRIPTION_NOT_ALLOWED, "A subscription needs Accept: text/event-stream."
)


def _noted(answer: Noted) -> Noted:
    """The same; errors of an answer are named in the log line of its request."""
    if isinstance(answer, Answer) and answer.errors:
        note_errors(answer.errors)
    return answer


def _chosen(operations: Prepared, request: OperationRequest) -> Operation | Answer:
    if isinstance(operations, list):
        return Answer(Kind.REFUSED, errors=operations)
    operation = choose(operations, request.operation_name)
    return operation if isinstance(operation, Operation) else Answer(Kind.REFUSED, errors=[operation])


async def _run(execution: Execution[Any]) -> Answer:
    pending = execution.execute_operation()
    # Nothing is awaited where every resolver was synchronous. @defer and @stream are not in the schema.
    return answer_of(cast("ExecutionResult", await pending if _is_awaitable(pending) else pending))
