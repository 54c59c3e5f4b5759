import pkgutil
from importlib import import_module
from inspect import get_annotations, isfunction

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

import rest_compat
from rest_compat import routes
from rest_compat.jsonapi import MEDIA_TYPE
from rest_compat.resource import Resource
from tests.rest_compat.asking import ask
from tests.rest_compat.executing import NOTHING_RUNS, application

APPLICATION = application(NOTHING_RUNS)


def test_every_resource_has_routes() -> None:
    """Each function that makes a resource is used by the module of the routes."""
    makers: set[str] = set()
    for found in pkgutil.iter_modules(rest_compat.__path__, "rest_compat."):
        functions = filter(isfunction, vars(import_module(found.name)).values())
        makers |= {each.__name__ for each in functions if get_annotations(each).get("return") is Resource}
    assert makers
    assert makers - vars(routes).keys() == set()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/nothing/",
        "/nothing%0A",
        "/customers/%0A/x",
        "/carts",
        "/customers/DE--1/addresses",
        "/company-users",
        "*",
    ],
)
def test_every_unknown_path_gets_the_404_document(method: str, path: str) -> None:
    """A path out of scope, with a line feed, or malformed gets the 404 document (3.2)."""
    response = ask(APPLICATION, method, path)
    assert (response.status, response.errors) == (404, [(404, None, "Not Found")])
    assert response.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/customers", "/customers"),
        ("/customers/", "/customers/{id:path}"),
        ("/customers/DE--1", "/customers/{id:path}"),
        ("/customer-confirmation", "/customer-confirmation"),
        ("/refresh-tokens/def502", "/refresh-tokens/{id:path}"),
        ("/token", "/{path:path}"),
        ("/else", "/{path:path}"),
    ],
)
def test_routes_have_templates_without_ids(path: str, template: str) -> None:
    """Each request matches a route whose template holds no id."""
    seen: list[str] = []

    class Log:
        def __init__(self, app: Starlette) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)
            seen.append(scope["route"].path)

    ask(Log(APPLICATION), "GET", path)
    assert seen == [template]


def test_routes_of_the_application_come_first() -> None:
    """The REST door gets paths and methods that no other route serves."""

    async def health(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/healthz", health), *APPLICATION.routes])
    assert ask(app, "GET", "/healthz").body == b"ok"
    assert ask(app, "POST", "/healthz").errors == [(404, None, "Not Found")]
