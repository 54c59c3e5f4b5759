"""The application: everything wired, top to bottom; it never decides anything."""

import gc
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import url2pathname

from starlette.requests import Request
from starlette.routing import Route, Router

from graphql_api.engine.context import Context
from graphql_api.engine.executor import Executor, Kind, OperationRequest
from graphql_api.engine.threads import Threads
from graphql_api.http.client_ip import client_ip as client_address
from graphql_api.http.client_ip import read_networks
from graphql_api.http.endpoint import GraphQLEndpoint, departure
from graphql_api.http.logs import configure_logs
from graphql_api.http.request_log import RequestLog
from graphql_api.http.strict_json import read_json
from graphql_api.pages import confirmation_page, email_change_page, graphiql, health, jwks, mailbox, password_page
from graphql_api.schema import HASHING_FIELDS, schema
from graphql_api.server.admission import Admission
from graphql_api.server.server import use_phrases_of_rfc_9110
from graphql_api.settings import GatewaySettings
from registration.language import negotiate
from registration.mail.relay import Relay
from registration.services import Services
from registration.sessions.sign_in import seconds_blocked
from registration.settings import read_settings
from registration.signing_up.batch import GROUP, SignUps
from registration.wiring import open_relay, open_services
from rest_compat import routes as rest_compat
from rest_compat.execution import Reply

AT_A_SLOT = 8
"""Operations in a hash slot or next to it, so that none idles while the event loop is busy with a burst of others.
Besides these, a group of sign-ups is on its way to the database."""


def from_environment() -> RequestLog:
    """What each worker of the server runs."""
    settings = read_settings(GatewaySettings)
    configure_logs(development=settings.development)
    use_phrases_of_rfc_9110()
    services = open_services(settings)
    relay = open_relay(settings, services) if settings.relay == "on" else None
    app = create_app(settings, services, relay)
    # All that is there now stays; looking through it again and again costs more than a request leaves behind.
    gc.collect()
    gc.freeze()
    return app


def create_app(settings: GatewaySettings, services: Services, relay: Relay | None = None) -> RequestLog:
    """The application; it closes services and relay when it is shut down."""
    # Concealing, the relay only looks by itself: if it were woken, the next request would feel what it has to do.
    if relay and not services.conceal:
        services = replace(services, mail_posted=relay.wake)
    under_way = settings.slots * AT_A_SLOT + GROUP
    admission = Admission(capacity=under_way, deadline=settings.queue_seconds, clock=time.monotonic)
    threads = Threads(hashing=under_way)
    sign_ups = SignUps(services)
    trusted = read_networks(settings.trusted_proxies)

    def context_for(request: Request) -> Context:
        return Context(
            services=services,
            threads=threads,
            sign_ups=sign_ups,
            language=negotiate(request.headers.get("accept-language", "")),
            client_address=client_address(request, trusted),
            authorization=request.headers.get("authorization"),
        )

    executor = Executor(
        schema._schema,  # the graphql-core schema: Strawberry offers no public name for it
        hashing_fields=HASHING_FIELDS,
        admission=admission,
        introspection=settings.enabled(settings.introspection),
        suggestions=settings.enabled(settings.field_suggestions),
    )
    endpoint = GraphQLEndpoint(
        executor=executor,
        context_for=context_for,
        queries_by_get=settings.enabled(settings.graphql_get),
        graphiql=(lambda _request: graphiql.page(token_urlsafe(16))) if settings.enabled(settings.graphiql) else None,
    )

    async def execute(request: Request, document: str, variables: Mapping[str, object]) -> Reply:
        operation = OperationRequest(document, variables)
        answer = await executor.execute(
            operation, context_for(request), mutation_allowed=True, departure=partial(departure, request)
        )
        status = 503 if answer.kind in {Kind.OVERLOADED, Kind.UNAVAILABLE} else 200
        return Reply(answer.data, answer.errors or (), status, answer.retry_after)

    async def blocked(request: Request, email: str) -> int | None:
        return await threads.run(seconds_blocked, services, email, client_address(request, trusted))

    @asynccontextmanager
    async def lifespan(_router: Router) -> AsyncIterator[None]:
        # A daemon, because a second Ctrl-C skips the shutdown below and must not wait for a mail server.
        sending = Thread(target=relay.run, name="relay", daemon=True) if relay else None
        if sending:
            sending.start()
        yield
        if relay and sending:
            relay.stop()
            sending.join()
        threads.close()
        sign_ups.close()
        services.close()

    *shim, any_path = rest_compat.routes(
        execute,
        read_json=read_json,
        policy=services.policy,
        base_url=settings.base_url,
        client_id=settings.token_audience,
        seconds_blocked=blocked,
        lockout_minutes=ceil(settings.lockout_block_seconds / 60),
        id_company_user=settings.id_company_user == "on",
    )
    routes = [
        Route("/graphql", endpoint),  # first, because a router tries them in turn
        *shim,
        *confirmation_page.routes(context_for),
        *password_page.routes(context_for),
        *email_change_page.routes(context_for),
        *health.routes(services.database, threads),
        *jwks.routes(services.signing_keys, threads),
    ]
    if settings.enabled(settings.graphiql):
        routes += graphiql.routes()
    if settings.enabled(settings.mailbox) and settings.mail_url.startswith("file:"):
        routes += mailbox.routes(mail_directory(settings))
    routes.append(any_path)
    # A router, not a Starlette application: RequestLog does what the layers of that one are for.
    return RequestLog(Router(routes, lifespan=lifespan))


def mail_directory(settings: GatewaySettings) -> Path:
    return Path(url2pathname(urlsplit(settings.mail_url).path))
