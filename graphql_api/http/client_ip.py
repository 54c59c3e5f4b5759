"""The IP address of a client, directly or behind trusted proxies; headers of other peers do not count."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request

from graphql_api.server.throttle import Throttle

IpAddress = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

MAX_HOPS = 32
"""Read from the right end of a header; a client can write thousands on the left."""

LOG_PAUSE_SECONDS = 60.0
LONGEST_HOP = 64
NOT_TOLD = "unknown"
"""The identifier of RFC 7239, 6.2 for a client that a proxy does not name."""

# A host with an optional port, which RFC 7239, 6 lets a proxy conceal.
HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|.*?)(?::(?:[0-9]{1,5}|_[\w.-]+))")
# name=value and what ends it. Proxies also write ports and brackets without the quotes that RFC 7239, 4 wants.
PARAMETER = r'[ \t]*+(?:([\w-]+)=("[^"]*"|[^",; \t]*)[ \t]*+)?([,;]|$)'
PARAMETERS = re.compile(f"(?:{PARAMETER})+")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection; one without an IP address, such as a Unix socket, has neither address nor text."""

    address: IpAddress | None
    text: str
    is_trusted: bool


class ClientIps:
    """Finds the addresses of clients behind the proxies in `trusted`. `clock` counts seconds."""

    def __init__(self, trusted: Networks, clock: Callable[[], float]) -> None:
        self._trusted = trusted
        self._lines = Throttle(LOG_PAUSE_SECONDS, clock)
        self._peer = lru_cache(maxsize=1024)(self._look_at)

    def of(self, request: Request) -> str:
        """The nearest address that is not a trusted proxy, read from the right end of X-Forwarded-For or Forwarded.

        A hop that is no address ends the search, and a log line says so: the proxy before it stands for the client.
        What is further left was written by the client, and the hop's own text can differ for each request (RFC 7239,
        6.3), which would leave guesses without a limit. Empty when the peer has no IP address (a Unix socket).
        """
        peer = self._peer_of(request)
        address = peer.address
        if address is None or not peer.is_trusted:
            return peer.text
        for hop in _hops(request.headers):
            found = _read_hop(hop)
            if found is None:
                self._tell(address, hop)
                break
            address = found
            if not self._is_trusted(address):
                break
        return str(address)

    def network_of(self, request: Request) -> str:
        """The network of the client for logs: /24 of IPv4, /48 of IPv6, which name no person; empty if unknown."""
        return _network(self.of(request))

    def is_behind_proxy(self, request: Request) -> bool:
        """Whether a trusted proxy sent the request, so that its headers are believed."""
        return self._peer_of(request).is_trusted

    def _peer_of(self, request: Request) -> Peer:
        host, _ = request.scope.get("client") or ("", 0)
        return self._peer(host)

    def _look_at(self, host: str) -> Peer:
        address = _read(host)
        return Peer(address, "" if address is None else str(address), address is not None and self._is_trusted(address))

    def _is_trusted(self, address: IpAddress) -> bool:
        return any(address in network for network in self._trusted)

    def _tell(self, proxy: IpAddress, hop: str) -> None:
        """Log the shape of a hop, at most once in LOG_PAUSE_SECONDS; the hop itself may be a client's address."""
        if not self._lines.count():
            return
        shape = re.sub(r"\w", "x", hop[:LONGEST_HOP], flags=re.ASCII)
        log.warning("a trusted proxy names a client unreadably and counts as the client", proxy=str(proxy), shape=shape)


def _hops(headers: Headers) -> Iterator[str]:
    """What the proxies wrote, the nearest first.

    A proxy that writes X-Forwarded-For always does, so Forwarded can then only be the client's.
    """
    if headers.get("x-forwarded-for") is not None:
        hops = ",".join(headers.getlist("x-forwarded-for")).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    else:
        hops = _forwarded(",".join(headers.getlist("forwarded")))[-MAX_HOPS:]
    # Empty elements of a list do not count (RFC 9110, 5.6.1.2).
    return filter(None, (hop.strip(" \t") for hop in reversed(hops)))


def _forwarded(header: str) -> list[str]:
    """The `for` of each element (RFC 7239, 4); one unreadable hop when the header is not written as it should be."""
    if not PARAMETERS.fullmatch(header):
        return [header]
    hops: list[str] = []
    element: list[tuple[str, str]] = []
    for name, value, end in re.findall(PARAMETER, header):
        element += [(name.lower(), value)] if name else []
        if end != ";":
            hops += [_client_of(element)] if element else []
            element = []
    return hops


def _client_of(element: list[tuple[str, str]]) -> str:
    """Two of them are none: a client can put the second into a host that the proxy copies."""
    clients = [value for name, value in element if name == "for" and value]
    return clients[0] if len(clients) == 1 else NOT_TOLD


def _read_hop(hop: str) -> IpAddress | None:
    """An address as proxies write it: bare, with a port, in brackets, in quotes."""
    text = hop.strip('"')
    if len(text) > LONGEST_HOP:
        return None
    with_port = HOST_AND_PORT.fullmatch(text)
    return _read(_bare(text)) or (_read(_bare(with_port[1])) if with_port else None)


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _read(text: str) -> IpAddress | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both versions shows IPv4 as ::ffff:192.0.2.1.
    return (address.version == 6 and address.ipv4_mapped) or address


@lru_cache(maxsize=1024)
def _network(client_ip: str) -> str:
    address = _read(client_ip.partition("%")[0])
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False)) if address else ""
