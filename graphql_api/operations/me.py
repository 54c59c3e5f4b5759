"""me and node: the customer of the access token, and the same by its id, as Relay fetches a part of an object again."""

from typing import Annotated

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.customer import Customer, Node, customer_type

Id = Annotated[strawberry.ID, strawberry.argument(description="The `id` of an object.")]


async def me(info: Info) -> Customer | None:
    caller = await info.context.caller()
    return customer_type(caller.customer)


async def node(info: Info, id: Id) -> Node | None:
    """None for every id but that of the caller, whether or not a customer has it."""
    caller = await info.context.caller()
    shown: Customer = customer_type(caller.customer)
    return shown if shown.id == id else None
