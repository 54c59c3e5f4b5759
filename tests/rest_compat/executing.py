"""Stands in for the gateway behind the shim: one answer for every operation; it keeps what it was asked to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request

from registration.rules import PasswordPolicy
from rest_compat.execution import Reply
from rest_compat.routes import routes


@dataclass(slots=True)
class Gateway:
    reply: Reply
    ran: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    async def execute(self, request: Request, document: str, variables: Mapping[str, object]) -> Reply:
        assert request.method == "POST"
        self.ran.append((document, variables))
        return self.reply


def application(gateway: Gateway, policy: PasswordPolicy | None = None) -> Starlette:
    policy = policy or PasswordPolicy(deny_list=frozenset({"password"}))
    return Starlette(routes=routes(gateway.execute, policy=policy, base_url="https://glue.example.com"))


NOTHING_RUNS = Gateway(Reply(None))
