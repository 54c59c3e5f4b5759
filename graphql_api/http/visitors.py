"""What a request says about the client that sent it: its address, its device, and the cookie that it carries."""

from dataclasses import dataclass

from starlette.requests import Request

from graphql_api.http.client_ip import ClientIps
from graphql_api.server.refresh_cookie import NAME, PROOF, RefreshCookie
from registration.sessions.devices import Device


@dataclass(frozen=True, slots=True)
class Visitors:
    """Reads requests as the settings say.

    `place_header` is empty where no proxy names a place. `cookie_seconds` is how long a browser keeps a refresh token,
    None where it does not travel in a cookie.
    """

    client_ips: ClientIps
    place_header: str
    cookie_seconds: int | None

    def ip_of(self, request: Request) -> str:
        return self.client_ips.of(request)

    def device_of(self, request: Request) -> Device:
        """The device, and its place if a trusted proxy sent the request: of other peers the header is not believed."""
        is_named = self.place_header and self.client_ips.is_behind_proxy(request)
        place = request.headers.get(self.place_header, "") if is_named else ""
        return Device(request.headers.get("user-agent", ""), place)

    def refresh_cookie_of(self, request: Request) -> RefreshCookie | None:
        if self.cookie_seconds is None:
            return None
        return RefreshCookie(request.cookies.get(NAME, ""), bool(request.headers.get(PROOF)), self.cookie_seconds)
