"""Uvicorn as we run it, seen on the wire."""

import pickle
import socket

import pytest

from graphql_api.server.server import hash_notes, listen, reopen_with_reuseport
from harness.gateway import Gateway
from harness.ports import HOST


def status_line(gateway: Gateway, head: str, body: bytes) -> bytes:
    with socket.create_connection((HOST, gateway.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return connection.recv(4096).partition(b"\r\n")[0]


def test_422_has_the_reason_phrase_of_the_contract(shared_gateway: Gateway) -> None:
    """The reason phrase of 422 is Unprocessable Content (contract 2.3) on every Python."""
    body = b'{"data": {"type": "customers", "attributes": {}}}'
    assert status_line(shared_gateway, "POST /customers HTTP/1.1", body) == b"HTTP/1.1 422 Unprocessable Content"


def test_413_has_the_reason_phrase_of_rfc_9110(shared_gateway: Gateway) -> None:
    """The reason phrase of 413 is Content Too Large at both doors."""
    head = "POST {} HTTP/1.1\r\nContent-Type: application/json"
    for path in ("/customers", "/graphql"):
        assert status_line(shared_gateway, head.format(path), b" " * 70_000) == b"HTTP/1.1 413 Content Too Large"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_workers_listen_beside_each_other(host: str) -> None:
    """Each worker accepts connections on a socket of its own; the parent's socket does not listen."""
    reopened = reopen_with_reuseport(listen(host, 0))
    address = reopened.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address[:2])
    own: list[socket.socket] = [pickle.loads(pickle.dumps(reopened)) for _ in range(2)]  # noqa: S301 - our own
    assert [each.getsockname() for each in own] == [address] * 2
    clients = [socket.create_connection(address[:2]) for _ in range(40)]
    for each in own:
        each.settimeout(10)
        each.accept()[0].close()
    for each in (reopened, *own, *clients):
        each.close()


def test_a_slow_build_of_argon2_is_told() -> None:
    """`serve` says that the portable build is slower, and nothing of one for a processor."""
    (note,) = hash_notes(None)
    assert "docs/speed.md" in note
    assert hash_notes("x86-64-v3") == []
