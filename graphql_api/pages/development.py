"""What only development has: GraphiQL's files, the mailbox, and a start page that says where things are."""

from starlette.routing import Route
from starlette.types import ASGIApp

from graphql_api.pages import graphiql, jwks, mailbox, start_page
from graphql_api.settings import GatewaySettings
from registration.shop import Shop


def routes(settings: GatewaySettings, shop: Shop, otherwise: ASGIApp) -> list[Route]:
    """`otherwise` answers clients at the start page's path that are no browser."""
    found: list[Route] = []
    places = [start_page.Place("OpenAPI description of the JSON:API door", "openapi.json")]
    places += [start_page.Place("Readiness", "readyz"), start_page.Place("Public keys", jwks.PATH.lstrip("/"))]
    if settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:"):
        found += mailbox.routes(mailbox.mail_directory(settings.mail_url), shop)
        places.insert(0, start_page.Place("Mailbox: mails that were sent", "mailbox"))
    if settings.enabled(settings.graphiql):
        found += graphiql.routes()
        places.insert(0, start_page.Place("GraphiQL: try GraphQL", "graphql"))
    if settings.development:
        found += start_page.routes(places, shop, otherwise)
    return found
