"""Uvicorn as we run it: one or several workers behind one socket; it never knows what they serve."""

import socket
from contextlib import suppress

import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.supervisors import Multiprocess

from graphql_api.http_protocol import BoundedHttpProtocol
from registration.settings import Settings, SettingsError

# What a request may still take after the signal to stop: the longest wait for a hash slot, and the work itself.
GRACE_SECONDS = 10
BACKLOG = 2048


def run(settings: Settings) -> bool:
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
        Multiprocess(config, sockets=[listener]).run()
        return True
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after its clean stop
        server.run(sockets=[listener])
    return server.started


def use_phrases_of_rfc_9110() -> None:
    """For the process that serves: Python before 3.13 has older names for 413 and 422; the wire contract has not."""
    httptools_impl.STATUS_LINE[413] = b"HTTP/1.1 413 Content Too Large\r\n"
    httptools_impl.STATUS_LINE[422] = b"HTTP/1.1 422 Unprocessable Content\r\n"


def listen(settings: Settings) -> socket.socket:
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


def announce(settings: Settings, listener: socket.socket) -> None:
    """Say where things are."""
    base = settings.base_url if settings.port else f"http://{settings.host}:{listener.getsockname()[1]}"
    print(f"GraphQL      {base}/graphql" + ("  (GraphiQL in a browser)" if settings.enabled(settings.graphiql) else ""))
    print(f"REST         {base}/customers")
    if settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:"):
        print(f"Mailbox      {base}/mailbox")
    print("Stop with Ctrl-C.", flush=True)
