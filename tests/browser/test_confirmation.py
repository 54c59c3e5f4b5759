"""The confirmation page in a real browser with JavaScript switched off."""

from email import message_from_bytes, policy
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from harness.gateway import Gateway
from tests.conftest import Serve
from tests.graphql_api.installation import CREATE, FORM
from tests.waiting import eventually

LONG_NAME = "\u202eWaltraud-Eugenie<script>document.title='run'</script>" + "w" * 40

# The browser is slow to start while the other tests use every core.
expect.set_options(timeout=30_000)


@pytest.fixture
def gateway(serve: Serve, sqlite_url: str) -> Gateway:
    return serve(GATEWAY_DATABASE_URL=sqlite_url)


@pytest.fixture
def page(browser: BrowserContext) -> Page:
    page = browser.new_page()
    browser.new_cdp_session(page).send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.goto("data:text/html,<script>document.title='run'</script>")
    assert page.title() != "run"
    return page


def sign_up(gateway: Gateway, language: str, **changes: str) -> str:
    """Sign up and return the link of the mail."""
    response = httpx2.post(
        f"{gateway.base_url}/graphql",
        json={"query": CREATE, "variables": {"input": {**FORM, **changes}}},
        headers={"accept-language": language},
    )
    assert response.json()["data"]["createCustomer"]["__typename"] == "CreateCustomerSuccess"
    eventually(lambda: list(gateway.mail_directory.glob("*.eml")))
    (path,) = gateway.mail_directory.glob("*.eml")
    body = message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body
    return next(str(word) for word in body.get_content().split() if "token=" in word)


@pytest.mark.long
def test_the_owner_confirms_once(gateway: Gateway, page: Page, tmp_path: Path) -> None:
    """The link and its button confirm; loading again, Back and the link say so; a cut link offers a new mail."""
    link = sign_up(gateway, "en")
    complaints = list[str]()
    page.on("console", lambda message: complaints.append(message.text))

    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text("Is this your registration?")
    expect(page.get_by_text("Ada Beispiel")).to_be_visible()
    page.screenshot(path=tmp_path / "pending.png")
    page.get_by_role("button", name="Yes, confirm my address").dblclick()
    confirmed = "Done: your address is confirmed"
    expect(page.get_by_role("heading")).to_have_text(confirmed)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text(confirmed)
    page.go_back()
    expect(page.get_by_role("heading")).to_have_text(confirmed)
    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text(confirmed)
    page.screenshot(path=tmp_path / "confirmed.png")
    assert complaints == []  # the pages keep to their own policy

    page.goto(link.replace("token=", "token=0"))
    expect(page.get_by_role("heading")).to_have_text("This link is no longer valid")
    page.screenshot(path=tmp_path / "refused.png")
    page.get_by_label("Your e-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send a new mail").click()
    expect(page.get_by_role("heading")).to_have_text("Please look into your mailbox")


@pytest.mark.long
def test_a_stranger_is_disowned_on_a_phone(gateway: Gateway, page: Page, tmp_path: Path) -> None:
    """On a phone, in German, a hostile name stays text, and disowning frees the address."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_extra_http_headers({"Accept-Language": "de"})
    link = sign_up(gateway, "de", firstName=LONG_NAME)

    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text("Ist das Ihre Registrierung?")
    expect(page.get_by_text("<script>document.title='run'</script>")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=tmp_path / "phone.png")
    page.get_by_role("button", name="Das war ich nicht").click()
    expect(page.get_by_role("heading")).to_have_text("Fertig: Die Registrierung ist gelöscht")
    page.screenshot(path=tmp_path / "disowned.png")

    for mail in gateway.mail_directory.glob("*.eml"):
        mail.unlink()
    assert sign_up(gateway, "de") != link
