"""Every state of every page that we serve, made from the templates with the longest facts that a page can show."""

import inspect
import re
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import Mock

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.testclient import TestClient

from graphql_api import pages
from graphql_api.pages import mailbox, page, start_page
from graphql_api.types.messages import violation_message
from registration.language import Language
from registration.notes import begin_notes
from registration.outcomes import Violation, ViolationCode
from registration.shop import Shop
from registration.signing_up.confirmation import PendingSignUp
from tests.graphql_api.pages.test_start_page import BROWSER


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


Answers: TypeAlias = dict[str, Answer]
SHOP = Shop("Café Ünal", "#7a1f5c", footer="Café Ünal GmbH, Lange Straße 1, Berlin")
EMAIL = "a" * 64 + "@" + "b" * 27 + ".example"
KEY = "0" * 32
NAME = "Wolfeschlegelsteinhausenbergerdorff"
PENDING = PendingSignUp(EMAIL, NAME, NAME, datetime(2026, 9, 30, 22, 30, tzinfo=UTC))
CUSTOMER = SimpleNamespace(first_name=NAME, reference="DE--1234567890")
OF_CUSTOMER = {NAME, EMAIL, CUSTOMER.reference}
MINUTES, HOURS = 59 * 60, 23 * 3600
RULES = [Violation("password", ViolationCode.TOO_SHORT, minimum=12)]
RULES += [Violation("password", ViolationCode.PASSWORD_CHARACTERS)]
DIFFERS = [Violation("confirmPassword", ViolationCode.PASSWORDS_DIFFER)]

FACTS: dict[str, dict[str, Any]] = {
    "confirmation pending": {"pending": PENDING, "key": KEY},
    "confirmation confirmed": {"customer": CUSTOMER},
    "confirmation too_many": {"retry_after": MINUTES},
    "confirmation unavailable": {"retry_after": 5},
    "email_change pending": {"email": EMAIL, "key": KEY},
    "email_change unavailable": {"retry_after": 5},
    "export pending": {"key": KEY},
    "export unavailable": {"retry_after": 5},
    "password form": {"key": KEY, "rules": RULES, "problems": {"password": [], "confirmPassword": []}},
    "password too_many": {"retry_after": HOURS},
    "password unavailable": {"retry_after": 5},
    "secure pending": {"key": KEY},
    "secure unavailable": {"retry_after": 5},
}
"""What the templates get besides the state; those of the other states get nothing."""

WRONG = {"key": KEY, "rules": [], "problems": {"password": RULES, "confirmPassword": DIFFERS}}


def modules() -> Iterator[ModuleType]:
    """Those of the pages behind mailed links."""
    for each in iter_modules(pages.__path__):
        module = import_module(f"{pages.__name__}.{each.name}")
        if isinstance(getattr(module, "PAGE", None), page.Page):
            yield module


def states() -> list[str]:
    """`page state` of each page behind a mailed link, as its module renders them."""
    found = list[str]()
    for module in modules():
        named = re.findall(r'PAGE\.render\(context, "(\w+)"', inspect.getsource(module))
        found += [f"{module.PAGE.name} {each}" for each in sorted({*named, *module.PAGE.results, "unavailable"})]
    return found


def linked(language: Language) -> Answers:
    """The pages behind mailed links, in each state."""
    answers: Answers = {name: rendered(name, FACTS.get(name, {}), language) for name in states()}
    return answers | {"password form problems": rendered("password form", WRONG, language)}


def rendered(name: str, facts: dict[str, Any], language: Language) -> Answer:
    page_name, state = name.split()
    by_name: dict[str, page.Page] = {module.PAGE.name: module.PAGE for module in modules()}
    context = Mock(language=language, sign_in_url="https://shop.example/login")
    context.services.shop = SHOP
    facts = {fact: told(value, language) for fact, value in facts.items()}

    def render() -> Response:
        begin_notes().update(correlation_id="0123456789abcdef")
        return by_name[page_name].render(context, state, 200, **facts)

    response = copy_context().run(render)
    return Answer(200, dict(response.headers), bytes(response.body).decode())


def told(value: Any, language: Language) -> Any:
    """Violations as their messages."""
    if isinstance(value, dict):
        return {name: told(each, language) for name, each in value.items()}
    return [violation_message(each, language) for each in value] if isinstance(value, list) else value


def of_development(directory: Path) -> Answers:
    """The start page and the mailbox, which speak English."""
    name, empty = "00000000-0000-4000-8000-000000000001", directory / "empty"
    empty.mkdir()
    (directory / f"{name}.eml").write_text(
        f"From: Shop <mail@shop.example>\nTo: {EMAIL}\nSubject: Please confirm your e-mail address\n"
        f"Date: Sat, 28 Nov 2026 20:00:00 +0000\nMessage-ID: <{name}@shop.example>\n\nhttp://pages.test/{'x' * 90}\n"
    )
    places = [start_page.Place(f"{NAME} {each}", f"/{NAME}") for each in range(3)]
    return {
        "start": get(Starlette(routes=start_page.routes(places, SHOP, Starlette())), "/"),
        "mailbox empty": get(Starlette(routes=mailbox.routes(empty, SHOP)), "/mailbox"),
        "mailbox mails": get(Starlette(routes=mailbox.routes(directory, SHOP)), "/mailbox"),
        "mailbox mail": get(Starlette(routes=mailbox.routes(directory, SHOP)), f"/mailbox/{name}"),
    }


def get(application: Starlette, path: str) -> Answer:
    with TestClient(application, base_url="http://localhost", client=("127.0.0.1", 50_000)) as client:
        response = client.get(path, headers={"accept": BROWSER})
    return Answer(response.status_code, dict(response.headers), response.text)


class Words(HTMLParser):
    """The words that a page shows, without those of a customer."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found = list[str]()
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found += [word for word in data.split() if word.rstrip(".") not in OF_CUSTOMER]
