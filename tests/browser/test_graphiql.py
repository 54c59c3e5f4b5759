"""GraphiQL in a real browser on a running gateway, without other network."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

pytestmark = pytest.mark.long

# The browser is slow to start while the other tests use every core.
expect.set_options(timeout=30_000)


class Witness:
    """The hosts that a page asked, and its console errors, refusals by the policy included."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        context.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


def editor(page: Page, name: str) -> Locator:
    return page.locator(f".graphiql-{name} .view-lines")


def run(page: Page) -> None:
    page.get_by_role("button", name="Execute query").click()


def test_a_newcomer_reads_the_docs_and_signs_up(browser: BrowserContext, gateway_url: str, tmp_path: Path) -> None:
    """The docs, a success and an error are shown under the strict policy, without a request to another host."""
    page = browser.new_page()
    witness = Witness(browser, page)

    page.goto(f"{gateway_url}/graphql")
    expect(editor(page, "query-editor")).to_contain_text("# Sign up a customer.")

    page.get_by_role("button", name="Show Documentation Explorer").click()
    page.get_by_role("link", name="Mutation", exact=True).click()
    page.get_by_role("link", name="CreateCustomerInput", exact=True).click()
    expect(page.locator(".graphiql-doc-explorer-content")).to_contain_text("acceptedTerms: Boolean!")

    run(page)
    expect(editor(page, "response")).to_contain_text('"CreateCustomerSuccess"')
    expect(editor(page, "response")).to_contain_text('"reference"')
    page.screenshot(path=tmp_path / "success.png")

    run(page)
    expect(editor(page, "response")).to_contain_text('"EmailTakenError"')
    expect(editor(page, "response")).to_contain_text('"EMAIL_TAKEN"')
    page.screenshot(path=tmp_path / "union-error.png")

    assert witness.complaints == []
    assert witness.hosts == {urlsplit(gateway_url).netloc}
