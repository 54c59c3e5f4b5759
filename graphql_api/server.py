"""Uvicorn as we run it: one or several workers behind one socket; it never knows what they serve."""

import socket
from contextlib import suppress

import uvicorn
from uvicorn.supervisors import Multiprocess

from graphql_api.http_protocol import HttpProtocol
from registration.settings import Settings

# What a request may still take after the signal to stop: the longest wait for a hash slot, and the work itself.
GRACE_SECONDS = 10


def run(settings: Settings) -> bool:
    """Serve until a signal comes; in-flight requests finish. False when the start failed."""
    config = uvicorn.Config(
        "graphql_api.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=HttpProtocol,
        # A proxy's headers are believed by our own setting only, and uvicorn's access log prints paths with tokens.
        proxy_headers=False,
        access_log=False,
        server_header=False,
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=round(settings.queue_seconds) + GRACE_SECONDS,
    )
    listener = config.bind_socket()
    announce(settings, listener)
    if settings.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return True
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after its clean stop
        server.run(sockets=[listener])
    return server.started


def announce(settings: Settings, listener: socket.socket) -> None:
    """Say where things are."""
    base = settings.base_url if settings.port else f"http://{settings.host}:{listener.getsockname()[1]}"
    print(f"GraphQL      {base}/graphql" + ("  (GraphiQL in a browser)" if settings.enabled(settings.graphiql) else ""))
    print(f"REST         {base}/customers")
    if settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:"):
        print(f"Mailbox      {base}/mailbox")
    print("Stop with Ctrl-C.", flush=True)
