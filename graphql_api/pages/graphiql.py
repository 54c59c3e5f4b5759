"""GraphiQL, its page and its bundle: the gateway serves all of it, and the page may load from no other host."""

from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

BUNDLE = Path(__file__).parents[1] / "console"

# Addresses are relative to the page, which a proxy may serve under a prefix.
# The browser reads the nonce for the style elements of Monaco (GraphiQL's editor) from the script element.
# The empty icon keeps it from asking for /favicon.ico.
PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL - registration gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="graphiql/$version/main.css">
<script type="module" src="graphiql/$version/main.js" nonce="$nonce"></script>
</head>
<body>
<div id="graphiql">Loading GraphiQL. It needs JavaScript.</div>
</body>
</html>
""")

# img-src data: the editor's underlines and GraphiQL's icons are pictures inside the style sheet.
POLICY = Template(
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-$nonce'; worker-src 'self'; connect-src 'self'; "
    "font-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)

NOT_BUILT = """\
GraphiQL is not built yet.

In a checkout of the repository:  make run  (or: python console/build.py), then restart the gateway.
Installed by pip:  GATEWAY_GRAPHIQL=on pip install .  (it needs the npm registry once)
POST /graphql works without it.
"""

# Our own table: those of some systems know no fonts.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}


def page(nonce: str, bundle: Path = BUNDLE) -> Response:
    """The GraphiQL page, or 503 with the reason if it is not built. `nonce` must be new for each response."""
    version = built_version(bundle)
    if version is None:
        return PlainTextResponse(NOT_BUILT, status_code=503)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": POLICY.substitute(nonce=nonce),
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
    }
    return HTMLResponse(PAGE.substitute(nonce=nonce, version=version), headers=headers)


def routes(bundle: Path = BUNDLE) -> list[Route]:
    """The files of the bundle under a path that names their version, so that a browser may keep them for ever."""
    version = built_version(bundle)
    if version is None:
        return []
    files = {path.name: path for path in bundle.iterdir() if path.suffix in CONTENT_TYPES}

    async def bundled_file(request: Request) -> Response:
        path = files.get(request.path_params["name"])
        if path is None or not path.exists():  # another build may have replaced it
            return PlainTextResponse("Not Found", 404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(path, media_type=CONTENT_TYPES[path.suffix], headers=headers)

    return [Route(f"/graphiql/{version}/{{name}}", bundled_file)]


def built_version(bundle: Path) -> str | None:
    """The stamp that console/build.py writes last, a hash of all sources of the bundle; None when it is not built."""
    try:
        return (bundle / "stamp").read_text()
    except FileNotFoundError:
        return None
