"""TokenPair: the access token and the refresh token of a signed-in client."""

import strawberry

from graphql_api.server.refresh_cookie import RefreshCookie
from registration.outcomes import Tokens


@strawberry.type(description="What a client holds to act for a customer.")
class TokenPair:
    token_type: str = strawberry.field(description="Always Bearer (RFC 6750).")
    access_token: str = strawberry.field(description="A JWT for the Authorization header.")
    expires_in: int = strawberry.field(description="Seconds until the access token expires.")
    refresh_token: str | None = strawberry.field(
        description="Opaque; works once, for a new pair. Null where a setting has it travel in a cookie instead."
    )


def token_pair(tokens: Tokens, cookie: RefreshCookie | None) -> TokenPair:
    """The pair; with a cookie the refresh token goes there."""
    if cookie:
        cookie.keep(tokens.refresh_token)
    return TokenPair(
        token_type="Bearer",  # noqa: S106 - the type of a token
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=None if cookie else tokens.refresh_token,
    )
