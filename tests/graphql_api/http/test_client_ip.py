"""The IP address of a client: a header of an untrusted peer does not count."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from graphql_api.http.client_ip import LOG_PAUSE_SECONDS, ClientIps
from graphql_api.settings import GatewaySettings

TRUSTED = "10.0.0.0/8, 192.0.2.7,2001:db8::/32,"


Logs = list[MutableMapping[str, Any]]


def ips_behind(trusted: str, clock: Callable[[], float]) -> ClientIps:
    return ClientIps(GatewaySettings(trusted_proxies=trusted).trusted_networks, clock)


class Seconds:
    """A clock that stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    with capture_logs() as logs:
        yield logs


def request_of(peer: str | None, name: str, *forwarded: str) -> Request:
    headers = [(name.encode(), value.encode("latin-1")) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": None if peer is None else (peer, 50_000)})


def ip_of(peer: str | None, *forwarded: str, name: str = "x-forwarded-for", trusted: str = TRUSTED) -> str:
    return ips_behind(trusted, Seconds()).of(request_of(peer, name, *forwarded))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        # The peer, when it is not a trusted proxy: the client itself has then written the header.
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        # Behind one proxy, and behind two.
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1", "10.0.0.2"), "198.51.100.1"),
        # What the client itself wrote stands further left, and does not count.
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("10.0.0.9, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("127.0.0.1", "198.51.100.1"), "198.51.100.1"),
        # A request of a proxy itself, with or without a header.
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.2",), "10.0.0.2"),
        # Every form that proxies write: with a port, in brackets, in quotes, between white space.
        ("10.0.0.1", ("203.0.113.5:50001",), "203.0.113.5"),
        ("10.0.0.1", ("1.1.1.1, 203.0.113.5:50001 , 10.0.0.2:80",), "203.0.113.5"),
        ("10.0.0.1", ("[2001:db9::1]:443",), "2001:db9::1"),
        ("10.0.0.1", ("[2001:db9::1]",), "2001:db9::1"),
        ("10.0.0.1", ("[::ffff:198.51.100.1]:443",), "198.51.100.1"),
        ("10.0.0.1", ("2001:db9:0:0:0:0:0:1:443",), "2001:db9::1"),
        ("10.0.0.1", ('"[2001:db9::1]:443"',), "2001:db9::1"),
        ("10.0.0.1", (" \t198.51.100.1\t ",), "198.51.100.1"),
        # Empty elements of a list do not count.
        ("10.0.0.1", ("198.51.100.1,",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, ,, 10.0.0.2, ",), "198.51.100.1"),
        ("10.0.0.1", (", 198.51.100.1", ""), "198.51.100.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", (",,,",), "10.0.0.1"),
        # Version 6 in its canonical form; version 4 mapped to version 6.
        ("2001:db8::1", ("2001:0DB9:0:0::0001",), "2001:db9::1"),
        ("2001:db9::1", ("198.51.100.1",), "2001:db9::1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("::ffff:203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("fe80::1%eth0", (), "fe80::1%eth0"),
        # A Unix socket, or a test.
        (None, ("198.51.100.1",), ""),
        ("testclient", ("198.51.100.1",), ""),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: tuple[str, ...], address: str
) -> None:
    """The client is the rightmost address of the header that is not a trusted proxy."""
    assert ip_of(peer, *forwarded) == address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (("unknown",), "10.0.0.1"),
        (("198.51.100.1, \xff",), "10.0.0.1"),
        (("198.51.100.1, 10.0.0.2, unknown, 10.0.0.3",), "10.0.0.3"),
        (("198.51.100.1;4711",), "10.0.0.1"),
        (("198.51.100.1:port",), "10.0.0.1"),
        (("[2001:db9::1",), "10.0.0.1"),
        (("198.051.100.001",), "10.0.0.1"),
        (("1" * 10_000,), "10.0.0.1"),
    ],
)
def test_an_unreadable_hop_ends_the_search_with_a_warning(forwarded: tuple[str, ...], address: str, logs: Logs) -> None:
    """A hop that is no address makes the proxy before it the client, and a warning names that proxy."""
    assert ip_of("10.0.0.1", *forwarded) == address
    assert [(line["log_level"], line["proxy"]) for line in logs] == [("warning", address)]


def test_readable_hops_are_not_logged(logs: Logs) -> None:
    """A header in which every hop can be read leaves no line, and neither does a peer that is not trusted."""
    ip_of("10.0.0.1", "198.51.100.1:4711, 10.0.0.2,")
    ip_of("203.0.113.9", "unknown")
    assert logs == []


def test_the_warning_comes_once_in_a_while_and_shows_no_address(logs: Logs) -> None:
    """Unreadable hops are logged once a minute, by their shape: they may be an address of a client."""
    clock = Seconds()
    ips = ips_behind(TRUSTED, clock)
    unreadable = request_of("10.0.0.1", "x-forwarded-for", "198.51.100.1;4711")
    for clock.now in (0.0, 1.0, LOG_PAUSE_SECONDS - 1, LOG_PAUSE_SECONDS):
        assert ips.of(unreadable) == "10.0.0.1"
    assert [line["shape"] for line in logs] == ["xxx.xx.xxx.x;xxxx"] * 2


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (("for=198.51.100.1",), "198.51.100.1"),
        (("For=198.51.100.1;proto=https;by=10.0.0.1",), "198.51.100.1"),
        (('proto=https; for="198.51.100.1:4711" ; by=_proxy',), "198.51.100.1"),
        (('for="[2001:db9::1]"',), "2001:db9::1"),
        (('for="[2001:db9::1]:_port"',), "2001:db9::1"),
        (("for=[2001:db9::1]:443",), "2001:db9::1"),
        (("for=1.1.1.1, for=198.51.100.1, for=10.0.0.2",), "198.51.100.1"),
        (("for=1.1.1.1", "for=198.51.100.1 ,", ""), "198.51.100.1"),
        # A host that the proxy copied from the client is no element of its own.
        (('for=198.51.100.1;host="a,for=1.1.1.1"',), "198.51.100.1"),
    ],
)
def test_forwarded_counts_where_there_is_no_x_forwarded_for(forwarded: tuple[str, ...], address: str) -> None:
    """`Forwarded` of RFC 7239 names the client in `for`, read from the right end, too."""
    assert ip_of("10.0.0.1", *forwarded, name="forwarded") == address
    assert ip_of("203.0.113.9", *forwarded, name="forwarded") == "203.0.113.9"


