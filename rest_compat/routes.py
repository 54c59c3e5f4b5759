"""The routes of the REST door, for the end of the list: the last of them matches every path that is left."""

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from starlette.routing import Route

from registration.rules.password import PasswordPolicy
from registration.rules.person import LEGACY, PersonPolicy
from rest_compat.access_tokens import SecondsBlocked, access_tokens
from rest_compat.customer_confirmation import customer_confirmation
from rest_compat.customer_forgotten_password import customer_forgotten_password
from rest_compat.customer_password import customer_password
from rest_compat.customer_restore_password import customer_restore_password
from rest_compat.customers import customers
from rest_compat.door import Door, ReadJson
from rest_compat.execution import Execute
from rest_compat.jsonapi import link_base
from rest_compat.oauth_token import token_route
from rest_compat.openapi import openapi_route
from rest_compat.refresh_tokens import refresh_tokens


class Shim(NamedTuple):
    """All routes of the shim; `any_path` matches every path, so it must come after all others."""

    resources: list[Route]
    any_path: Route


def routes(
    execute: Execute,
    *,
    read_json: ReadJson,
    today: Callable[[], date],
    policy: PasswordPolicy,
    base_url: str,
    client_id: str,
    seconds_blocked: SecondsBlocked,
    lockout_minutes: int,
    id_company_user: bool,
    of_person: PersonPolicy = LEGACY,
    smtputf8: bool = True,
    outages: tuple[type[Exception], ...] = (),
) -> Shim:
    """`base_url` is the public address that self links start with; `client_id` is the only OAuth client.

    `today` returns the present day in UTC. `outages` are what callables raise when the database is gone.
    """
    resources = [
        customers(execute, policy, of_person=of_person, smtputf8=smtputf8),
        customer_confirmation(execute),
        customer_forgotten_password(execute),
        customer_restore_password(execute, policy),
        customer_password(execute, policy),
        access_tokens(
            execute,
            seconds_blocked=seconds_blocked,
            lockout_minutes=lockout_minutes,
            id_company_user=id_company_user,
        ),
        refresh_tokens(execute),
    ]
    door = Door(
        {resource.type: resource for resource in resources},
        link_base(base_url),
        execute,
        read_json,
        today,
        slow_rules=policy.breaches is not None or policy.min_strength > 0,
        outages=outages,
    )
    named = [openapi_route(resources, door.base_url), token_route(execute, client_id)]
    named += [route for name in door.resources for route in _resource_routes(name, door)]
    return Shim(named, _any_path(door))


def _resource_routes(name: str, door: Door) -> list[Route]:
    """The door reads the path itself; these routes give the log a template that holds no id."""
    return [Route(f"/{name}", door), Route(f"/{name}/{{id:path}}", door)]


def _any_path(door: Door) -> Route:
    route = Route("/{path:path}", door)
    # A path parameter would end at a line feed, which a path may hold as %0A.
    route.path_regex = re.compile("(?P<path>.*)", re.DOTALL)
    return route
