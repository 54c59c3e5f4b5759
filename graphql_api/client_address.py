"""Whose request it is, behind proxies that we trust; it never believes a header of anybody else."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.requests import Request

Networks = Sequence[IPv4Network | IPv6Network]


def read_networks(text: str) -> Networks:
    """Networks or addresses, comma-separated; raises ValueError."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def client_address(request: Request, trusted: Networks) -> str:
    """The nearest address that is not a trusted proxy, read from the right end of X-Forwarded-For."""
    address = request.client.host if request.client else ""
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while hops and _is_in(address, trusted):
        hop = hops.pop().strip()
        if not _is_address(hop):
            break
        address = hop
    return address


def _is_in(address: str, networks: Networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
