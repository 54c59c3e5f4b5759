"""The router that looks up most paths at once finds what Starlette's own would find."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route, Router
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from graphql_api.app import open_parts, routes
from graphql_api.http.router import DirectRouter, direct_routes
from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from tests.graphql_api.installation import installed


def test_the_first_route_that_matches_a_direct_path_is_the_direct_one(database: Database) -> None:
    """No route of the gateway stands before a direct route and matches its path; sign-ups are direct at both doors."""
    settings = GatewaySettings()
    with installed(database, settings) as running:
        parts = open_parts(settings, running.services)
        ours = routes(settings, parts)
        parts.executor.close()
        parts.threads.close()
        parts.sign_ups.close()
        parts.sign_ins.close()
    direct = direct_routes(ours)
    assert {"/graphql", "/customers"} <= direct.keys()
    for path, route in direct.items():
        scope = {"type": "http", "method": "POST", "path": path, "root_path": ""}
        assert next(each for each in ours if each.matches(scope)[0] is not Match.NONE) is route


def test_each_path_is_answered_by_its_route() -> None:
    """A direct path, one with a parameter, one of a single method and an unknown one are answered as by Starlette."""

    async def direct(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"direct {scope['route'].path}")(scope, receive, send)

    async def named(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"named {request.path_params['name']}")

    class App:
        """As the endpoint and the door are: an ASGI application of every method."""

        __call__ = staticmethod(direct)

    table = [Route("/direct", App()), Route("/get", named), Route("/named/{name}", named)]
    ours, theirs = TestClient(DirectRouter(table)), TestClient(Router(table))
    assert ours.get("/direct").text == "direct /direct"
    for method, path in [
        ("PUT", "/direct"),
        ("GET", "/named/x"),
        ("POST", "/get"),
        ("GET", "/no"),
        ("GET", "/direct/"),
    ]:
        answers = [client.request(method, path, follow_redirects=False) for client in (ours, theirs)]
        assert len({(each.status_code, each.text, each.headers.get("location")) for each in answers}) == 1
