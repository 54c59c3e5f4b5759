"""The look of every page that we serve, in every state; Chromium shows what the templates make."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from examples import demo
from registration.language import Language
from tests.browser.spa import AXE
from tests.browser.states import FACTS, Answers, Words, linked, of_development, states

pytestmark = pytest.mark.long
KINDS = {
    "success": {"confirmed", "disowned", "done"},
    "failure": {"refused", "taken", "not_an_address"},
    "wait": {"too_many", "unavailable"},
    "mail": {"sent", "resent"},
    "question": {"pending", "form"},
}
SITE = "http://pages.test"
NARROW, WIDE = 320, 1024
FIND = "axe.run().then(result => result.violations.map(each => [each.id, each.nodes[0].html]))"

CUT = """() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const box = text.parentElement.closest("main, header, footer")?.getBoundingClientRect();
    if (!box || !text.data.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = [...range.getClientRects()];
    if (lines.some((line) => line.left < box.left - 1 || line.right > box.right + 1)) found.push(text.data.trim());
  }
  return [document.documentElement.scrollWidth, found];
}"""
"""The width that the page needs, and texts that stand outside of their card."""

START = """() => {
  const heading = document.querySelector("h1"), { direction } = getComputedStyle(heading);
  const range = document.createRange();
  range.selectNodeContents(heading);
  const side = direction === "rtl" ? "right" : "left";
  return [direction, Math.abs(range.getClientRects()[0][side] - heading.getBoundingClientRect()[side]) < 1];
}"""
"""The direction of the page, and whether the first line of its heading begins at that side."""

LOOK = """() => {
  const main = getComputedStyle(document.querySelector("main")), mark = document.querySelector(".mark");
  return mark && { icon: mark.innerHTML.trim(), color: getComputedStyle(mark).color, edge: main.borderTopColor };
}"""

WIDEST = """(words) => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "17px system-ui, sans-serif";
  const widths = words.map((word) => pen.measureText(word).width);
  return [Math.max(...widths), widths.reduce((one, other) => one + other, 0)];
}"""
"""The width of the widest word, and that of all words."""


@pytest.fixture
def page(browser: BrowserContext) -> Page:
    page = browser.new_page()
    page.emulate_media(reduced_motion="reduce")
    return page


def serve(page: Page, answers: Answers) -> None:
    """Make the names of the answers addresses of the page."""

    def answer(route: Route) -> None:
        found = answers.get(unquote(route.request.url.removeprefix(f"{SITE}/")))
        if found is None:
            route.fulfill(status=200, content_type="text/html", body="<title>-</title>")
        else:
            route.fulfill(status=found.status, headers=found.headers, body=found.text)

    page.unroute_all()
    page.route("**/*", answer)


def test_every_state_is_looked_at() -> None:
    """No state that a page has is missed here, and no fact is for one that it does not have."""
    assert FACTS.keys() - set(states()) == set()
    assert {"confirmation disowned", "secure taken", "email_change taken", "password sent"} <= set(states())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used(page: Page, scheme: Any, tmp_path: Path) -> None:
    """Light and dark, axe-core finds nothing, no page breaks its own policy, and each kind of state has its look."""
    demo.install()
    complaints = list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": WIDE, "height": 768})
    session = page.context.new_cdp_session(page)
    answers = linked(Language.EN) | of_development(tmp_path)
    serve(page, answers)
    found, looks = dict[str, object](), dict[str, Any]()
    for name in answers:
        page.goto(f"{SITE}/{quote(name)}")
        looks[name] = page.evaluate(LOOK)
        page.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)
        # Not through the page's own eval, which the policy forbids.
        run = f"{AXE.read_text()}; {FIND}"
        result = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
        found[name] = result["result"].get("value")
    assert {name: each for name, each in found.items() if each != []} == {}
    assert [text for text in complaints if "Content Security Policy" in text] == []
    tell_apart({name: look for name, look in looks.items() if name in linked(Language.EN)})


def tell_apart(looks: dict[str, Any]) -> None:
    """Success, failure, a wait and a mail that is on its way have a colour and an icon each; a question has none."""
    kinds = {kind: [look for name, look in looks.items() if name.split()[1] in KINDS[kind]] for kind in KINDS}
    assert {kind: len({str(look) for look in found}) for kind, found in kinds.items()} == dict.fromkeys(KINDS, 1)
    assert kinds.pop("question")[0] is None
    for part in ("icon", "color", "edge"):
        assert len({found[0][part] for found in kinds.values()}) == len(kinds), part


def test_nothing_is_cut_off_on_a_narrow_screen(page: Page, tmp_path: Path) -> None:
    """At 320 px every text stands in its card, and begins at the side of its language.

    Looked at are English, the languages with the widest word and the widest texts, and Arabic.
    """
    page.set_viewport_size({"width": NARROW, "height": 640})
    answers = {language: linked(language) for language in Language}
    widths = {language: measured(page, answers[language]) for language in Language}
    widest = {max(widths, key=lambda language: widths[language][each]) for each in (0, 1)}
    answers[Language.EN] |= of_development(tmp_path)
    found = dict[str, object]()
    for language in sorted({Language.EN, *widest, Language("ar")}):
        expected = [NARROW, [], language.direction, True]
        serve(page, answers[language])
        for name in answers[language]:
            page.goto(f"{SITE}/{quote(name)}")
            if (seen := [*page.evaluate(CUT), *page.evaluate(START)]) != expected:
                found[f"{language} {name}"] = seen
    assert found == {}


def measured(page: Page, answers: Answers) -> list[float]:
    return list(page.evaluate(WIDEST, [word for answer in answers.values() for word in Words(answer.text).found]))
