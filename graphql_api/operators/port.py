"""The application of the operator schema, and its server: a thread of each worker, with a port of its own."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread

import uvicorn
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from graphql_api.engine.executor import Executor
from graphql_api.engine.limits import Limits
from graphql_api.engine.threads import Threads
from graphql_api.http.client_ip import ClientIps
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.http.event_stream import EventStreams
from graphql_api.http.named_documents import NamedDocuments
from graphql_api.http.request_log import RequestLog
from graphql_api.operators.context import OperatorContext
from graphql_api.operators.door import BEARER, TokenDoor
from graphql_api.operators.schema import schema
from graphql_api.server.admission import Admission
from graphql_api.server.connections import ConnectionLimits
from graphql_api.server.response_headers import SecurityHeaders
from graphql_api.server.server import listen, uvicorn_config
from graphql_api.settings import GatewaySettings
from registration.services import Services
from registration.support.tokens import Bearer, bearer_of

PATH = "/operators"
CONNECTIONS = 64
LIMITS = Limits(root_fields=5)
"""A page of customers is 50 of them, and a document may ask for five."""


@contextmanager
def operators_served(settings: GatewaySettings, services: Services, threads: Threads) -> Iterator[None]:
    """Serve the operator schema until the block ends, if a setting asks for it. Raises SettingsError."""
    if not settings.operators_port:
        yield
        return
    listener = listen(settings.operators_host, settings.operators_port, "OPERATORS_", reuse_port=settings.workers > 1)
    limits = ConnectionLimits(total=CONNECTIONS, proxies=settings.trusted_networks)
    server = uvicorn.Server(uvicorn_config(operators_app(settings, services, threads), settings, limits))
    thread = Thread(target=server.run, args=([listener],), name="operators", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def operators_app(settings: GatewaySettings, services: Services, threads: Threads) -> ASGIApp:
    """The application: one path, and nothing of it without a token."""
    client_ips = ClientIps(settings.trusted_networks, time.monotonic)
    executor = Executor(
        schema._schema,
        admission=Admission(capacity=1, deadline=settings.queue_seconds, clock=time.monotonic),
        introspection=True,
        suggestions=True,
        limits=LIMITS,
    )

    def context_for(request: Request) -> OperatorContext:
        bearer: Bearer = request.scope[BEARER]
        return OperatorContext(services, threads, bearer.operator, bearer.scopes)

    async def look_up(token: str) -> Bearer | None:
        return await threads.run(bearer_of, services.database, token, services.clock())

    @asynccontextmanager
    async def lifespan(_router: Router) -> AsyncIterator[None]:
        yield
        executor.close()

    endpoint = GraphQLEndpoint(
        executor=executor,
        context_for=context_for,
        streams=EventStreams(client_ips.of, 0),
        queries_by_get=False,
        documents=NamedDocuments({}, only=False),
        graphiql=None,
    )
    door = TokenDoor(endpoint, look_up, client_ips.of, time.monotonic)
    router = Router([Route(PATH, door)], lifespan=lifespan)
    return SecurityHeaders(RequestLog(router, settings.longest_request, client_ips))
