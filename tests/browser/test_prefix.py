"""Pages, tools and links behind a real proxy in a real browser: at the root of a host, and under a prefix."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from harness.gateway import Gateway
from harness.ports import HOST, free_port
from tests.browser.test_graphiql import editor, run
from tests.conftest import Serve
from tests.graphql_api.installation import FORM
from tests.nginx import running_nginx
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

# The prefix is stripped, and everything else is the shop's.
PROXY = """
server {{
    listen {host}:{port};
    location {prefix}/ {{
        proxy_pass http://{host}:{gateway}/;
    }}
}}
"""
RESET = """mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { __typename } }"""
SIGN_IN = """mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) {
  ... on CreateAccessTokenSuccess { tokens { accessToken } } } }"""
CHANGE = """mutation ($input: UpdateCustomerInput!) { updateCustomer(input: $input) { __typename } }"""


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway behind nginx; `url` is its public address."""

    gateway: Gateway
    url: str

    def ask(self, document: str, given: dict[str, object], token: str = "") -> dict[str, object]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": document, "variables": {"input": given}}
        answer = httpx2.post(f"{self.url}/graphql", json=body, headers=headers).json()
        assert "errors" not in answer
        found: dict[str, object] = next(iter(answer["data"].values()))
        return found

    def link(self, path: str) -> str:
        """The link to a page in the only mail that has one."""
        eventually(lambda: self._links(path))
        (link,) = self._links(path)
        return link

    def _links(self, path: str) -> list[str]:
        mails = (message_from_bytes(file.read_bytes(), policy=policy.default) for file in self._files())
        words = [word for mail in mails for word in str(mail.get_body(("plain",))).split()]
        return [word for word in words if word.startswith(f"{self.url}/{path}?token=")]

    def _files(self) -> Iterator[Path]:
        return self.gateway.mail_directory.glob("*.eml")


@pytest.fixture(params=["", "/account"])
def site(request: pytest.FixtureRequest, nginx: str, serve: Serve, sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    port, directory = free_port(), tmp_path / "nginx"
    url = f"http://{HOST}:{port}{request.param}"
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_MODE="development", GATEWAY_PUBLIC_URL=url)
    directory.mkdir()
    configuration = PROXY.format(host=HOST, port=port, prefix=request.param, gateway=gateway.port)
    with running_nginx(nginx, directory, configuration):
        yield Site(gateway, url)


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading").first).to_have_text(text)


def test_every_page_works_where_the_proxy_serves_it(site: Site, browser: BrowserContext) -> None:
    """From sign-up in GraphiQL to a change of address every link, form and file is found behind the proxy."""
    answers: list[tuple[str, int]] = []
    browser.on("response", lambda response: answers.append((response.url, response.status)))
    page = browser.new_page()
    sign_up_in_graphiql(site, page)
    confirm_from_the_mailbox(page, browser)
    choose_a_new_password(site, page)
    change_the_address(site, page)
    assert [answer for answer in answers if answer[1] >= 400] == []
    assert {urlsplit(url).netloc for url, _ in answers} == {urlsplit(site.url).netloc}


def sign_up_in_graphiql(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/graphql")
    expect(editor(page, "query-editor")).to_contain_text("# Sign up a customer.")
    run(page)
    expect(editor(page, "response")).to_contain_text('"CreateCustomerSuccess"')
    site.link("register/confirm")
    page.goto(f"{site.url}/mailbox")


def confirm_from_the_mailbox(page: Page, browser: BrowserContext) -> None:
    page.get_by_role("listitem").filter(has_text="sonia@example.com").get_by_role("link").click()
    with browser.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link").first.click()
    opened.value.get_by_role("button", name="Yes, confirm my address").click()
    heading(opened.value, "Done: your address is confirmed")
    page.get_by_role("link", name="All mails").click()
    heading(page, "Development mailbox")


def choose_a_new_password(site: Site, page: Page) -> None:
    site.ask(RESET, {"email": "sonia@example.com"})
    page.goto(site.link("password/restore"))
    page.get_by_label("New password", exact=True).fill("battery staple")
    page.get_by_label("New password once more").fill("battery staple")
    page.get_by_role("button", name="Save the password").click()
    heading(page, "Done: your password is new")


def change_the_address(site: Site, page: Page) -> None:
    tokens = site.ask(SIGN_IN, {"email": "sonia@example.com", "password": "battery staple"})["tokens"]
    assert isinstance(tokens, dict)
    site.ask(CHANGE, {"email": "sonia@example.net"}, tokens["accessToken"])
    page.goto(site.link("register/confirm-email"))
    page.get_by_role("button", name="Yes, use this address").click()
    heading(page, "Done: your new address is confirmed")


def test_documents_name_the_public_address(site: Site) -> None:
    """Self links of the REST door and the servers of its description begin with the public address."""
    document = {"data": {"type": "customers", "attributes": FORM | {"salutation": "Ms", "gender": "Female"}}}
    made = httpx2.post(f"{site.url}/customers", json=document).json()
    assert made["data"]["links"]["self"] == f"{site.url}/customers/{made['data']['id']}"
    assert httpx2.get(f"{site.url}/openapi.json").json()["servers"] == [{"url": site.url}]
