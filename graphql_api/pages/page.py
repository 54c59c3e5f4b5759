"""What the pages behind mailed links have in common: no script, no caching, and a GET changes nothing."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import structlog
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.engine.errors import UNAVAILABLE_RETRY_AFTER
from graphql_api.http.body import Encoded, TooLarge, read_body
from registration.language import LOCALE, Language, in_language, language_of, moment_in_words
from registration.notes import current_correlation_id, note
from registration.shop import Shop
from registration.storage.database import Unavailable
from registration.templates import templates

NOT_STORED = {"Cache-Control": "no-store"}

TONES = {
    **dict.fromkeys(("confirmed", "disowned", "done"), "success"),
    **dict.fromkeys(("sent", "resent"), "mailed"),
    **dict.fromkeys(("too_many", "unavailable"), "waiting"),
    **dict.fromkeys(("refused", "taken", "not_an_address"), "failure"),
}
"""How a state looks: its icon and its colour; a state that asks for something has none."""

MAX_FIELDS = 100
"""Of a form. Ours have at most four; to read 16,000 would hold up other requests."""

DIRECTORY = Path(__file__).with_name("templates")


@cache
def page_templates(own: str) -> Environment:
    """The templates of pages; those in the directory `own` are taken instead. Without one for the development tools."""
    return templates(DIRECTORY, own=own)


TEMPLATES = page_templates("")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A page at a path, with the template `<name>.html`.

    `results` are the states that GET shows without a key, because `see` leads there.
    """

    path: str
    name: str
    results: frozenset[str] = frozenset()

    def routes(
        self,
        context_for: Callable[[Request], Context],
        show: Callable[[Context, str], Awaitable[Response]],
        act: Callable[[Context, Mapping[str, str]], Awaitable[Response]],
    ) -> list[Route]:
        """`show` answers GET and gets the key of the link; `act` answers POST and gets the fields of the form."""

        def context_of(request: Request) -> Context:
            context = context_for(request)
            return replace(context, language=language_of(request.query_params.get(LOCALE, "")) or context.language)

        async def shown(request: Request) -> Response:
            context, query = context_of(request), request.query_params
            if query.get("done") in self.results:
                return self.render(context, query["done"], 200)
            return await self._answer(context, show(context, query.get("token", "")))

        async def acted(request: Request) -> Response:
            context = context_of(request)
            body = await read_body(request)
            if isinstance(body, TooLarge):
                return PlainTextResponse(f"The form is larger than {body.limit} bytes.", 413, NOT_STORED)
            if isinstance(body, Encoded):
                headers = NOT_STORED | {"Accept-Encoding": "identity"}
                return PlainTextResponse("The form must have no Content-Encoding.", 415, headers)
            form = _read_form(body) if isinstance(body, bytes) else {}
            return await self._answer(context, act(context, form))

        return [Route(self.path, shown, methods=["GET"]), Route(self.path, acted, methods=["POST"])]

    async def _answer(self, context: Context, answer: Awaitable[Response]) -> Response:
        try:
            return await answer
        except Unavailable as error:
            log.error("page.unavailable", reason=str(error))
            return self.render(context, "unavailable", 503, retry_after=UNAVAILABLE_RETRY_AFTER)

    def see(self, context: Context, **query: str) -> Response:
        """Lead from the answer to a form to a page that can be loaded again (RFC 9110, 15.4.4).

        `token` is the key of the link, `done` one of `results`.
        """
        location = f"?{urlencode({LOCALE: context.language.locale, **query})}"
        return RedirectResponse(location, 303, NOT_STORED | {"Referrer-Policy": "no-referrer"})

    def render(self, context: Context, state: str, status: int, **facts: object) -> Response:
        """The page in this state; its template gets the facts. `retry_after` is also a header."""
        note(outcome=state)
        nonce = secrets.token_urlsafe(16)
        html = html_of(self.name, state, context.services.shop, context.language, nonce, **facts)
        headers = NOT_STORED | {
            "Content-Language": context.language,
            # img-src data: is the empty icon, without which a browser asks for /favicon.ico.
            "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            # The URL of this page holds the key.
            "Referrer-Policy": "no-referrer",
        }
        if "retry_after" in facts:
            headers["Retry-After"] = str(facts["retry_after"])
        return HTMLResponse(html, status, headers)


def html_of(name: str, state: str, shop: Shop, language: Language, nonce: str, **facts: object) -> str:
    """A page in a state; its template gets the facts."""
    return (
        page_templates(shop.page_templates)
        .get_template(f"{name}.html")
        .render(
            state=state,
            tone=TONES.get(state, ""),
            shop=shop,
            language=language,
            nonce=nonce,
            # Relative to the page, which a proxy may serve at another path.
            action=f"?{LOCALE}={language.locale}",
            sign_in_url=in_language(shop.sign_in_url, language),
            in_words=moment_in_words,
            correlation_id=current_correlation_id(),
            **facts,
        )
    )


def _read_form(body: bytes) -> dict[str, str]:
    """Empty for a form with too many fields."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS))
    except ValueError:
        return {}
