"""A page of another origin calls both doors from a real browser."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from harness.gateway import Gateway
from harness.ports import HOST
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM

pytestmark = pytest.mark.long

CALL = """
async ({url, type, body, headers}) => {
  try {
    const given = {"Content-Type": type, ...headers}
    const answer = await fetch(url, {method: "POST", headers: given, body: JSON.stringify(body)})
    return {status: answer.status, id: answer.headers.get("x-correlation-id"), body: await answer.json()}
  } catch (error) {
    return {blocked: String(error)}
  }
}
"""
ATTRIBUTES = FORM | {"salutation": "Ms", "gender": "Female", "email": "bob@example.org"}


class EmptyPage(BaseHTTPRequestHandler):
    """The page of a shop: an empty document."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Shop</title>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The origin of a shop on this machine."""
    server = ThreadingHTTPServer((HOST, 0), EmptyPage)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()


def call(page: Page, gateway: Gateway, path: str, content_type: str, body: object, **headers: str) -> Any:
    given = {"url": f"{gateway.base_url}{path}", "type": content_type, "body": body, "headers": headers}
    return page.evaluate(CALL, given)


def sign_up(page: Page, gateway: Gateway) -> Any:
    query = {"query": CREATE, "variables": {"input": FORM}}
    return call(page, gateway, "/graphql", "application/json", query, **{"x-apollo-operation-name": "Register"})


def test_a_page_of_a_named_origin_signs_up_through_both_doors(
    serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str
) -> None:
    """Preflights, custom headers, errors and readable headers work in Chromium as they are."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="production", GATEWAY_CORS_ORIGINS=shop)
    page = browser.new_page()
    page.goto(shop)
    first, again = sign_up(page, gateway), sign_up(page, gateway)
    assert first["body"]["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
    assert again["body"]["data"]["createCustomer"]["__typename"] == "EmailTakenError"
    assert first["id"]
    document = {"data": {"type": "customers", "attributes": ATTRIBUTES}}
    key = {"idempotency-key": "k" * 16}
    created = call(page, gateway, "/customers", "application/vnd.api+json", document, **key)
    assert (created["status"], created["body"]["data"]["attributes"]["email"]) == (201, "bob@example.org")
    document["data"]["attributes"] = {}
    refused = call(page, gateway, "/customers", "application/vnd.api+json", document)
    assert (refused["status"], len(refused["body"]["errors"])) == (422, 8)


def test_a_page_of_another_origin_is_blocked(serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str) -> None:
    """Without the setting the browser does not even send the sign-up."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="production")
    page = browser.new_page()
    page.goto(shop)
    assert "blocked" in sign_up(page, gateway)
    gateway.stop()
    requests = [json.loads(line) for line in gateway.log.read_text().splitlines() if '"event": "request"' in line]
    assert [each["method"] for each in requests if each["route"] == "/graphql"] == ["OPTIONS"]


def test_development_needs_no_setting(serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str) -> None:
    """A page of this machine may call the gateway that its author runs."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="development")
    page = browser.new_page()
    page.goto(shop)
    assert sign_up(page, gateway)["body"]["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"


def test_the_script_of_the_readme_signs_up(serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str) -> None:
    """The script below "From a browser" in README.md works as it stands, in a page of another origin."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="development")
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    section = readme.partition("## From a browser")[2]
    (script,) = re.findall(r"^```js\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    page = browser.new_page()
    page.goto(shop)
    script = script.replace("http://127.0.0.1:8000", gateway.base_url)
    signed_up = page.evaluate(f"async () => {{ {script} return signedUp }}")
    success = signed_up["data"]["createCustomer"]
    assert (success["__typename"], success["confirmation"]["sentTo"]) == ("CreateCustomerSuccess", "ada@example.org")
