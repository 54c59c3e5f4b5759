"""The overhead besides the hash: CPU of a registration in a full batch at the cheapest profile, by part; no network.

`python -m benchmarks.overhead DATABASE_URL` prints the result as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from statistics import mean
from uuid import uuid4

from benchmarks.application import parts
from benchmarks.sign_up_request import attributes, graphql_request
from graphql_api.app import create_app
from graphql_api.http.log_setup import configure_logs
from graphql_api.settings import GatewaySettings
from harness.store import Store
from registration.hashing.batch import MAX_BATCH
from registration.language import Language
from registration.limits.budgets import Budgets
from registration.mail import outbox
from registration.outcomes import Registered
from registration.rules.sign_up import read_sign_up
from registration.services import Services, utc_now
from registration.signing_up.commit import commit
from registration.signing_up.new_account import PreparedSignUp
from registration.signing_up.sign_up import SignUpRequest, prepare
from registration.wiring import budgets_of

NUMBERS = count(1)
ROUNDS, WARM_UP = 200, 10
UNREACHED = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Breakdown:
    """CPU milliseconds of one registration in a batch of the largest size, in one process.

    `gateway` is routing, GraphQL, JSON and threads. `budgets` come on top of the total where they are on.
    """

    gateway: float
    rules: float
    hash: float
    transaction: float
    outbox: float
    budgets: float

    @property
    def total(self) -> float:
        return self.gateway + self.rules + self.hash + self.transaction + self.outbox


def measure(store: Store) -> Breakdown:
    """Measure in a process of its own, whose log is dropped."""
    command = [sys.executable, "-m", "benchmarks.overhead", store.url]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return Breakdown(**json.loads(done.stdout))


def break_down(url: str) -> Breakdown:
    """Measure each part alone; the transaction is a sign-up minus rules, hash and outbox."""
    with parts(url) as (settings, services), closing(services):
        whole = asyncio.run(_cpu_of_requests(settings, services)) / MAX_BATCH
        signed_up = _cpu_of(lambda: commit(services, [_draft(services) for _ in range(MAX_BATCH)])) / MAX_BATCH
        today = services.clock().date()
        rules = _cpu_of(lambda: read_sign_up(attributes(_new_address()), services.policy, today))
        hashed = _cpu_of(lambda: services.passwords.hash("correct horse"))
        posted = _cpu_of_posts(services)
        budgets = _cpu_of_budgets(settings, services)
    return Breakdown(
        gateway=whole - signed_up,
        rules=rules,
        hash=hashed,
        transaction=signed_up - rules - hashed - posted,
        outbox=posted,
        budgets=budgets,
    )


def _cpu_of(work: Callable[[], object]) -> float:
    for _ in range(WARM_UP):
        work()
    started = time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - started) * 1000 / ROUNDS


def _cpu_of_posts(services: Services) -> float:
    """CPU of one mail among many in a transaction, so that the transaction itself does not count."""
    post = partial(outbox.enqueue, kind="confirmation", customer_id=uuid4(), token_id=uuid4(), now=utc_now())
    return services.database.write(lambda connection: _cpu_of(lambda: post(connection)))


def _cpu_of_budgets(settings: GatewaySettings, services: Services) -> float:
    """What all budgets of production add to a registration; one client has all sign-ups, and none is refused.

    Batches with and without them take turns, because the difference is small.
    """
    unreached = dict.fromkeys(("limit_mails_per_client", "limit_hashes_per_client", "limit_mails"), UNREACHED)
    counted = replace(services, budgets=Budgets(budgets_of(settings.model_copy(update={"limits": "on", **unreached}))))
    return mean(_cpu_of_commit(counted) - _cpu_of_commit(services) for _ in range(ROUNDS)) / MAX_BATCH


def _cpu_of_commit(services: Services) -> float:
    drafts = [_draft(services) for _ in range(MAX_BATCH)]
    started = time.process_time()
    outcomes = commit(services, drafts)
    spent = time.process_time() - started
    if not all(isinstance(outcome, Registered) for outcome in outcomes):
        raise RuntimeError("a sign-up of the benchmark was refused")
    return spent * 1000


def _draft(services: Services) -> PreparedSignUp:
    draft = prepare(services, SignUpRequest(attributes(_new_address()), Language.EN, "127.0.0.1"))
    assert isinstance(draft, PreparedSignUp)
    return draft


async def _cpu_of_requests(settings: GatewaySettings, services: Services) -> float:
    app = create_app(settings, services)

    async def register() -> None:
        status, answer = await _ask(app, json.dumps(graphql_request(_new_address())).encode())
        if status != 200 or b"CreateCustomerSuccess" not in answer:
            raise RuntimeError(f"{status} {answer[:200]!r}")

    async def register_group() -> None:
        await asyncio.gather(*(register() for _ in range(MAX_BATCH)))

    for _ in range(WARM_UP):
        await register_group()
    started = time.process_time()
    for _ in range(ROUNDS):
        await register_group()
    return (time.process_time() - started) * 1000 / ROUNDS


async def _ask(app: Callable[..., Awaitable[None]], body: bytes) -> tuple[int, bytes]:
    """Status and body of a response, from an application that is called as a server would call it."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return messages.pop() if messages else await asyncio.Future()

    async def send(message: dict[str, object]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return int(str(answers[0]["status"])), b"".join(bytes(answer.get("body", b"")) for answer in answers)  # type: ignore[call-overload]


def _new_address() -> str:
    return f"overhead-{os.getpid()}-{next(NUMBERS)}@example.org"


if __name__ == "__main__":
    configure_logs(development=False)
    print(json.dumps(asdict(break_down(sys.argv[1]))))
