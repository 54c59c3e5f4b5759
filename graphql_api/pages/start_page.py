"""The start page of a gateway in development: it tells a browser at the address of the gateway where things are."""

import secrets
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_api.http.negotiation import HTML, preferred
from graphql_api.pages.page import TEMPLATES
from registration.language import Language
from registration.shop import Shop


class Place(NamedTuple):
    """Something that the gateway serves; `path` is relative to the start page, which a proxy may serve elsewhere."""

    name: str
    path: str


class StartPage:
    """An ASGI application: the page for a browser, and `otherwise` for any other client or method."""

    def __init__(self, places: list[Place], shop: Shop, otherwise: ASGIApp) -> None:
        self.places = places
        self.shop = shop
        self.otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        accept = request.headers.get("accept", "")
        # JSON:API is offered first, so that a client that takes anything gets what the contract says.
        is_browser = preferred(accept, ("application/vnd.api+json", HTML)) == HTML
        shows = request.method in {"GET", "HEAD"} and is_browser
        await (_page(self.places, self.shop) if shows else self.otherwise)(scope, receive, send)


def routes(places: list[Place], shop: Shop, otherwise: ASGIApp) -> list[Route]:
    return [Route("/", StartPage(places, shop, otherwise))]


def _page(places: list[Place], shop: Shop) -> Response:
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
    }
    page = TEMPLATES.get_template("start.html").render(
        nonce=nonce, language=Language.EN, tone="", shop=shop, places=places
    )
    return HTMLResponse(page, headers=headers)
