"""TokenPair: the access token and the refresh token of a signed-in client."""

import strawberry

from registration.outcomes import Tokens


@strawberry.type(description="What a client holds to act for a customer.")
class TokenPair:
    token_type: str = strawberry.field(description="Always Bearer (RFC 6750).")
    access_token: str = strawberry.field(description="A JWT for the Authorization header.")
    expires_in: int = strawberry.field(description="Seconds until the access token expires.")
    refresh_token: str = strawberry.field(description="Opaque; works once, for a new pair.")


def token_pair(tokens: Tokens) -> TokenPair:
    return TokenPair(
        token_type="Bearer",  # noqa: S106 - the type of a token
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
    )
