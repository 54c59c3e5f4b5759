"""The proxy that loses answers."""

from socket import create_connection, create_server

from harness.lossy_connection import Proxy
from harness.ports import HOST, free_port


def test_a_target_that_is_down_for_a_while() -> None:
    """While nothing listens at the target the proxy closes its connections; afterwards it forwards again."""
    target = free_port()
    with Proxy(target) as proxy:
        with create_connection((HOST, proxy.port), timeout=5) as client:
            assert client.recv(1) == b""
        with create_server((HOST, target)) as server, create_connection((HOST, proxy.port), timeout=5) as client:
            server.settimeout(5)
            client.sendall(b"x")
            with server.accept()[0] as forwarded:
                assert forwarded.recv(1) == b"x"
