"""A visitor of the single-page example in a real browser, and the mails that the gateway sends."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from examples.demo import EXAMPLE
from harness.gateway import Gateway
from tests.waiting import eventually

AXE = EXAMPLE / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "difference engine"
NEW_PASSWORD = "analytical engine"
TEXTS = {"firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.org"}


@dataclass
class Visitor:
    """One tab. `complaints` are errors of its console and its scripts."""

    page: Page
    origin: str
    gateway: Gateway
    pictures: Path
    complaints: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """The names of the operations that the gateway was asked for."""

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("request", self._keep)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _keep(self, request: Request) -> None:
        if request.method == "POST" and request.post_data:
            self.sent.append(json.loads(request.post_data)["operationName"])

    def named(self, name: str, within: str = "main") -> Locator:
        return self.page.locator(f"{within} [name={name}]")

    def fill(self, within: str = "main", **values: str) -> None:
        for name, value in values.items():
            self.named(name, within).fill(value)

    def fill_the_form(self) -> None:
        self.named("salutation").select_option("MS")
        self.named("gender").select_option("FEMALE")
        self.fill(**TEXTS, password=PASSWORD, confirmPassword=PASSWORD)
        self.named("acceptedTerms").check()

    def press(self, within: str = "main") -> None:
        """Click the first main button."""
        self.page.locator(f"{within} button.primary").first.click()

    def succeeds(self, within: str) -> None:
        expect(self.page.locator(f"{within} .notice.success")).to_be_visible()

    def arrives(self, path: str) -> None:
        self.page.wait_for_url(f"**{path}")
        expect(self.page.locator("h1")).to_be_visible()

    def is_refused(self, *names: str, within: str = "main") -> None:
        """The fields, and no other ones, are marked and name what is wrong with them."""
        expect(self.page.locator("[aria-invalid=true]")).to_have_count(len(names))
        for name in names:
            control = self.named(name, within)
            assert control.get_attribute("aria-invalid") == "true"
            expect(self.page.locator(f"[id='{control.get_attribute('id')}-errors']")).not_to_be_empty()

    def look(self, name: str) -> None:
        """Keep a picture; axe-core finds nothing, and nothing is cut off at the side."""
        self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run().then(result => result.violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], name
        width = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], name

    def mailed_link(self, path: str, recipient: str = TEXTS["email"]) -> str:
        """The link to a page of the gateway."""
        return self._mailed(rf"http\S+/{path}\?token=\w+", recipient)

    def mailed_code(self) -> str:
        """The six digits that confirm the address."""
        return self._mailed(r"(?m)^\d{6}(?=\s*$)", TEXTS["email"])

    def _mailed(self, pattern: str, recipient: str) -> str:
        def found() -> list[str]:
            return [each for text in self._texts(recipient) for each in re.findall(pattern, text)]

        eventually(found)
        return found()[0]

    def _texts(self, recipient: str) -> Iterator[str]:
        for file in self.gateway.mail_directory.glob("*.eml"):
            mail = message_from_bytes(file.read_bytes(), policy=policy.default)
            body = mail.get_body(("plain",))
            if mail["to"] == recipient and body:
                yield str(body.get_content())


def confirm_elsewhere(context: BrowserContext, link: str) -> None:
    """Open the link of a mail in another tab, as another device would, and press its first button."""
    page = context.new_page()
    page.goto(link)
    page.locator("button").first.click()
    page.wait_for_load_state()
    page.close()
