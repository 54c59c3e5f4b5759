"""The page behind "this was not me" in mails. Opening it changes nothing; its button secures the account."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import Page
from registration.account.securing import is_alert_key, secure_account
from registration.keys.used_keys import KeyKind, customer_of_used_key

PAGE = Page("/account/secure", "secure")


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    services, run = context.services, context.threads.run
    if await run(is_alert_key, services, key):
        return PAGE.render(context, "pending", 200, key=key)
    if await run(customer_of_used_key, services.database, KeyKind.ALERT, key, services.clock()):
        return PAGE.render(context, "done", 200)
    if await run(customer_of_used_key, services.database, KeyKind.ALERT_TAKEN, key, services.clock()):
        return PAGE.render(context, "taken", 409)
    return PAGE.render(context, "refused", 404)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    # Whatever came of it, the page of the key says so: of two clicks at once, the second one is refused.
    key = form.get("token", "")
    await context.threads.run(secure_account, context.services, key, context.client_ip)
    return PAGE.see(context, token=key)
