"""The IP address of a client: a header of an untrusted peer does not count."""

import pytest
from starlette.requests import Request

from graphql_api.http.client_ip import client_ip, read_networks

TRUSTED = "10.0.0.0/8, 192.0.2.7,2001:db8::/32,"


def ip_of(peer: str | None, *forwarded: str, trusted: str = TRUSTED) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    client = None if peer is None else (peer, 50_000)
    return client_ip(Request({"type": "http", "headers": headers, "client": client}), read_networks(trusted))


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
        # Garbage ends the search at the last valid address.
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, \xff",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1:4711",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2, unknown, 10.0.0.3",), "10.0.0.3"),
        ("10.0.0.1", ("1" * 10_000,), "10.0.0.1"),
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


def test_without_trusted_proxies_no_header_counts() -> None:
    """Without trusted proxies the peer is the client."""
    assert ip_of("10.0.0.1", "198.51.100.1", trusted="") == "10.0.0.1"


def test_trusting_every_network_takes_the_leftmost_address() -> None:
    """With 0.0.0.0/0 trusted, the leftmost address of the header counts."""
    assert ip_of("10.0.0.1", "1.1.1.1, 2.2.2.2", trusted="0.0.0.0/0") == "1.1.1.1"


def test_a_network_that_is_none_is_refused() -> None:
    """A text that is not a network raises ValueError."""
    with pytest.raises(ValueError, match="every"):
        read_networks("10.0.0.0/8, every")
