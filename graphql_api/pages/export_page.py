"""The page behind the link to a customer's own data. Opening it changes nothing; its button downloads a JSON file."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import NOT_STORED, Page
from registration.account.data_export import export_by_key, is_export_key
from registration.readable_json import readable_json

PAGE = Page("/account/export", "export")
HEADERS = NOT_STORED | {"Content-Disposition": 'attachment; filename="my-data.json"', "Referrer-Policy": "no-referrer"}


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    if await context.threads.run(is_export_key, context.services, key):
        return PAGE.render(context, "pending", 200, key=key)
    return PAGE.render(context, "refused", 404)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    key = form.get("token", "")
    rows = await context.threads.run(export_by_key, context.services, key, context.client_ip)
    if rows is None:
        return PAGE.render(context, "refused", 404)
    return Response(readable_json(rows), headers=HEADERS, media_type="application/json")
