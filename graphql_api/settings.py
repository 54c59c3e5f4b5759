"""The settings of the gateway: those of the domain, and those of its two doors and its development tools."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from registration.environment import SettingsError
from registration.settings import ByMode, Settings, Switch

# As a browser writes it (RFC 6454, 6.2): without a path, and without the port that the scheme has by itself.
ORIGIN = re.compile(r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")

WORK_SECONDS = 10.0
"""How long a request may take besides its wait for a hash slot."""


class GatewaySettings(Settings):
    """Everything an operator can choose; each field is the variable GATEWAY_<FIELD>."""

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port to listen on")] = 8000
    relay: Annotated[Switch, Field(description="send mails from within serve")] = "on"
    trusted_proxies: Annotated[
        str,
        Field(description="networks whose X-Forwarded-For, Forwarded and traceparent count, comma-separated"),
    ] = ""
    place_header: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9-]{0,64}$",
            description="header in which a trusted proxy names the client's country or region; empty is none",
        ),
    ] = ""
    connections: Annotated[
        int, Field(ge=1, le=1_000_000, description="open connections of a worker, if `ulimit -n` allows as many")
    ] = 10_000
    limit_connections_per_client: Annotated[
        int,
        Field(ge=0, le=1_000_000, description="open connections of a client with a worker, but not of a trusted proxy"),
    ] = 256
    event_streams: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="open event streams (subscriptions) of a worker, at most half of its connections; 0 is none",
        ),
    ] = 1_000
    limit_event_streams_per_client: Annotated[
        int, Field(ge=0, le=1_000_000, description="the same of one client; 0 is any number")
    ] = 32
    event_stream_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="how long an event stream lasts; clients then open another")
    ] = 900.0
    cors_origins: Annotated[
        str,
        Field(
            description="origins whose pages may call from browsers: https://shop.example, …; development adds loopback"
        ),
    ] = ""
    refresh_cookie: Annotated[
        Switch, Field(description="GraphQL: the refresh token travels in a cookie that no script can read; needs https")
    ] = "off"
    hsts_seconds: Annotated[
        int,
        Field(
            ge=0, le=10**9, description="Strict-Transport-Security in production where PUBLIC_URL is https; 0 is off"
        ),
    ] = 365 * 24 * 3600
    id_company_user: Annotated[Switch, Field(description="idCompanyUser: null in token documents of the REST door")] = (
        "off"
    )
    queue_seconds: Annotated[float, Field(gt=0, le=3600, description="longest wait for a hash slot before 503")] = 5.0
    graphiql: Annotated[ByMode, Field(description="GraphiQL at /graphql")] = "mode"
    introspection: Annotated[ByMode, Field(description="schema introspection")] = "mode"
    field_suggestions: Annotated[ByMode, Field(description="'Did you mean' in errors")] = "mode"
    graphql_get: Annotated[ByMode, Field(description="queries by GET; with their hash always")] = "mode"
    documents: Annotated[
        str, Field(description="manifest of documents that clients may name by hash; `registration-gateway documents`")
    ] = ""
    trusted_documents: Annotated[
        Literal["off", "only"], Field(description="`only` refuses every document that DOCUMENTS does not list")
    ] = "off"
    mailbox: Annotated[ByMode, Field(description="development mailbox at /mailbox; needs a file: MAIL_URL")] = "mode"
    metrics_port: Annotated[
        int,
        Field(ge=0, le=65535, description="port for metrics in Prometheus' format, of its own per process; 0 is off"),
    ] = 0
    metrics_host: Annotated[str, Field(description="address that metrics are served on, without TLS or password")] = (
        "127.0.0.1"
    )
    metrics_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$", description="path of the metrics")] = "/metrics"
    operators_port: Annotated[
        int, Field(ge=0, le=65535, description="port of the operator schema at /operators; 0 is off")
    ] = 0
    operators_host: Annotated[
        str, Field(description="address that the operator schema is served on, without TLS; with tokens")
    ] = "127.0.0.1"
    traces: Annotated[
        Switch, Field(description="make spans with OpenTelemetry, which OTEL_… configures; needs the extra `traces`")
    ] = "off"
    allow_remote_development: Annotated[Switch, Field(description="development mode on a non-loopback HOST")] = "off"

    @field_validator("host")
    @classmethod
    def _host_is_one(cls, value: str) -> str:
        try:
            value.encode("idna")
        except UnicodeError:
            raise ValueError("is no address or name of a host") from None
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks_are_known(cls, value: str) -> str:
        for part in filter(None, value.replace(" ", "").split(",")):
            try:
                ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"names {part!r}, which is no address or network") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, value: str) -> str:
        for origin in _listed(value):
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"names {origin!r}, which is no origin: https://host or https://host:port, lower case")
        return value

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.development and self.allow_remote_development == "off" and not _is_loopback(self.host):
            raise ValueError("GATEWAY_HOST is not loopback in development; see GATEWAY_ALLOW_REMOTE_DEVELOPMENT")
        if self.refresh_cookie == "on" and not self.development and self.public_url.startswith("http:"):
            raise ValueError(
                "GATEWAY_REFRESH_COOKIE is on: browsers take its cookie by https only; see GATEWAY_PUBLIC_URL"
            )
        if self.trusted_documents == "only" and not self.documents:
            raise ValueError("GATEWAY_TRUSTED_DOCUMENTS needs GATEWAY_DOCUMENTS, the manifest of what is trusted")
        if self.mailbox == "on" and not self.development:
            raise ValueError("GATEWAY_MAILBOX shows every mail: it needs GATEWAY_MODE=development")
        return self

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(part, strict=False) for part in _listed(self.trusted_proxies))

    @property
    def longest_request(self) -> float:
        """Seconds after which a request is answered, whatever it waits for; a shutdown waits as long for it."""
        return self.queue_seconds + WORK_SECONDS

    @property
    def stream_limits(self) -> tuple[int, int, float]:
        """Of event streams: how many in all, how many of one client (0 is any number), and for how many seconds."""
        of_client = self.limit_event_streams_per_client if self.are_limits_on else 0
        return self.event_streams, of_client, self.event_stream_seconds

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins as browsers send them."""
        return _listed(self.cors_origins)

    @property
    def strict_transport_seconds(self) -> int:
        """How long browsers are to come by https only; 0 in development, where localhost has other servers."""
        return self.hsts_seconds if self.public_url.startswith("https:") and not self.development else 0

    def enabled(self, switch: ByMode) -> bool:
        """Whether a development tool is on: its own switch decides, or with `mode` the GATEWAY_MODE."""
        return self.development if switch == "mode" else switch == "on"

    @property
    def base_url(self) -> str:
        return self.public_url or f"http://{_reachable(self.host)}:{self.port}"

    def demand_addresses(self, *, serves: bool, sends: bool) -> None:
        """Raises SettingsError in production, where clients and recipients of mails cannot use the defaults."""
        lacks = []
        if not (self.public_url or (self.storefront_url and not serves)):
            lacks.append("GATEWAY_PUBLIC_URL is not set: name the address that clients use, like https://shop.example")
        if sends and "mail_from" not in self.model_fields_set:
            lacks.append("GATEWAY_MAIL_FROM is not set: name the sender of mails, like Shop <mail@shop.example>")
        if lacks and not self.development:
            raise SettingsError("; ".join(lacks))


def _listed(value: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in value.split(","))))


def _reachable(host: str) -> str:
    """The host of an address at which this machine reaches a gateway that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a link needs one address, not all
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
