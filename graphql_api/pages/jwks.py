"""The public keys that verify access tokens, as a JWK set (RFC 7517)."""

from typing import Any

from jwt.algorithms import RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from graphql_api.engine.threads import Threads
from registration.keys.signing_keys import SigningKey, SigningKeys
from registration.sessions.access_tokens import ALGORITHM

PATH = "/.well-known/jwks.json"
# Verifiers ask again when a token names a key that they do not know, so this may be long.
HEADERS = {"Cache-Control": "public, max-age=300"}


def routes(signing_keys: SigningKeys, threads: Threads) -> list[Route]:
    async def show(_request: Request) -> Response:
        keys = await threads.run(signing_keys.all)
        return JSONResponse({"keys": [_jwk(key) for key in keys]}, headers=HEADERS)

    return [Route(PATH, show, methods=["GET"])]


def _jwk(key: SigningKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public, as_dict=True)
    return {"kid": key.kid, "use": "sig", "alg": ALGORITHM, "kty": public["kty"], "n": public["n"], "e": public["e"]}
