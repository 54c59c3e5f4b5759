"""Uvicorn as we run it: one or several workers that listen on one address."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import ceil
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from threading import Thread
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http import httptools_impl

from graphql_api.server.connections import RESERVE, ConnectionLimits, Connections
from graphql_api.server.http_protocol import BoundedHttpProtocol
from graphql_api.server.notices import tell
from graphql_api.server.sighup import Check, Terminal, Workers
from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError
from registration.hashing.argon2id import built_for

BACKLOG = 2048
WORKER_SECONDS = 20
"""How long a worker may take to start, or to answer that it lives. Busy machines need more than uvicorn's five.

A worker that dies while it is asked is replaced only after that time.
"""

FIRST_OF_SYSTEMD = 3
"""The file descriptor of the first socket that systemd hands over."""

FILES_KEPT = 128
"""Files that a worker may need besides connections of clients: of the database, of mail servers, of keys and logs."""


def run(settings: GatewaySettings, is_fit: Check) -> bool:
    """Serve until SIGINT or SIGTERM comes; in-flight requests finish. False when the start failed.

    At SIGHUP begin anew, if the installation `is_fit`.

    Raises SettingsError when the process cannot listen on the address.
    """
    files = raise_open_files()
    inherited = inherited_listener()
    listener = inherited or listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    announce(settings.model_copy(update={"port": port}))
    limits = connection_limits(settings, files)
    streams = min(settings.event_streams, limits.total // 2)  # a stream holds its connection, and others need some
    # Each worker reads the environment itself, and its links name the port.
    os.environ |= {"GATEWAY_PORT": str(port), "GATEWAY_EVENT_STREAMS": str(streams)}
    if limits.total < settings.connections:
        tell(
            f"Open files are limited to {files}: {limits.total} connections, not {settings.connections} (ulimit -n).",
            development=settings.development,
            event="open files are limited",
            files=files,
            connections=limits.total,
        )
    if settings.workers > 1:
        # An inherited one cannot be bound again; workers then share it.
        shared = inherited or reopen_with_reuseport(listener)
        Workers(server_config(settings, limits), [shared], is_fit).run()
        return True
    terminal = Terminal()
    while True:
        server = uvicorn.Server(server_config(settings, limits))
        next_listener = serve_until_signal(server, listener, terminal, is_fit)
        if next_listener is None:
            return server.started
        listener = next_listener


def raise_open_files() -> int:
    """Raise the soft limit of open files of this process and its workers to the hard limit; returns the limit."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems allow less than the hard limit that they name
        setrlimit(RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return sys.maxsize if soft == RLIM_INFINITY else soft


def connection_limits(settings: GatewaySettings, files: int) -> ConnectionLimits:
    """What a worker may keep open with so many files, of which the database, mails and logs need some."""
    return ConnectionLimits(
        total=max(1, min(settings.connections, files - FILES_KEPT - RESERVE)),
        per_client=settings.limit_connections_per_client if settings.are_limits_on else 0,
        proxies=settings.trusted_networks,
    )


def server_config(settings: GatewaySettings, limits: ConnectionLimits) -> uvicorn.Config:
    """Holds the application that it has loaded, so a server that begins anew needs a new one."""
    return uvicorn_config(
        "graphql_api.app:from_environment",
        settings,
        limits,
        factory=True,
        workers=settings.workers,
        backlog=BACKLOG,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )


def uvicorn_config(
    app: ASGIApp | str, settings: GatewaySettings, limits: ConnectionLimits, **more: Any
) -> uvicorn.Config:
    """The bounds of every port that we serve HTTP on."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        # uvicorn calls it for each connection, as it would a class; a worker gets a copy of its own.
        http=cast("type[asyncio.Protocol]", partial(BoundedHttpProtocol, connections=Connections(limits))),
        # client_ip reads the headers of proxies, and uvicorn's access log would print paths with tokens.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=ceil(settings.longest_request),
        **more,
    )


def serve_until_signal(
    server: uvicorn.Server, listener: socket.socket, terminal: Terminal, is_fit: Check
) -> socket.socket | None:
    """Serve in this process; requests in flight finish. None after SIGINT, or when the start failed.

    At SIGHUP the server ends, too, if it could start again. Connections that come meanwhile wait at the socket that is
    returned.
    """
    next_listener: socket.socket | None = None

    def begin_anew() -> None:
        nonlocal next_listener
        if is_fit():
            with suppress(OSError):  # it is closed: the server has stopped meanwhile
                next_listener = next_listener or listener.dup()  # uvicorn closes its own
            server.should_exit = True

    def hang_up(_signal: int, _frame: object) -> None:
        if terminal.is_closed():
            server.should_exit = True
        else:
            Thread(target=begin_anew, daemon=True).start()  # to look takes time, in which requests go on

    signal.signal(signal.SIGHUP, hang_up)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start jobs in the background with it ignored
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again after its clean stop
        return None
    return next_listener


def use_phrases_of_rfc_9110() -> None:
    """Replace the older phrases for 413 and 422 of Python before 3.13 in this process, as the wire contract demands."""
    httptools_impl.STATUS_LINE[413] = b"HTTP/1.1 413 Content Too Large\r\n"
    httptools_impl.STATUS_LINE[422] = b"HTTP/1.1 422 Unprocessable Content\r\n"


def listen(host: str, port: int, server: str = "", *, reuse_port: bool = False) -> socket.socket:
    """The listening socket of the server whose settings are GATEWAY_<server>HOST and GATEWAY_<server>PORT.

    With `reuse_port` other workers have one, too.

    Raises SettingsError that names the address, which uvicorn's own socket does not.
    """
    is_version_6 = ":" in host
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if is_version_6 else socket.AF_INET,
            backlog=BACKLOG,
            reuse_port=reuse_port,
            dualstack_ipv6=is_version_6,
        )
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in its own notation
        raise SettingsError(
            f"GATEWAY_{server}HOST {host} with GATEWAY_{server}PORT {port}: cannot listen there: {reason}"
        ) from None


def inherited_listener() -> socket.socket | None:
    """The socket that systemd listens on for us (sd_listen_fds); GATEWAY_HOST and GATEWAY_PORT do not count then."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1"
    return socket.socket(fileno=FIRST_OF_SYSTEMD) if is_ours else None


class ReusePortSocket(socket.socket):
    """A bound socket that each worker unpickles as a listening socket of its own (SO_REUSEPORT).

    The kernel spreads connections over these sockets. With one shared socket the first worker to wake accepts every
    pending connection, and the others stay idle.
    """

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[object, ...]]:
        """How a worker unpickles it at its start."""
        return _listen_with_reuseport, (self.family, self.getsockname())


