"""Why PostgreSQL gave us no connection, in one line: the cause as driver or server say it, and what to do."""

import re

from psycopg import Error, ProgrammingError

from registration.storage.outages import Misconfigured, Unavailable

LONGEST = 400  # characters; with several hosts each has a cause
NOISE = re.compile(r"^(connection failed|connection is bad): |\s+Is the server running .*$", re.DOTALL)

# What only an operator can mend, and what passes by itself when another program has started. libpq gives no SQLSTATE
# for these. A server that speaks another language is quoted without advice.
LASTING = (
    ("password authentication failed", "check user and password"),
    ("no password supplied", "add the password: postgresql://user:password@host/database"),
    ('database "[^"]*" does not exist|no such database', "create it, with ENCODING 'UTF8', or check the name"),
    ('role "[^"]*" (does not exist|is not permitted)|no such user', "create the role, with LOGIN, or check the user"),
    ("does not support SSL", "turn TLS on in the server, or ask for it with another sslmode"),
    ("pg_hba.conf", "allow the connection in pg_hba.conf of the server, or use TLS: ?sslmode=require"),
    ("certificate", "check sslmode, sslrootcert and the certificate of the server"),
    ("invalid [a-z_]+ value", "correct the value"),
    ("invalid connection option", "leave it out; a pooler is recognised without an option"),
)
PASSING = (
    ("failed to resolve host", "check the host, or wait for its name"),
    ("[Cc]onnection refused|No such file", "start the server, or check host and port"),
    ("too many (clients|connections)|connection slots", "raise max_connections of the server, or run fewer workers"),
)


def connection_failure(error: Error, password: str | None) -> Unavailable:
    """The exception for a failed connection: Misconfigured where trying again is no use."""
    text = " ".join(NOISE.sub("", str(error)).split())[:LONGEST]
    shown = text.replace(password, "***") if password else text
    for kind, causes in ((Misconfigured, LASTING), (Unavailable, PASSING)):
        for pattern, advice in causes:
            if re.search(pattern, text):
                return kind(f"{shown}; {advice}")
    return Misconfigured(shown) if isinstance(error, ProgrammingError) else Unavailable(shown)
