"""Uvicorn as we run it: one or several workers behind one address; it never knows what they serve."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.supervisors import Multiprocess

from graphql_api.server.http_protocol import BoundedHttpProtocol
from graphql_api.settings import GatewaySettings
from registration.settings import SettingsError

# What a request may still take after the signal to stop: the longest wait for a hash slot, and the work itself.
GRACE_SECONDS = 10
BACKLOG = 2048


def run(settings: GatewaySettings) -> bool:
    """Serve until a signal comes; in-flight requests finish. False when the start failed.

    Raises SettingsError when the address cannot be had.
    """
    config = uvicorn.Config(
        "graphql_api.app:from_environment",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=BoundedHttpProtocol,
        # A proxy's headers are believed by our own setting only, and uvicorn's access log prints paths with tokens.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=round(settings.queue_seconds) + GRACE_SECONDS,
    )
    listener = listen(settings)
    announce(settings, listener)
    if settings.workers > 1:
        Multiprocess(config, sockets=[reopen_with_reuseport(listener)]).run()
        return True
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after its clean stop
        server.run(sockets=[listener])
    return server.started


def use_phrases_of_rfc_9110() -> None:
    """For the process that serves: Python before 3.13 has older names for 413 and 422; the wire contract has not."""
    httptools_impl.STATUS_LINE[413] = b"HTTP/1.1 413 Content Too Large\r\n"
    httptools_impl.STATUS_LINE[422] = b"HTTP/1.1 422 Unprocessable Content\r\n"


def listen(settings: GatewaySettings) -> socket.socket:
    """Ours, because uvicorn's own does not say which address could not be had."""
    is_version_6 = ":" in settings.host
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if is_version_6 else socket.AF_INET,
            backlog=BACKLOG,
            dualstack_ipv6=is_version_6,
        )
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in its own notation
        raise SettingsError(
            f"GATEWAY_HOST {settings.host} with GATEWAY_PORT {settings.port}: cannot listen there: {reason}"
        ) from None


class ReusePortSocket(socket.socket):
    """An address whose every worker gets a listening socket of its own, among which the kernel shares the clients out.

    Of one socket for all, the worker that wakes first takes every client who has come, and the others stay idle.
    """

    def __reduce__(self) -> tuple[Callable[..., socket.socket], tuple[object, ...]]:
        """What a worker makes of it, when it is handed over at its start."""
        return _listen_with_reuseport, (self.family, self.getsockname())


def reopen_with_reuseport(listener: socket.socket) -> ReusePortSocket:
    """Exchange a listening socket, which nobody else's could be beside, for its address."""
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


def announce(settings: GatewaySettings, listener: socket.socket) -> None:
    """Say where things are."""
    base = settings.base_url if settings.port else f"http://{settings.host}:{listener.getsockname()[1]}"
    print(f"GraphQL      {base}/graphql" + ("  (GraphiQL in a browser)" if settings.enabled(settings.graphiql) else ""))
    print(f"REST         {base}/customers")
    if settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:"):
        print(f"Mailbox      {base}/mailbox")
    print("Stop with Ctrl-C.", flush=True)
