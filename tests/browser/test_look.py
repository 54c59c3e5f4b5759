"""The look of every page that we serve, in every state; Chromium shows the answers of an application here."""

from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, Route
from starlette.applications import Starlette
from starlette.testclient import TestClient

from examples import demo
from graphql_api.pages import mailbox
from graphql_api.settings import GatewaySettings
from registration.shop import Shop
from registration.storage.database import open_database
from tests.browser.spa import AXE
from tests.graphql_api.pages.test_account_pages import EMAIL_PAGE, NEW, NEW_EMAIL, PASSWORD_PAGE, UNKNOWN
from tests.graphql_api.pages.test_account_pages import Shop as Customers
from tests.graphql_api.pages.test_start_page import BROWSER
from tests.in_process import installation
from tests.registration.forms import request
from tests.registration.members import member
from tests.registration.signing import sign_up

pytestmark = pytest.mark.long
Answers: TypeAlias = dict[str, httpx2.Response]
FIND = "axe.run().then(result => result.violations.map(each => [each.id, each.nodes[0].html]))"
SITE = "http://pages.test"
CONFIRM = "/register/confirm"
OF_SHOP: dict[str, Any] = {
    "shop_name": "Café Ünal",
    "shop_color": "#7a1f5c",
    "shop_footer": "Café Ünal GmbH, Lange Straße 1, Berlin",
}


@pytest.fixture
def answers(sqlite_url: str, tmp_path: Path) -> Answers:
    """Every page in every state, by a name."""
    settings = GatewaySettings(mode="development", limits="on", sign_in_url="https://shop.example/login", **OF_SHOP)
    with installation(open_database(sqlite_url), settings) as installed:
        customers = Customers(installed, member(installed.services))
        found = confirmations(customers) | changes(customers) | resets(customers)
        found["start"] = installed.client.get("/", headers={"accept": BROWSER})
    return found | mails(tmp_path)


def confirmations(customers: Customers) -> Answers:
    sign_up(customers.installed.services, request(email="bob@example.org"))
    key = customers.confirmation_key()
    return {
        "pending": customers.get(CONFIRM, key),
        "refused": customers.get(CONFIRM, UNKNOWN),
        "no-address": customers.post(CONFIRM, action="resend", email="bob"),
        "resent": customers.post(CONFIRM, action="resend", email="bob@example.org"),
        "confirmed": customers.post(CONFIRM, action="confirm", token=key),
    }


def changes(customers: Customers) -> Answers:
    key = customers.email_key()
    return {"change": customers.get(EMAIL_PAGE, key), "changed": customers.post(EMAIL_PAGE, token=key)}


def resets(customers: Customers) -> Answers:
    key = customers.reset_key(NEW_EMAIL)
    form = {"action": "reset", "token": key, "password": NEW, "confirmPassword": NEW}
    return {
        "password": customers.get(PASSWORD_PAGE, key),
        "problems": customers.post(PASSWORD_PAGE, **form | {"password": "x", "confirmPassword": "y"}),
        "saved": customers.post(PASSWORD_PAGE, **form),
        "sent": customers.post(PASSWORD_PAGE, action="request", email=NEW_EMAIL),
        "too-many": [customers.post(PASSWORD_PAGE, action="request", email=NEW_EMAIL) for _ in range(10)][-1],
    }


def mails(directory: Path) -> Answers:
    name = "00000000-0000-4000-8000-000000000001"
    (directory / f"{name}.eml").write_text(
        "From: Shop <mail@shop.example>\nTo: ada@example.org\nSubject: Please confirm your e-mail address\n"
        f"Date: Sat, 28 Nov 2026 20:00:00 +0000\nMessage-ID: <{name}@shop.example>\n\n{SITE}/{'x' * 90}\n"
    )
    box = Starlette(routes=mailbox.routes(directory, Shop()))
    with TestClient(box, base_url="http://localhost", client=("127.0.0.1", 50_000)) as client:
        return {"mailbox": client.get("/mailbox"), "mail": client.get(f"/mailbox/{name}")}


@pytest.fixture
def page(browser: BrowserContext, answers: Answers) -> Page:
    """A page whose addresses are the names of the answers."""
    demo.install()

    def answer(route: Route) -> None:
        found = answers.get(route.request.url.removeprefix(f"{SITE}/"))
        if found is None:
            route.fulfill(status=200, content_type="text/html", body="<title>-</title>")
        else:
            route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    page = browser.new_page()
    page.route("**/*", answer)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used(page: Page, answers: Answers, scheme: str, tmp_path: Path) -> None:
    """Light and dark, axe-core finds nothing; at 320 px nothing is cut off, and no page breaks its own policy."""
    complaints = list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    session = page.context.new_cdp_session(page)
    found = dict[str, object]()
    for name in answers:
        page.set_viewport_size({"width": 1024, "height": 768})
        page.goto(f"{SITE}/{name}")
        page.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)
        # Not through the page's own eval, which the policy forbids.
        run = f"{AXE.read_text()}; {FIND}"
        result = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
        page.set_viewport_size({"width": 320, "height": 640})
        page.screenshot(path=tmp_path / f"{name}-{scheme}-320.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        found[name] = (result["result"].get("value"), width)
    assert found == dict.fromkeys(answers, ([], 320))
    assert [text for text in complaints if "Content Security Policy" in text] == []


def test_what_went_well_looks_different(answers: Answers) -> None:
    """Success, failure, a wait and a mail that is on its way have a colour and an icon each."""
    tones = {name: answer.text.partition('<main class="')[2].partition('"')[0] for name, answer in answers.items()}
    looks = {"success": set[str](), "failure": set[str](), "waiting": set[str](), "mailed": set[str](), "": set[str]()}
    for name, tone in tones.items():
        looks[tone].add(name)
    assert looks == {
        "success": {"confirmed", "changed", "saved"},
        "failure": {"refused", "no-address"},
        "waiting": {"too-many"},
        "mailed": {"resent", "sent"},
        "": {"pending", "change", "password", "problems", "start", "mailbox", "mail"},
    }
