"""me: the customer of the access token."""

from graphql_api.engine.context import Info
from graphql_api.types.customer import Customer, customer_type


async def me(info: Info) -> Customer | None:
    caller = await info.context.caller()
    return customer_type(caller.customer)
