"""A bare Starlette route that answers a constant as JSON: reads through GraphQL are compared with it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def answer(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({"data": {"__typename": "Query"}})


app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])
