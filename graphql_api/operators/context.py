"""What a resolver of the operator schema may use, and the mark of the scope that it needs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast

from graphql import GraphQLSchema
from strawberry import Info as StrawberryInfo

from graphql_api.engine.threads import Threads
from graphql_api.operators.errors import NotAllowedError, not_allowed
from registration.services import Services
from registration.support.operator import Operator
from registration.support.tokens import Scope

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Output = TypeVar("Output")

MARK = "_needs"


@dataclass(frozen=True, slots=True)
class OperatorContext:
    """The operator of the token, what it is good for, and what use cases need."""

    services: Services
    threads: Threads
    operator: Operator
    scopes: frozenset[Scope]

    async def run(
        self,
        work: Callable[Concatenate[Services, Operator, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Run a use case in the name of the operator."""
        return await self.threads.run(work, self.services, self.operator, *args, **kwargs)


Info = StrawberryInfo[OperatorContext, None]
Resolver: TypeAlias = Callable[Concatenate[Info, Arguments], Awaitable[Output]]


def needs(scope: Scope) -> Callable[[Resolver[Arguments, Output]], Resolver[Arguments, Output | NotAllowedError]]:
    """Mark a resolver with the scope that it needs: without it NotAllowedError is answered, and nothing is done.

    A test of the schema sees to it that every field has the mark.
    """

    def mark(resolver: Resolver[Arguments, Output]) -> Resolver[Arguments, Output | NotAllowedError]:
        @wraps(resolver)
        async def checked(info: Info, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Output | NotAllowedError:
            if scope not in info.context.scopes:
                return not_allowed(scope)
            return await resolver(info, *args, **kwargs)

        setattr(checked, MARK, scope)
        return cast("Resolver[Arguments, Output | NotAllowedError]", checked)

    return mark


def scopes_of(schema: GraphQLSchema) -> Mapping[str, Scope | None]:
    """The scope that each root field needs, by name; None for one without a mark."""
    roots = filter(None, (schema.query_type, schema.mutation_type))
    fields = (item for root in roots for item in root.fields.items())
    return {name: getattr(_resolver(field), MARK, None) for name, field in fields}


def _resolver(field: Any) -> object:
    return field.extensions["strawberry-definition"].base_resolver.wrapped_func
