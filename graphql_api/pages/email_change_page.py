"""The page behind the link that confirms a new address. Opening it changes nothing; its button confirms."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import Page
from registration.account.email_change import address_of_key, confirm_email_change
from registration.keys.used_keys import KeyKind, customer_of_used_key

PAGE = Page("/register/confirm-email", "email_change")


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    services, run = context.services, context.threads.run
    if email := await run(address_of_key, services, key):
        return PAGE.render(context, "pending", 200, email=email, key=key)
    # Without the address: by now the customer may have another one, which is not for the reader of this mail.
    if await run(customer_of_used_key, services.database, KeyKind.EMAIL_CHANGE, key, services.clock()):
        return PAGE.render(context, "confirmed", 200)
    if await run(customer_of_used_key, services.database, KeyKind.EMAIL_TAKEN, key, services.clock()):
        return PAGE.render(context, "taken", 409)
    return PAGE.render(context, "refused", 404)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    # Whatever came of it, the page of the key says so: of two clicks at once, the second one is refused.
    key = form.get("token", "")
    await context.threads.run(confirm_email_change, context.services, key, context.client_ip)
    return PAGE.see(context, token=key)
