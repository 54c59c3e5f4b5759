"""`make demo`: builds the single-page example and serves it beside a gateway, from another origin.

Only the installation of its packages needs a network: the npm registry, once.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from harness import client_package
from harness.client_package import NPM, is_older, run_npm
from harness.gateway import COMMAND, DIES_WITH_US
from harness.ports import HOST

EXAMPLE = Path(__file__).with_name("signup-spa")
BUILT = EXAMPLE / "dist"
STAMP = BUILT / "stamp"
PAGE = BUILT / "index.html"
# The gateway that index.html names.
WRITTEN = "http://127.0.0.1:8000"
# What the page may do: its own files, and calls to the gateway.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {gateway}; "
POLICY += "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def main() -> int:
    if sys.argv[1:] == ["--build"]:
        build()
        return 0
    gateway_port, page_port = os.environ.get("GATEWAY_PORT", "8000"), int(os.environ.get("DEMO_PORT", "8080"))
    build()
    with served(f"http://{HOST}:{gateway_port}", page_port) as origin:
        print(f"The sign-up is at {origin}, the mails are at http://{HOST}:{gateway_port}/mailbox", flush=True)
        # Ctrl-C reaches the gateway as well: it ends by itself.
        with subprocess.Popen([*DIES_WITH_US, COMMAND, "serve"]) as gateway:
            while True:
                try:
                    return gateway.wait()
                except KeyboardInterrupt:
                    continue


def build() -> None:
    """Install the packages that the lock names and build the files of the page, unless that has been done."""
    inputs = fingerprint()
    if STAMP.exists() and STAMP.read_text() == inputs:
        return
    print("Building the example: about a minute ...", flush=True)
    try:
        install()
        run_npm("run", "--silent", "build", cwd=EXAMPLE)
    except RuntimeError as error:
        raise SystemExit(f"{error}\nexamples/demo.py: the build failed; it needs the npm registry once") from None
    STAMP.write_text(inputs)


def install() -> None:
    """Build the package of the client, and install what the lock names, unless that has been done."""
    client_package.built()
    if is_older(EXAMPLE / "node_modules" / ".package-lock.json", [EXAMPLE / "package-lock.json"]):
        run_npm("ci", *NPM, cwd=EXAMPLE)


def fingerprint() -> str:
    """A hash over the names and bytes of everything the page is built from."""
    found = [*EXAMPLE.glob("*"), *EXAMPLE.glob("public/*"), *EXAMPLE.glob("src/**/*")]
    own = [path for path in found if path.is_file()]
    digest = sha256()
    for path in [*client_package.sources(), *sorted(own)]:
        digest.update(f"{path.name}\0".encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


@contextmanager
def served(gateway: str, port: int) -> Iterator[str]:
    """Serve the built page for this gateway; the value is the origin of the page. Port 0 is any free one."""
    page = PAGE.read_text("utf-8").replace(WRITTEN, gateway).encode()

    class Handler(SimpleHTTPRequestHandler):
        """The built files; every other path is a page of the application."""

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(BUILT))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            path = Path(self.translate_path(self.path))
            if path.is_file() and path != PAGE:
                super().do_GET()
            else:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY.format(gateway=gateway))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            super().end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the log is the gateway's."""

    server = ThreadingHTTPServer((HOST, port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
