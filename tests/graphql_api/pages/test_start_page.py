"""The start page at the address of a gateway."""

import re
from pathlib import Path

import httpx2
import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from tests.in_process import installation

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def answer(
    database: Database, settings: GatewaySettings, method: str = "GET", accept: str = BROWSER
) -> httpx2.Response:
    with installation(database, settings) as installed:
        return installed.client.request(method, "/", headers={"accept": accept})


def test_development_tells_a_browser_where_things_are(database: Database, tmp_path: Path) -> None:
    """In development the page links to what is served, and each link works from where the page is."""
    settings = GatewaySettings(mode="development", mail_url=tmp_path.as_uri())
    with installation(database, settings) as installed:
        browser = installed.client
        page = browser.get("/", headers={"accept": BROWSER})
        links = re.findall('<a href="([^"]*)">', page.text)
        seen = {link: browser.get(f"/{link}", headers={"accept": BROWSER}).status_code for link in links}
    assert page.status_code == 200
    assert "Accept" in page.headers["vary"].split(", ")
    assert page.headers["cache-control"] == "no-store"
    assert list(seen) == ["graphql", "mailbox", "openapi.json", "readyz", ".well-known/jwks.json"]
    assert 404 not in seen.values()  # the mailbox refuses this client, and GraphiQL may not be built


def test_links_to_no_tool_that_is_off(database: Database) -> None:
    """Without GraphiQL and a directory of mails the page links to neither."""
    page = answer(database, GatewaySettings(mode="development", graphiql="off", mail_url="console:"))
    assert re.findall('<a href="([^"]*)">', page.text) == ["openapi.json", "readyz", ".well-known/jwks.json"]


@pytest.mark.parametrize(
    ("method", "accept"),
    [("GET", "*/*"), ("GET", ""), ("GET", "application/vnd.api+json"), ("GET", "application/json"), ("POST", BROWSER)],
)
def test_other_clients_get_the_answer_of_production(database: Database, method: str, accept: str) -> None:
    """A client of the JSON:API door gets the contract's 404 in development, too."""
    development, production = (
        answer(database, GatewaySettings(mode=mode), method, accept) for mode in ("development", "production")
    )
    assert (development.status_code, development.content) == (production.status_code, production.content)
    assert development.status_code == 404
    assert development.headers["content-type"] == "application/vnd.api+json"


def test_production_has_no_start_page(database: Database) -> None:
    """In production a browser gets the contract's 404."""
    assert answer(database, GatewaySettings()).status_code == 404
