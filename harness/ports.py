"""A free port on the loopback interface."""

import random
import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that is free now; it is not reserved. It lies below the range of outgoing connections.

    In that range a client that keeps connecting while its server is down can connect to itself and occupy the port.
    """
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - a port is no secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def free_ports(number: int) -> list[int]:
    """Different ports, as `free_port` finds them."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)
