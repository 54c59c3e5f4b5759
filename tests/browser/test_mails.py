"""The look of every mail in a browser, which stands for the mail programs of phones and desktops."""

from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from examples import demo
from registration.language import Language
from registration.mail.rendering import MailKind
from tests.browser.spa import AXE
from tests.registration.mail.test_rendering import CAFE, mail, part

pytestmark = pytest.mark.long
FIND = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']}).then(r => r.violations.map(v => [v.id, v.nodes[0].html]))"
LOOKED_AT = {Language.EN, Language("de"), Language("ar")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_mail_can_be_read(browser: BrowserContext, scheme: str, tmp_path: Path) -> None:
    """Light and dark, axe-core finds nothing; at 320 px nothing is cut off, in any language."""
    demo.install()
    page = browser.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.route("**/*", lambda route: route.abort())  # the logo
    found, expected = dict[str, object](), dict[str, object]()
    for kind, language in product(MailKind, Language):
        name, is_looked_at = f"{kind}-{language}-{scheme}", language in LOOKED_AT
        expected[name] = (320, [])
        page.set_viewport_size({"width": 320, "height": 640})
        page.set_content(part(mail(kind, shop=CAFE, language=language), "html"), wait_until="domcontentloaded")
        width, complaints = page.evaluate("document.documentElement.scrollWidth"), []
        if is_looked_at:
            page.screenshot(path=tmp_path / f"{name}-320.png", full_page=True)
            page.set_viewport_size({"width": 1024, "height": 768})
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
            complaints = page.evaluate(f"{AXE.read_text()}; {FIND}")
        found[name] = (width, complaints)
    assert found == expected
