"""Which client, network or mailbox a count belongs to; `rules/address.py` says when two addresses are the same."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

REMEMBERED = 1_000
DOTS_DO_NOT_COUNT = frozenset({"gmail.com", "googlemail.com"})


def client_of(client_ip: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address: one client has 2^64 of those. An unknown IP stays."""
    return _network(client_ip, 64) or client_ip


def wide_network_of(client_ip: str) -> str | None:
    """The /48 network of an IPv6 address, of which one client may have many /64; None for IPv4."""
    return _network(client_ip, 48)


def mailbox_of(email_key: str) -> str:
    """The mailbox that an address, given as its key, most likely belongs to: without +tag, at Google without dots.

    For counting only: a provider may well deliver two of these addresses to two people.
    """
    local, _, domain = email_key.rpartition("@")
    name = local.partition("+")[0] or local
    if domain in DOTS_DO_NOT_COUNT:
        return f"{name.replace('.', '')}@gmail.com"
    return f"{name}@{domain}"


@lru_cache(REMEMBERED)  # an operation that is charged and given back asks for the same several times
def _network(client_ip: str, prefix: int) -> str | None:
    try:
        address = ip_address(client_ip)
    except ValueError:  # not known
        return None
    return str(IPv6Network((int(address), prefix), strict=False)) if isinstance(address, IPv6Address) else None
