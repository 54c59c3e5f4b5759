"""registration, as a query and as a subscription: how far the sign-up of a handle is, for the page that waits."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from graphql_api.engine.context import Info
from graphql_api.types.domain_enum import domain_enum
from registration.keys.handles import Handle, read_handle
from registration.signing_up.progress import RegistrationState, states_of

domain_enum(
    RegistrationState,
    "How far a sign-up is. Nothing is told of the address or the customer.",
    {
        RegistrationState.PENDING.name: "The address is not confirmed yet.",
        RegistrationState.CONFIRMED.name: "The address is confirmed, here or elsewhere: the customer can sign in.",
        RegistrationState.EXPIRED.name: "It cannot be confirmed any more.",
    },
)

HandleArgument = Annotated[str, strawberry.argument(description="What createCustomer answered.")]


@strawberry.type(description="A sign-up, as the page that sent it may follow it.")
class Registration:
    state: RegistrationState = strawberry.field(description="How far it is.")


async def registration(info: Info, handle: HandleArgument) -> Registration | None:
    known = read_handle(info.context.services.secret, handle)
    return await _present(info, known) if known else None


async def registration_changes(info: Info, handle: HandleArgument) -> AsyncGenerator[Registration | None, None]:
    """The present state, and the next one when it comes, after which nothing follows."""
    known = read_handle(info.context.services.secret, handle)
    if known is None:
        yield None
        return
    present = await _present(info, known)
    yield present
    if present.state is RegistrationState.PENDING:
        yield Registration(state=await info.context.registrations.fact_about(known))


async def _present(info: Info, handle: Handle) -> Registration:
    context = info.context
    states = await context.threads.run(states_of, context.services, [handle])
    return Registration(state=states[handle])
