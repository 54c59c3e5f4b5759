"""sessions: where the customer of the access token is signed in."""

from datetime import datetime

import strawberry

from graphql_api.engine.context import Info
from registration.sessions.listing import OpenSession, open_sessions


@strawberry.type(description="A device that is signed in. See `endSession`.")
class Session:
    id: strawberry.ID = strawberry.field(description="A random UUID; treat it as opaque.")
    device: str | None = strawberry.field(
        description="Browser and system as they named themselves, such as Firefox (Linux); null when not recognised."
    )
    place: str | None = strawberry.field(
        description="Where the sign-in came from, as a proxy in front of the gateway names it; null when none does."
    )
    first_used_at: datetime = strawberry.field(description="When the customer signed in.")
    last_used_at: datetime = strawberry.field(
        description="When the session was last refreshed; uses of its access tokens do not count."
    )
    current: bool = strawberry.field(description="Whether it is the session of this request.")


async def sessions(info: Info) -> list[Session] | None:
    context = info.context
    caller = await context.caller()
    found = await context.threads.run(open_sessions, context.services, caller)
    return [_session(each) for each in found]


def _session(found: OpenSession) -> Session:
    return Session(
        id=strawberry.ID(str(found.id)),
        device=found.device,
        place=found.place,
        first_used_at=found.first_used_at,
        last_used_at=found.last_used_at,
        current=found.is_current,
    )
