"""GraphiQL's page and files, without a browser (tests/browser opens the real one)."""

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.testclient import TestClient

from graphql_api.pages import graphiql


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small directory with the files that console/build.py writes."""
    directory = tmp_path / "console"
    directory.mkdir()
    for name in ("main.js", "main.css", "a.woff2", "LICENSES.txt"):
        (directory / name).write_text("content")
    (directory / "stamp").write_text("4711")
    return directory


def client(bundle: Path) -> TestClient:
    async def page(request: Request) -> Response:
        return graphiql.page("n0nce", bundle)

    return TestClient(Router([Route("/graphql", page), *graphiql.routes(bundle)]))  # as the gateway serves them


def test_policy_allows_own_origin_and_the_nonce_only(bundle: Path) -> None:
    """The policy allows the own origin, the nonce and data pictures, and no inline script or frame."""
    policy = client(bundle).get("/graphql").headers["content-security-policy"]
    sources = {source for directive in policy.split("; ") for source in directive.split()[1:]}
    assert sources == {"'none'", "'self'", "'nonce-n0nce'", "data:"}
    assert policy.startswith("default-src 'none'; ")


def test_page_names_files_by_version_and_is_not_stored(bundle: Path) -> None:
    """The page is not stored, and names the files of the built version."""
    response = client(bundle).get("/graphql")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert 'src="graphiql/4711/main.js" nonce="n0nce"' in response.text
    assert 'href="graphiql/4711/main.css"' in response.text


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("main.css", "text/css; charset=utf-8"),
        ("a.woff2", "font/woff2"),
    ],
)
def test_files_are_typed_and_kept_for_ever(bundle: Path, name: str, content_type: str) -> None:
    """Each file has its exact type, and may be cached for ever."""
    headers = client(bundle).get(f"/graphiql/4711/{name}").headers
    assert headers["content-type"] == content_type
    assert "immutable" in headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["4711/nope.js", "4711/stamp", "4711/LICENSES.txt", "4711/..%2fgraphiql.py", "4711/%00", "0815/main.js"],
)
def test_nothing_but_the_bundle_is_served(bundle: Path, path: str) -> None:
    """Unknown names, other versions and paths out of the directory are answered 404."""
    assert client(bundle).get(f"/graphiql/{path}").status_code == 404


def test_a_file_that_is_gone_is_not_found(bundle: Path) -> None:
    """A file that a later build removed is answered 404."""
    gateway = client(bundle)
    (bundle / "main.js").unlink()
    assert gateway.get("/graphiql/4711/main.js").status_code == 404


def test_without_a_bundle_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a bundle the page is 503 with the commands that build it, in a checkout and for pip."""
    response = client(tmp_path).get("/graphql")
    assert response.status_code == 503
    assert "make run" in response.text
    assert "GATEWAY_GRAPHIQL=on pip install ." in response.text
