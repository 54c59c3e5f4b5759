"""A first confirmation by clicks from the mailbox, without JavaScript."""

import httpx2
from playwright.sync_api import BrowserContext, expect

MUTATION = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { ... on CreateCustomerSuccess { customer { reference } } }
}
"""
INPUT = {
    "salutation": "MS",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.org",
    "gender": "FEMALE",
    "password": "difference engine",
    "confirmPassword": "difference engine",
    "acceptedTerms": True,
}

# The browser is slow to start while the other tests use every core.
expect.set_options(timeout=30_000)


def test_a_newcomer_confirms_by_clicks(browser: BrowserContext, gateway_url: str) -> None:
    """The mail is listed, and the link in the frame of its HTML part opens a tab that confirms."""
    answer = httpx2.post(f"{gateway_url}/graphql", json={"query": MUTATION, "variables": {"input": INPUT}})
    reference = answer.json()["data"]["createCustomer"]["customer"]["reference"]

    page, complaints = browser.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{gateway_url}/mailbox")
    while page.get_by_text("There is no mail yet").is_visible():
        page.get_by_role("link", name="Look again").click()
    page.get_by_role("link", name="Please confirm your e-mail address").click()
    expect(page.get_by_role("row", name="To ada@example.org")).to_be_visible()
    with browser.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link", name="Confirm the e-mail address").click()
    confirmation = opened.value
    confirmation.get_by_role("button", name="Yes, confirm my address").click()
    expect(confirmation.get_by_text(reference)).to_be_visible()
    assert complaints == []
