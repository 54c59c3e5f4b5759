"""The address of a database, as operators write it."""

import re
from collections.abc import Sequence

from sqlalchemy import URL, make_url

SEVERAL = re.compile(r"(?P<before>[\w+]+://(?:[^@]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>(?:[/?].*)?)", re.DOTALL)
HOST = re.compile(r"(?P<host>\[[^]]*]|[^:]*)(?::(?P<port>[0-9]*))?")


def address_of(text: str) -> URL:
    """As SQLAlchemy reads it, and as libpq lists hosts: `//user@h1:5432,h2:5433/name`, `?host=h1,h2&port=5432,5433`.

    A host without a port has the default port, and one port in the query is that of all hosts, as with libpq. Raises
    ArgumentError or ValueError, whose texts can quote the password.
    """
    several = SEVERAL.fullmatch(text)
    if several is None:
        return _with_a_port_each(make_url(text))
    places = [place for each in several["hosts"].split(",") if (place := HOST.fullmatch(each))]
    hosts = ",".join(place["host"].strip("[]") for place in places)
    ports = ",".join(place["port"] or "" for place in places)
    if len(places) <= several["hosts"].count(","):
        raise ValueError("a port is no number")
    return make_url(several["before"] + several["after"]).update_query_dict({"host": hosts, "port": ports})


def number_of_hosts(url: URL) -> int:
    """How many servers the address names; the driver tries one after the other."""
    return len(_listed(url.query.get("host", "")))


def _with_a_port_each(url: URL) -> URL:
    hosts, ports = _listed(url.query.get("host", "")), _listed(url.query.get("port", ""))
    if len(ports) not in {1, len(hosts)}:
        raise ValueError("needs a port for each host, or one for all")
    if ports == [""] or len(ports) == len(hosts):
        return url
    return url.update_query_dict({"port": ",".join(ports * len(hosts))})


def _listed(given: str | Sequence[str]) -> list[str]:
    return (given if isinstance(given, str) else ",".join(given)).split(",")
