"""The application: its parts, its routes and its life, wired from the settings."""

import gc
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from secrets import token_urlsafe
from threading import Thread

from starlette.requests import Request
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from graphql_api.engine.callers import Callers
from graphql_api.engine.context import Context
from graphql_api.engine.executor import Executor
from graphql_api.engine.outcome import Kind, OperationRequest
from graphql_api.engine.threads import Threads
from graphql_api.http.client_ip import ClientIps
from graphql_api.http.cors import Cors
from graphql_api.http.endpoint import GraphQLEndpoint, client_gone
from graphql_api.http.event_stream import EventStreams
from graphql_api.http.log_setup import configure_logs
from graphql_api.http.named_documents import NamedDocuments, read_manifest
from graphql_api.http.request_log import RequestLog
from graphql_api.http.router import DirectRouter
from graphql_api.http.strict_json import read_json
from graphql_api.http.visitors import Visitors
from graphql_api.operators.port import operators_served
from graphql_api.pages import (
    confirmation_page,
    development,
    email_change_page,
    export_page,
    graphiql,
    health,
    jwks,
    password_page,
    secure_page,
)
from graphql_api.schema import schema
from graphql_api.server.admission import Admission
from graphql_api.server.response_headers import SecurityHeaders, security_headers
from graphql_api.server.server import use_phrases_of_rfc_9110
from graphql_api.server.watch import Watch
from graphql_api.settings import GatewaySettings
from registration.environment import read_settings
from registration.hashing.batch import MAX_BATCH
from registration.keys.handles import Handle
from registration.language import negotiate
from registration.mail.relay import Relay
from registration.services import Services
from registration.sessions.batch import SignInBatcher
from registration.sessions.sign_in import seconds_blocked
from registration.signing_up.batch import SignUpBatcher
from registration.signing_up.progress import RegistrationState, settled
from registration.storage.database import Unavailable
from registration.tracing import traces
from registration.wiring import open_relay, open_services
from rest_compat import routes as rest_compat
from rest_compat.execution import Reply

GRAPHQL_AND_PUBLIC_PATHS = frozenset({"/graphql", jwks.PATH, "/openapi.json", "/healthz", "/readyz"})
"""Paths that pages of other origins may call and that are not the shim's."""

PER_SLOT = 8
"""Operations admitted per hash slot; > 1 keeps slots fed while the loop is busy. A batch comes on top."""

SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter while the event loop waits for it; Python's own choice is 0.005."""


def from_environment() -> ASGIApp:
    """What each worker of the server runs."""
    settings = read_settings(GatewaySettings)
    configure_logs(development=settings.development)
    use_phrases_of_rfc_9110()
    sys.setswitchinterval(SWITCH_SECONDS)
    if settings.traces == "on":
        traces.switch_on()
    services = open_services(settings)
    app = create_app(settings, services, open_relay(settings, services) if settings.relay == "on" else None)
    # What exists now lives until the process ends: to scan it at each collection costs more than a request's garbage.
    gc.unfreeze()  # of the application before SIGHUP
    gc.collect()
    gc.freeze()
    return app