@pytest.mark.parametrize(
    "forwarded",
    [
        "for=1.1.1.1, for=unknown",
        "for=1.1.1.1, for=_hidden",
        "for=1.1.1.1, for=",
        "for=1.1.1.1, proto=https",
        "for=198.51.100.1;host=a;for=1.1.1.1",
        'for=1.1.1.1;by=", for=198.51.100.1;host=a',
        'for=1.1.1.1;by=", for=198.51.100.1;host="a"',
        "for 1.1.1.1",
        " " * 60_000 + "x",
    ],
)
def test_a_forwarded_that_names_no_client_is_the_proxys_with_a_warning(forwarded: str, logs: Logs) -> None:
    """An element without one readable `for`, or a header that breaks the grammar, makes the proxy the client."""
    assert ip_of("10.0.0.1", forwarded, name="forwarded") == "10.0.0.1"
    assert len(logs) == 1


def test_x_forwarded_for_wins_over_forwarded() -> None:
    """A proxy that writes X-Forwarded-For passes on the Forwarded of a client, which does not count then."""
    headers = [(b"forwarded", b"for=1.1.1.1"), (b"x-forwarded-for", b"198.51.100.1")]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 50_000)})
    assert ips_behind(TRUSTED, Seconds()).of(request) == "198.51.100.1"


def test_only_the_hops_at_the_right_end_are_read() -> None:
    """A client that names thousands of trusted hops costs no more than a few, and ends as the last one read."""
    assert ip_of("10.0.0.1", "198.51.100.1," + "10.0.0.2," * 5_000 + "10.0.0.3") == "10.0.0.2"


def test_without_trusted_proxies_no_header_counts() -> None:
    """Without trusted proxies the peer is the client."""
    assert ip_of("10.0.0.1", "198.51.100.1", trusted="") == "10.0.0.1"


def test_trusting_every_network_takes_the_leftmost_address() -> None:
    """With 0.0.0.0/0 trusted, the leftmost address of the header counts."""
    assert ip_of("10.0.0.1", "1.1.1.1, 2.2.2.2", trusted="0.0.0.0/0") == "1.1.1.1"


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        (None, ""),
    ],
)
def test_logs_name_the_network_of_a_client(client: str | None, network: str) -> None:
    """A log line names the /24 or the /48 of a client, not its address; nothing where the peer has none."""
    assert ips_behind("", Seconds()).network_of(request_of(client, "x-forwarded-for")) == network
