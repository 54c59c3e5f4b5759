"""The confirmation page behind the link in the mail: reading it changes nothing, its buttons do; no JavaScript."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import assert_never
from urllib.parse import parse_qsl

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.body import TooLarge, read_body
from graphql_api.context import Context
from registration import outcomes
from registration.confirmation import confirm, disown, pending_sign_up, resend_confirmation
from registration.database import Unavailable
from registration.language import moment_in_words

PATH = "/register/confirm"
UNAVAILABLE_RETRY_AFTER = 5
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
log = structlog.get_logger(__name__)


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    def answering(
        handler: Callable[[Request, Context], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            context = context_for(request)
            try:
                return await handler(request, context)
            except Unavailable as error:
                log.error("page.unavailable", correlation_id=context.correlation_id, reason=str(error))
                return _page(context, "unavailable", 503, retry_after=UNAVAILABLE_RETRY_AFTER)

        return answer

    return [Route(PATH, answering(_show), methods=["GET"]), Route(PATH, answering(_act), methods=["POST"])]


async def _show(request: Request, context: Context) -> Response:
    key = request.query_params.get("token", "")
    pending = await context.threads.run(pending_sign_up, context.services, key)
    if pending is None:
        return _page(context, "refused", 404)
    return _page(context, "pending", 200, pending=pending, key=key)


async def _act(request: Request, context: Context) -> Response:
    body = await read_body(request)
    if isinstance(body, TooLarge):
        return PlainTextResponse(f"The form is larger than {body.limit} bytes.", 413)
    form = dict(parse_qsl(body.decode("utf-8", "replace"))) if isinstance(body, bytes) else {}
    match form.get("action"):
        case "confirm":
            return await _confirm(context, form)
        case "disown":
            return await _disown(context, form)
        case "resend":
            return await _resend(context, form)
        case _:
            return _page(context, "refused", 400)


async def _confirm(context: Context, form: Mapping[str, str]) -> Response:
    outcome = await context.threads.run(confirm, context.services, form.get("token", ""), context.client_address)
    match outcome:
        case outcomes.Confirmed(customer):
            return _page(context, "confirmed", 200, customer=customer)
        case outcomes.TokenRefused():
            return _page(context, "refused", 404)
    assert_never(outcome)


async def _disown(context: Context, form: Mapping[str, str]) -> Response:
    outcome = await context.threads.run(disown, context.services, form.get("token", ""))
    match outcome:
        case outcomes.Disowned():
            return _page(context, "disowned", 200)
        case outcomes.TokenRefused():
            return _page(context, "refused", 404)
    assert_never(outcome)


async def _resend(context: Context, form: Mapping[str, str]) -> Response:
    outcome = await context.threads.run(resend_confirmation, context.services, form.get("email", ""))
    match outcome:
        case outcomes.Accepted():
            return _page(context, "resent", 200)
        case outcomes.Invalid():
            return _page(context, "not_an_address", 422)
        case outcomes.TooManyAttempts(seconds):
            return _page(context, "too_many", 429, retry_after=seconds)
    assert_never(outcome)


def _page(context: Context, state: str, status: int, **facts: object) -> Response:
    nonce = secrets.token_urlsafe(16)
    language = context.language
    html = TEMPLATES.get_template(f"confirmation.{language}.html").render(
        state=state,
        language=language,
        nonce=nonce,
        path=PATH,
        in_words=moment_in_words,
        correlation_id=context.correlation_id,
        **facts,
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        # The address of this page holds the key.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if "retry_after" in facts:
        headers["Retry-After"] = str(facts["retry_after"])
    return HTMLResponse(html, status, headers)
