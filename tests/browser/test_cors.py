"""A page of another origin calls both doors from a real browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from graphql_api.server.refresh_cookie import NAME, PROOF
from harness.gateway import Gateway
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM
from tests.graphql_api.operations.test_sessions import REFRESH, REVOKE, SIGN_IN

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
CALL_WITH_COOKIES = """
async ({url, document, input, headers}) => {
  try {
    const answer = await fetch(url, {
      method: "POST",
      credentials: "include",
      headers: {"Content-Type": "application/json", ...headers},
      body: JSON.stringify({query: document, variables: {input}}),
    })
    return (await answer.json()).data.result
  } catch (error) {
    return {blocked: String(error)}
  }
}
"""
ATTRIBUTES = FORM | {"salutation": "Ms", "gender": "Female", "email": "bob@example.org"}


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
    script, _ = re.findall(r"^```js\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    page = browser.new_page()
    page.goto(shop)
    script = script.replace("http://127.0.0.1:8000", gateway.base_url)
    signed_up = page.evaluate(f"async () => {{ {script} return signedUp }}")
    success = signed_up["data"]["createCustomer"]
    assert (success["__typename"], success["confirmation"]["sentTo"]) == ("CreateCustomerSuccess", "byron@example.org")


def call_with_cookies(page: Page, gateway: Gateway, document: str, given: object, **headers: str) -> Any:
    sent = {
        "url": f"{gateway.base_url}/graphql",
        "document": document,
        "input": given,
        "headers": {PROOF: "1"} | headers,
    }
    return page.evaluate(CALL_WITH_COOKIES, sent)


def cookie(browser: BrowserContext) -> dict[str, object] | None:
    """What the browser keeps; scripts of pages cannot ask this."""
    return next((dict(each) for each in browser.cookies() if each.get("name") == NAME), None)


def test_a_page_of_another_origin_stays_signed_in(
    serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str
) -> None:
    """Over plain http on loopback, too, Chromium keeps the cookie, sends it, hides it from scripts, and drops it."""
    gateway = serve(
        GATEWAY_DATABASE_URL=sqlite_url,
        GATEWAY_MODE="development",
        GATEWAY_CONFIRMATION="off",
        GATEWAY_REFRESH_COOKIE="on",
    )
    page = browser.new_page()
    page.goto(shop)
    assert sign_up(page, gateway)["status"] == 200
    tokens = call_with_cookies(page, gateway, SIGN_IN, {"email": "ada@example.org", "password": "correct horse"})[
        "tokens"
    ]
    assert tokens["refreshToken"] is None
    kept = cookie(browser)
    assert kept is not None
    assert (kept["httpOnly"], kept["secure"], kept["sameSite"], kept["path"]) == (True, True, "Strict", "/")
    assert page.evaluate("document.cookie") == ""
    tokens = call_with_cookies(page, gateway, REFRESH, {})["tokens"]
    assert tokens["accessToken"]
    renewed = cookie(browser)
    assert renewed is not None
    assert renewed["value"] != kept["value"]
    ended = call_with_cookies(page, gateway, REVOKE, {"current": True}, authorization=f"Bearer {tokens['accessToken']}")
    assert ended["__typename"] == "RevokeRefreshTokenSuccess"
    assert cookie(browser) is None
    assert call_with_cookies(page, gateway, REFRESH, {})["code"] == "REFRESH_TOKEN"
