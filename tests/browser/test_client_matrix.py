"""Clients that front ends use, in a real browser and from another origin: from sign-up to a refreshed session."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from harness.client_package import CLIENT, NPM, REPOSITORY, built, packed, run_node, run_npm
from harness.gateway import Gateway
from tests.clients.package import bundle, run_tsc
from tests.conftest import Serve
from tests.graphql_api.installation import FORM
from tests.waiting import eventually

GRAPHQL = ("InvalidInputError INVALID_INPUT", "CreateCustomerSuccess", "EmailTakenError EMAIL_TAKEN")
GRAPHQL_CONFIRMED = "ConfirmCustomerSuccess"
EXPECTED = {
    "package": (r'{"password":[{"code":"TOO_SHORT",', *GRAPHQL[1:], GRAPHQL_CONFIRMED),
    "apollo": (*GRAPHQL, GRAPHQL_CONFIRMED),
    "urql": (*GRAPHQL, GRAPHQL_CONFIRMED),
    "graphql-request": (*GRAPHQL, GRAPHQL_CONFIRMED),
    "relay": (*GRAPHQL, GRAPHQL_CONFIRMED),
    "kitsu": ("422 901", "created", "422 400", "confirmed"),
    "openapi": ("422 901", "201", "422 400", "204"),
}
"""What each client is told of a short password, a sign-up, the same address again, and the confirmation."""

pytestmark = pytest.mark.long


class Caller:
    """A page of the shop, with one client in it."""

    def __init__(self, page: Page, entry: str, gateway: Gateway) -> None:
        self._page = page
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(f"{request.method} {request.post_data or ''}"))
        page.add_script_tag(content=bundle(entry))
        page.evaluate("url => { window.opened = client.open(url) }", gateway.base_url)

    def __call__(self, name: str, *arguments: Any) -> Any:
        return self._page.evaluate("([name, given]) => opened[name](...given)", [name, list(arguments)])


@pytest.fixture
def gateway(serve: Serve, sqlite_url: str, shop: str) -> Gateway:
    return serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="production", GATEWAY_CORS_ORIGINS=shop)


def test_every_client_goes_the_whole_way(gateway: Gateway, browser: BrowserContext, shop: str) -> None:
    """Each client signs up, sees an error, confirms, signs in, refreshes and reads the account; its types compile."""
    made(gateway)
    told, requests = dict[str, tuple[str, ...]](), dict[str, list[str]]()
    for entry, expected in EXPECTED.items():
        page = browser.new_page()
        page.goto(shop)
        client = Caller(page, entry, gateway)
        email = f"{entry}@example.org"
        form = FORM | {"email": email}
        short = client("signUp", form | {"password": "x", "confirmPassword": "x"})
        answers = (client("signUp", form), client("signUp", form), client("confirm", key_of(gateway, email)))
        told[entry] = (short[: len(expected[0])], *answers)
        tokens = client("signIn", email, form["password"])
        refreshed = client("refresh", tokens["refreshToken"])
        assert refreshed["refreshToken"] != tokens["refreshToken"]
        assert client("email", refreshed["accessToken"]) == email
        requests[entry] = client.requests
        page.close()
    assert told == EXPECTED
    for entry in ("apollo", "urql"):
        assert [each for each in requests[entry] if each.startswith("GET ")], entry
        assert [each for each in requests[entry] if "sha256Hash" in each and '"query"' not in each], entry


def test_the_program_of_the_readme_signs_up(
    serve: Serve, sqlite_url: str, browser: BrowserContext, shop: str, tmp_path: Path
) -> None:
    """The TypeScript below "From a browser" in README.md compiles in an empty project, and signs up from its page."""
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="development")
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("## From a browser")[2]
    (program,) = re.findall(r"^```ts\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (tmp_path / "package.json").write_text('{"name": "shop", "private": true, "type": "module"}')
    (tmp_path / "main.ts").write_text(program.replace("http://127.0.0.1:8000", gateway.base_url))
    run_npm("install", *NPM, "--prefer-offline", f"./{packed(tmp_path).name}", cwd=tmp_path)
    run_tsc("--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "main.ts", cwd=tmp_path)
    esbuild = str(CLIENT / "node_modules" / "esbuild" / "bin" / "esbuild")
    script = run_node(esbuild, "main.ts", "--bundle", "--format=esm", "--log-level=warning", cwd=tmp_path)
    told = list[str]()
    page = browser.new_page()
    for _ in range(2):
        page.goto(shop)
        page.add_script_tag(content=script, type="module")
        expect(page.locator("body")).not_to_be_empty()
        told.append(page.locator("body").inner_text())
    assert told == [
        "Your number is DE--1. A mail is on its way.",
        "This e-mail address is already registered or waiting for its confirmation.",
    ]


def made(gateway: Gateway) -> None:
    """What relay-compiler and openapi-typescript make for the clients; tsc then compiles all of them, strict."""
    generated = built() / "matrix" / "__generated__"
    generated.mkdir(exist_ok=True)
    run_node("node_modules/relay-compiler/cli.js", "relay.config.json")
    description = generated / "openapi.json"
    description.write_text(json.dumps(httpx2.get(f"{gateway.base_url}/openapi.json").json()))
    run_node("node_modules/openapi-typescript/bin/cli.js", str(description), "--output", str(generated / "openapi.ts"))
    run_tsc("--project", "tsconfig.matrix.json")


def key_of(gateway: Gateway, email: str) -> str:
    """The key in the first mail to this address."""
    eventually(lambda: any(mails(gateway.mail_directory, email)))
    found = re.search(r"token=([0-9a-f]{32})", next(mails(gateway.mail_directory, email)))
    assert found
    return found[1]


def mails(directory: Path, email: str) -> Iterator[str]:
    texts = (path.read_text("utf-8") for path in sorted(directory.glob("*.eml")))
    return (text for text in texts if f"To: {email}" in text)