def reopen_with_reuseport(listener: socket.socket) -> ReusePortSocket:
    """Close a listening socket and bind its address again with SO_REUSEPORT, so that workers can listen on it, too."""
    reopened = ReusePortSocket(listener.family, listener.type)
    reopened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reopened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if listener.family == socket.AF_INET6:
        reopened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    address = listener.getsockname()
    listener.close()
    reopened.bind(address)
    return reopened


def _listen_with_reuseport(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    is_version_6 = family == socket.AF_INET6
    return socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=True, dualstack_ipv6=is_version_6)


def announce(settings: GatewaySettings) -> None:
    """Tell the URLs, and whether hashing is slower than it need be."""
    base = settings.base_url
    has_mailbox = settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:")
    tell(
        f"GraphQL      {base}/graphql" + ("  (GraphiQL in a browser)" if settings.enabled(settings.graphiql) else ""),
        f"REST         {base}/customers",
        *([f"Mailbox      {base}/mailbox"] if has_mailbox else []),
        "Stop with Ctrl-C.",
        *hash_notes(built_for()),
        development=settings.development,
        event="serving",
        graphql=f"{base}/graphql",
        rest=f"{base}/customers",
        hash_build=built_for() or "portable",
    )


def hash_notes(march: str | None) -> list[str]:
    """What to say of the build of Argon2: nothing of one for a processor, which `march` names."""
    if march:
        return []
    return ["Argon2 is the portable build: one for this processor hashes about 3 times faster (docs/speed.md)."]
