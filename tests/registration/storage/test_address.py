"""Addresses of databases: one server, or several."""

import socket
from contextlib import closing

import pytest
from sqlalchemy import make_url

from harness.ports import HOST, free_port
from registration.storage.address import address_of, number_of_hosts
from registration.storage.database import Unavailable, open_database


def parameters(text: str) -> dict[str, str]:
    """What the driver is given."""
    url = address_of(text).set(drivername="postgresql+psycopg")
    _, given = url.get_dialect()().create_connect_args(url)
    return {name: str(value) for name, value in given.items()}


@pytest.mark.parametrize(
    ("text", "hosts", "ports"),
    [
        ("postgresql://u:p@h1:1,h2:2,h3:3/db?target_session_attrs=read-write", "h1,h2,h3", "1,2,3"),
        ("postgresql://u:p@h1,h2:2/db?target_session_attrs=read-write", "h1,h2", ",2"),
        ("postgresql://u:p@[::1]:1,[::2]/db?target_session_attrs=read-write", "::1,::2", "1,"),
        ("postgresql://u:p@/db?host=h1,h2&port=1,2&target_session_attrs=read-write", "h1,h2", "1,2"),
        ("postgresql://u:p@/db?host=h1,h2&port=1&target_session_attrs=read-write", "h1,h2", "1,1"),
        ("postgresql://u:p@/db?host=h1:1&host=h2:2&target_session_attrs=read-write", "h1,h2", "1,2"),
        ("postgresql+psycopg://u:p@h1:1,h2:2/db?target_session_attrs=read-write", "h1,h2", "1,2"),
    ],
)
def test_several_servers(text: str, hosts: str, ports: str) -> None:
    """Each form of libpq and of SQLAlchemy gives the driver the same list of hosts and ports."""
    rest = {"dbname": "db", "user": "u", "password": "p", "target_session_attrs": "read-write"}
    assert parameters(text) == rest | {"host": hosts, "port": ports}
    assert number_of_hosts(address_of(text)) == len(hosts.split(","))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u,v:p,q@h:5433/db",
        "postgresql://u:p@h:5433/db?options=-csearch_path%3Da,b",
        "postgresql:///a,b?host=h&port=5433",
        "sqlite:////var/a,b.db",
    ],
)
def test_one_server(text: str) -> None:
    """A comma elsewhere makes no list of hosts: SQLAlchemy reads the address."""
    assert number_of_hosts(address_of(text)) == 1
    assert address_of(text) == make_url(text)


@pytest.mark.parametrize("text", ["postgresql://h1:a,h2:2/db", "postgresql:///db?host=h1,h2,h3&port=1,2"])
def test_ports_that_do_not_fit(text: str) -> None:
    """A port that is no number, and more hosts than ports, are refused."""
    with pytest.raises(ValueError, match="port"):
        address_of(text)


@pytest.mark.seconds(30)
def test_a_server_that_is_gone_does_not_use_up_the_wait(postgresql_url: str) -> None:
    """The driver goes on to the next host when one refuses and when one is silent, and each failure is told."""
    rest = postgresql_url.partition("@")[2]
    with socket.create_server((HOST, 0), backlog=0) as silent:
        others = f"{HOST}:{free_port()},{HOST}:{silent.getsockname()[1]}"
        with closing(open_database(f"postgresql://postgres@{others},{rest}")) as database:
            assert database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one()) == 1
        with closing(open_database(f"postgresql://postgres@{others}/shop", wait=1)) as database:
            with pytest.raises(Unavailable) as caught:
                database.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
            assert "does not answer" in str(caught.value)
