"""The page behind the link that confirms a new address. Opening it changes nothing; its button confirms."""

from collections.abc import Callable, Mapping
from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import Page
from registration import outcomes
from registration.account.email_change import address_of_key, confirm_email_change

PAGE = Page("/register/confirm-email", "email_change")


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    email = await context.threads.run(address_of_key, context.services, key)
    if email is None:
        return PAGE.render(context, "refused", 404)
    return PAGE.render(context, "pending", 200, email=email, key=key)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    key = form.get("token", "")
    outcome = await context.threads.run(confirm_email_change, context.services, key, context.client_ip)
    match outcome:
        case outcomes.Confirmed(customer):
            return PAGE.render(context, "confirmed", 200, email=customer.email)
        case outcomes.TokenRefused():
            return PAGE.render(context, "refused", 404)
        case outcomes.EmailTaken():
            return PAGE.render(context, "taken", 409)
    assert_never(outcome)
