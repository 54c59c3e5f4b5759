"""Which route answers a request: most requests name a path that one route alone answers, which is looked up at once."""

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send


class DirectRouter(Router):
    """Starlette's router, which tries its routes in their order, for all paths but those of `direct_routes`."""

    def __init__(self, routes: Sequence[BaseRoute], **options: Any) -> None:
        super().__init__(routes, **options)
        self._direct = direct_routes(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._direct.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await super().__call__(scope, receive, send)
        else:
            scope["route"] = route
            await route.app(scope, receive, send)


def direct_routes(routes: Sequence[BaseRoute]) -> dict[str, Route]:
    """Routes by their path that take every method and have no parameter; none before them may match that path."""
    found = (route for route in routes if isinstance(route, Route))
    return {route.path: route for route in found if route.methods is None and not route.param_convertors}
