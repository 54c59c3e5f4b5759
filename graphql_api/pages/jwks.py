"""The public keys that verify access tokens, as a JWK set (RFC 7517)."""

from typing import Any

from jwt import get_algorithm_by_name
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.engine.threads import Threads
from registration.keys.signing_keys import SigningKey, SigningKeys

PATH = "/.well-known/jwks.json"
# Verifiers ask again when a token names a key that they do not know, so this may be long.
HEADERS = {"Cache-Control": "public, max-age=300"}
# Of RSA keys, then of elliptic curves.
MEMBERS = ("kty", "n", "e", "crv", "x", "y")


def routes(signing_keys: SigningKeys, threads: Threads) -> list[Route]:
    async def show(_request: Request) -> Response:
        keys = await threads.run(signing_keys.all)
        return JSONResponse({"keys": [_jwk(key) for key in keys]}, headers=HEADERS)

    return [Route(PATH, show, methods=["GET"])]


def _jwk(key: SigningKey) -> dict[str, Any]:
    public = get_algorithm_by_name(key.algorithm).to_jwk(key.public, as_dict=True)
    members = {name: public[name] for name in MEMBERS if name in public}
    return {"kid": key.kid, "use": "sig", "alg": key.algorithm, **members}