def create_app(settings: GatewaySettings, services: Services, relay: Relay | None = None) -> ASGIApp:
    """The application; it closes services and relay when it is shut down."""
    parts = open_parts(settings, services)
    # A router, not a Starlette application: RequestLog does what the layers of that one are for.
    application: ASGIApp = RequestLog(
        DirectRouter(routes(settings, parts), lifespan=partial(lifespan, settings, parts, relay)),
        settings.longest_request,
        parts.visitors.client_ips,
    )
    security = security_headers(settings.strict_transport_seconds)
    if not settings.allowed_origins and not settings.development:
        return SecurityHeaders(application, security)
    # Outside of RequestLog, so that a page can read the answer to a fault, too.
    cors = Cors(
        application,
        origins=settings.allowed_origins,
        loopback=settings.development,
        own_paths=GRAPHQL_AND_PUBLIC_PATHS,
        credentials=settings.refresh_cookie == "on",
    )
    return SecurityHeaders(cors, security, cors.headers_for)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes share, opened once per process."""

    services: Services
    admission: Admission
    threads: Threads
    sign_ups: SignUpBatcher
    sign_ins: SignInBatcher
    callers: Callers
    executor: Executor
    visitors: Visitors
    registrations: Watch[Handle, RegistrationState]

    def context_for(self, request: Request) -> Context:
        return Context(
            services=self.services,
            threads=self.threads,
            admission=self.admission,
            sign_ups=self.sign_ups,
            sign_ins=self.sign_ins,
            callers=self.callers,
            language=negotiate(request.headers.get("accept-language", "")),
            client_ip=self.visitors.ip_of(request),
            registrations=self.registrations,
            authorization=request.headers.get("authorization"),
            device=self.visitors.device_of(request),
            refresh_cookie=self.visitors.refresh_cookie_of(request),
        )

    async def execute(self, request: Request, document: str, variables: Mapping[str, object]) -> Reply:
        """Run a constant document of the shim."""
        answer = await self.executor.execute_ours(
            OperationRequest(document, variables),
            replace(self.context_for(request), legacy=True, refresh_cookie=None),
            partial(client_gone, request),
        )
        status = 503 if answer.kind in {Kind.OVERLOADED, Kind.UNAVAILABLE} else 200
        return Reply(answer.data, answer.errors or (), status, answer.retry_after)

    async def seconds_blocked(self, request: Request, email: str) -> int | None:
        return await self.threads.run(seconds_blocked, self.services, email, self.visitors.ip_of(request))


def open_parts(settings: GatewaySettings, services: Services) -> Parts:
    in_flight = settings.slots * PER_SLOT + MAX_BATCH
    admission = Admission(capacity=in_flight, deadline=settings.queue_seconds, clock=time.monotonic)
    executor = Executor(
        schema._schema,  # the graphql-core schema: Strawberry offers no public name for it
        admission=admission,
        introspection=settings.enabled(settings.introspection),
        suggestions=settings.enabled(settings.field_suggestions),
    )
    threads = Threads(hashing=in_flight)
    return Parts(
        services=services,
        admission=admission,
        threads=threads,
        sign_ups=SignUpBatcher(services),
        sign_ins=SignInBatcher(services),
        callers=Callers(services, threads),
        executor=executor,
        visitors=Visitors(
            ClientIps(settings.trusted_networks, time.monotonic),
            settings.place_header,
            settings.refresh_token_seconds if settings.refresh_cookie == "on" else None,
        ),
        registrations=Watch(lambda handles: threads.run(settled, services, handles)),
    )


def routes(settings: GatewaySettings, parts: Parts) -> list[BaseRoute]:
    """In the order in which a router tries them: the GraphQL endpoint first, the path that matches everything last."""
    shim = rest_compat.routes(
        parts.execute,
        read_json=read_json,
        today=lambda: parts.services.clock().date(),
        policy=parts.services.policy,
        of_person=parts.services.of_person,
        smtputf8=parts.services.smtputf8,
        base_url=settings.base_url,
        client_id=settings.token_audience,
        seconds_blocked=parts.seconds_blocked,
        lockout_minutes=ceil(settings.lockout_block_seconds / 60),
        id_company_user=settings.id_company_user == "on",
        outages=(Unavailable,),
    )
    return [
        Route("/graphql", graphql_endpoint(settings, parts)),
        *shim.resources,
        *confirmation_page.routes(parts.context_for),
        *password_page.routes(parts.context_for),
        *email_change_page.routes(parts.context_for),
        *secure_page.routes(parts.context_for),
        *export_page.routes(parts.context_for),
        *health.routes(parts.services, parts.threads),
        *jwks.routes(parts.services.signing_keys, parts.threads),
        *development.routes(settings, parts.services.shop, otherwise=shim.any_path.app),
        shim.any_path,
    ]


def graphql_endpoint(settings: GatewaySettings, parts: Parts) -> GraphQLEndpoint[Context]:
    return GraphQLEndpoint(
        executor=parts.executor,
        context_for=parts.context_for,
        cookie_of=lambda context: context.refresh_cookie.answer if context.refresh_cookie else None,
        streams=EventStreams(parts.visitors.ip_of, *settings.stream_limits),
        queries_by_get=settings.enabled(settings.graphql_get),
        documents=NamedDocuments(read_manifest(settings.documents), only=settings.trusted_documents == "only"),
        graphiql=(lambda _request: graphiql.page(token_urlsafe(16))) if settings.enabled(settings.graphiql) else None,
    )


@asynccontextmanager
async def lifespan(
    settings: GatewaySettings, parts: Parts, relay: Relay | None, _router: Router
) -> AsyncIterator[None]:
    # Daemon: a second Ctrl-C skips the shutdown below and must not wait for a mail server.
    sending = Thread(target=relay.run, name="relay", daemon=True) if relay else None
    if sending:
        sending.start()
    with operators_served(settings, parts.services, parts.threads):
        yield
    if relay and sending:
        relay.stop()
        sending.join()
    parts.registrations.close()
    parts.executor.close()
    parts.threads.close()
    parts.sign_ups.close()
    parts.sign_ins.close()
    parts.services.close()
    traces.switch_off()
