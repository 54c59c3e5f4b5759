"""All of the shim, as routes for the end of the list: the last of them matches every path that is left."""

import re

from starlette.routing import Route

from registration.rules import PasswordPolicy
from rest_compat.customer_confirmation import customer_confirmation
from rest_compat.customers import customers
from rest_compat.door import Door, Verify
from rest_compat.execution import Execute
from rest_compat.jsonapi import link_base


async def no_token_is_good(token: str) -> None:
    """The `verify` of an installation that has issued no token yet."""


def routes(
    execute: Execute, *, policy: PasswordPolicy, base_url: str, verify: Verify = no_token_is_good
) -> list[Route]:
    """`base_url` is the public address that self links start with."""
    resources = [customers(execute, policy), customer_confirmation(execute)]
    door = Door({resource.type: resource for resource in resources}, link_base(base_url), verify)
    return [*(route for name in door.resources for route in _resource_routes(name, door)), _any_path(door)]


def _resource_routes(name: str, door: Door) -> list[Route]:
    """The door reads the path itself; these exist so that a log can name what was asked without naming who."""
    return [Route(f"/{name}", door), Route(f"/{name}/{{id:path}}", door)]


def _any_path(door: Door) -> Route:
    route = Route("/{path:path}", door)
    # A path parameter ends at a line feed, which a path may hold as %0A.
    route.path_regex = re.compile("(?P<path>.*)", re.DOTALL)
    return route
