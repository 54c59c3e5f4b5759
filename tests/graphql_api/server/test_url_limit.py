"""Long URLs, on the wire of a real process."""

import socket

from harness.gateway import Gateway
from harness.ports import HOST


def _answer(gateway: Gateway, request: bytes) -> bytes:
    with socket.create_connection((HOST, gateway.port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _request(path: bytes) -> bytes:
    return b"DELETE " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_long_addresses(shared_gateway: Gateway) -> None:
    """A refresh token of 65,000 bytes in a path is served; a URL above the limit is answered 414 with the limit."""
    prefix = b"/refresh-tokens/"
    longest = _answer(shared_gateway, _request(prefix.ljust(65_535, b"d")))
    assert longest.startswith(b"HTTP/1.1 403 ")
    assert b'"code":"002"' in longest
    for length in (65_536, 100_000, 5_000_000):
        answer = _answer(shared_gateway, _request(prefix.ljust(length, b"d")))
        assert answer.startswith(b"HTTP/1.1 414 URI Too Long\r\n")
        assert answer.endswith(b"\r\n\r\nThe address of the request is longer than 65535 bytes.")
    query = _answer(shared_gateway, _request(b"/customers?a=".ljust(100_000, b"d")))
    assert query.startswith(b"HTTP/1.1 414 URI Too Long\r\n")


def test_other_bad_requests(shared_gateway: Gateway) -> None:
    """Bytes that are not HTTP are answered 400, and the gateway goes on."""
    assert _answer(shared_gateway, b"\x16\x03\x01 no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert _answer(shared_gateway, b"GET / HTTP/1.1\r\nno header\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert _answer(shared_gateway, _request(b"/nothing")).startswith(b"HTTP/1.1 404 ")
