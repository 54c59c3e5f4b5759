"""The IP address of a client, directly or behind trusted proxies; headers of other peers do not count."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

IpAddress = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def read_networks(text: str) -> Networks:
    """Networks or addresses, comma-separated; raises ValueError."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def client_ip(request: Request, trusted: Networks) -> str:
    """The nearest address that is not a trusted proxy, read from the right end of X-Forwarded-For.

    Empty when the peer has no IP address (a Unix socket).
    """
    address = _read_peer(request.client.host) if request.client else None
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while hops and address is not None and any(address in network for network in trusted):
        hop = _read(hops.pop())
        if hop is None:  # a proxy that writes anything else stands for its clients
            break
        address = hop
    return "" if address is None else str(address)


def _read(text: str) -> IpAddress | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A socket for both versions shows IPv4 as ::ffff:192.0.2.1.
    return (address.version == 6 and address.ipv4_mapped) or address


_read_peer = lru_cache(maxsize=1024)(_read)
