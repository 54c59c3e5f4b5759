"""The page behind the link that confirms a sign-up. Opening it changes nothing; its buttons confirm or disown."""

from collections.abc import Callable, Mapping
from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import Page
from registration import outcomes
from registration.keys.used_keys import KeyKind, customer_of_used_key, was_used
from registration.signing_up.confirmation import confirm, disown, pending_sign_up, resend_confirmation

PAGE = Page("/register/confirm", "confirmation", frozenset({"resent"}))


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    services, run = context.services, context.threads.run
    if pending := await run(pending_sign_up, services, key):
        return PAGE.render(context, "pending", 200, pending=pending, key=key)
    used = await run(customer_of_used_key, services.database, KeyKind.CONFIRMATION, key, services.clock())
    if used:
        return PAGE.render(context, "confirmed", 200, customer=used)
    if await run(was_used, services.database, KeyKind.DISOWNED, key, services.clock()):
        return PAGE.render(context, "disowned", 200)
    return PAGE.render(context, "refused", 404)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    # The page of the key says what became of "confirm" and "disown": of two clicks at once, the second one is refused.
    match form.get("action"):
        case "confirm":
            return await _confirm(context, form)
        case "disown":
            return await _disown(context, form)
        case "resend":
            return await _resend(context, form)
        case _:
            return PAGE.render(context, "refused", 400)


async def _confirm(context: Context, form: Mapping[str, str]) -> Response:
    key = form.get("token", "")
    await context.threads.run(confirm, context.services, key, context.client_ip)
    return PAGE.see(context, token=key)


async def _disown(context: Context, form: Mapping[str, str]) -> Response:
    key = form.get("token", "")
    await context.threads.run(disown, context.services, key)
    return PAGE.see(context, token=key)


async def _resend(context: Context, form: Mapping[str, str]) -> Response:
    outcome = await context.threads.run(resend_confirmation, context.services, form.get("email", ""), context.client_ip)
    match outcome:
        case outcomes.Accepted():
            return PAGE.see(context, done="resent")
        case outcomes.Invalid():
            return PAGE.render(context, "not_an_address", 422)
        case outcomes.TooManyAttempts(seconds):
            return PAGE.render(context, "too_many", 429, retry_after=seconds)
    assert_never(outcome)
