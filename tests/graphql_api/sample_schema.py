"""A small schema with every kind of field that the engine treats differently, and an application around it."""

import asyncio
import datetime
import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import strawberry
from graphql import GraphQLSchema
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from graphql_api.engine.costs import costs
from graphql_api.engine.errors import Unauthenticated
from graphql_api.engine.executor import Executor
from graphql_api.engine.outcome import Answer, OperationRequest
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.http.event_stream import EventStreams
from graphql_api.http.named_documents import NamedDocuments
from graphql_api.server.admission import Admission, ClientGone
from registration.limits.budgets import Cost
from registration.notes import begin_notes
from registration.storage.database import Unavailable

SECRET = "hunter2-correct-horse"
CORRELATION_ID = "0123456789abcdef"

CREATE = """
mutation ($input: CreateInput!) {
  create(input: $input) {
    __typename
    ... on Created { name color born }
    ... on UserError { code }
  }
}
"""
VALID_INPUT: Mapping[str, Any] = {"name": "Ada", "color": "RED", "password": SECRET, "agreed": True}


@dataclass
class SampleContext:
    created: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by each `create` that has got to the gate."""

    async def arrivals(self, count: int) -> None:
        """Return when so many have got to the gate."""
        for _ in range(count):
            await self.arrived.acquire()


Info = strawberry.Info[SampleContext, None]


@strawberry.enum
class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class UserError:
    code: str


@strawberry.type
class TakenError(UserError):
    pass


@strawberry.type
class Created:
    name: str
    color: Color
    born: datetime.date | None


@strawberry.input
class Address:
    city: str


@strawberry.input(one_of=True)
class Contact:
    phone: strawberry.Maybe[str]
    email: strawberry.Maybe[str]


@strawberry.input
class CreateInput:
    name: str
    color: Color
    password: str
    agreed: bool
    born: datetime.date | None = None
    age: int | None = None
    tags: list[str] | None = None
    address: Address | None = None
    contact: Contact | None = None
    nickname: strawberry.Maybe[str]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"Hello {name}"

    @strawberry.field
    def count(self, upto: int) -> int | None:
        return upto

    @strawberry.field
    def me(self) -> str | None:
        raise Unauthenticated

    @strawberry.field
    def broken(self, password: str = "") -> str | None:
        raise RuntimeError("the cable is unplugged")

    @strawberry.field
    async def outage(self, info: Info) -> str | None:
        raise Unavailable("no connection")

    @strawberry.field
    def mistyped(self) -> int | None:
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def itself(self) -> "Query":
        return Query()


@strawberry.type
class Mutation:
    @strawberry.mutation
    @costs(Cost.HASH)
    async def create(
        self, info: Info, input: CreateInput
    ) -> Annotated[Created | TakenError, strawberry.union("CreateResult")]:
        if info.context.gate:
            info.context.arrived.release()
            await info.context.gate.wait()
        info.context.created.append(input.name)
        return (
            TakenError(code="TAKEN")
            if input.name == "taken"
            else Created(name=input.name, color=input.color, born=input.born)
        )

    @strawberry.mutation
    def touch(self) -> bool:
        return True


schema = strawberry.Schema(query=Query, mutation=Mutation)


def make_executor(
    *,
    slots: int = 2,
    deadline: float = 5.0,
    introspection: bool = True,
    suggestions: bool = True,
    of: GraphQLSchema = schema._schema,
    admission: Admission | None = None,
    compiled_operations: bool = True,
) -> Executor:
    return Executor(
        of,
        admission=admission or Admission(capacity=3 * slots, deadline=deadline, clock=time.monotonic),
        introspection=introspection,
        suggestions=suggestions,
        compiled_operations=compiled_operations,
    )


async def execute(
    executor: Executor,
    request: OperationRequest,
    context: SampleContext,
    *,
    mutation_allowed: bool = True,
    gone: ClientGone | None = None,
) -> Answer:
    """Prepare and run an operation, as the endpoint does."""
    prepared = await executor.prepare(request, mutation_allowed=mutation_allowed)
    return prepared if isinstance(prepared, Answer) else await executor.run(prepared, request, context, gone)


def run(
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    executor: Executor | None = None,
    context: SampleContext | None = None,
    mutation_allowed: bool = True,
) -> Answer:
    request = OperationRequest(query, variables, name)

    async def answer() -> Answer:
        begin_notes().update(correlation_id=CORRELATION_ID)
        return await execute(
            executor or make_executor(), request, context or SampleContext(), mutation_allowed=mutation_allowed
        )

    return asyncio.run(answer())


def codes(answer: Answer) -> list[str]:
    return [error["extensions"]["code"] for error in answer.errors or []]


def make_endpoint(
    executor: Executor | None = None,
    *,
    queries_by_get: bool = True,
    documents: NamedDocuments | None = None,
    graphiql: Callable[[Request], Response] | None = lambda _: HTMLResponse("<title>GraphiQL</title>"),
    context_for: Callable[[Request], SampleContext] = lambda _: SampleContext(),
    streams: EventStreams | None = None,
) -> GraphQLEndpoint[SampleContext]:
    return GraphQLEndpoint(
        executor=executor or make_executor(),
        context_for=context_for,
        streams=streams or EventStreams(lambda _: "", 10),
        queries_by_get=queries_by_get,
        documents=documents or NamedDocuments({}, only=False),
        graphiql=graphiql,
    )


def make_app(executor: Executor | None = None, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/graphql", make_endpoint(executor, **options))])
