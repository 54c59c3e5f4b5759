"""The page behind the link to a new password; it never shows or repeats one that was typed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphql_api.engine.context import Context
from graphql_api.pages.page import Page
from graphql_api.server.admission import Admitted
from graphql_api.types.messages import violation_message
from registration import outcomes
from registration.keys.used_keys import KeyKind, customer_of_used_key
from registration.outcomes import Violation, ViolationCode
from registration.passwords.reset import request_reset, reset, reset_refusal
from registration.rules.password import PasswordPolicy

PAGE = Page("/password/restore", "password", frozenset({"sent"}))


def routes(context_for: Callable[[Request], Context]) -> list[Route]:
    return PAGE.routes(context_for, _show, _act)


async def _show(context: Context, key: str) -> Response:
    services, run = context.services, context.threads.run
    if not await run(reset_refusal, services, key):
        return _form(context, key, 200, ())
    used = await run(customer_of_used_key, services.database, KeyKind.RESET, key, services.clock())
    return PAGE.render(context, "done", 200) if used else PAGE.render(context, "refused", 404)


async def _act(context: Context, form: Mapping[str, str]) -> Response:
    match form.get("action"):
        case "reset" if form.get("token"):
            return await _reset(context, form)
        case "request":
            return await _request(context, form)
        case _:
            return PAGE.render(context, "refused", 400)


async def _reset(context: Context, form: Mapping[str, str]) -> Response:
    attributes = {name: form.get(name, "") for name in ("token", "password", "confirmPassword")}
    turn = await context.run_in_turn(reset, context.services, attributes, context.client_ip)
    if not isinstance(turn, Admitted):
        return PAGE.render(context, "unavailable", 503, retry_after=turn.retry_after)
    outcome = turn.result
    match outcome:
        case outcomes.Done() | outcomes.ResetRefused():
            return PAGE.see(context, token=form["token"])
        case outcomes.Invalid():
            return _form(context, form["token"], 422, outcome.without_consequences)
    assert_never(outcome)


async def _request(context: Context, form: Mapping[str, str]) -> Response:
    email = form.get("email", "")
    outcome = await context.threads.run(request_reset, context.services, email, context.client_ip)
    match outcome:
        case outcomes.Accepted():
            return PAGE.see(context, done="sent")
        case outcomes.Invalid():
            return PAGE.render(context, "not_an_address", 422)
        case outcomes.TooManyAttempts(seconds):
            return PAGE.render(context, "too_many", 429, retry_after=seconds)
    assert_never(outcome)


def _form(context: Context, key: str, status: int, violations: Iterable[Violation]) -> Response:
    """The rules stand at the field before a mistake, and what is wrong stands at the field after one."""
    problems = dict[str, list[str]](password=[], confirmPassword=[])
    for found in violations:
        message = violation_message(found, context.language)
        if message not in problems["password"]:  # what is wrong with the password is not said of its copy again
            problems[found.attribute].append(message)
    rules = [violation_message(rule, context.language) for rule in _rules(context.services.policy)]
    rules = [rule for rule in rules if rule not in problems["password"]]
    return PAGE.render(context, "form", status, key=key, rules=rules, problems=problems)


def _rules(policy: PasswordPolicy) -> Iterator[Violation]:
    """What can be told of a good password before it is typed."""
    yield Violation("password", ViolationCode.TOO_SHORT, minimum=policy.min_length)
    if policy.character_rule:
        yield Violation("password", ViolationCode.PASSWORD_CHARACTERS)
