"""What a page is told of its sign-up while it waits."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from graphql_api.engine.context import Info
from graphql_api.engine.threads import Threads
from graphql_api.streams.registration import registration_changes
from registration.keys.handles import Handle
from registration.signing_up.progress import RegistrationState
from tests.graphql_api.http.test_event_stream import CREATE
from tests.graphql_api.installation import FORM, Installation


class Settled:
    """Knows at once that a sign-up was confirmed."""

    async def fact_about(self, _handle: Handle) -> RegistrationState:
        return RegistrationState.CONFIRMED


def test_a_sign_up_that_waits_is_told_when_it_is_settled(installation: Installation) -> None:
    """The present state comes first, then the one that the watch finds, and then nothing."""
    handle, threads = str(installation.mutate(CREATE, FORM)["handle"]), Threads(hashing=1)
    parts: dict[str, Any] = {"services": installation.services, "threads": threads, "registrations": Settled()}
    info = cast("Info", SimpleNamespace(context=SimpleNamespace(**parts)))

    async def states() -> list[RegistrationState | None]:
        return [each.state if each else None async for each in registration_changes(info, handle)]

    assert asyncio.run(states()) == [RegistrationState.PENDING, RegistrationState.CONFIRMED]
    threads.close()
