"""A page that waits, with a real HTTP client and two workers: it learns what another device did."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import httpx2
import pytest

from harness.gateway import Gateway
from registration.keys.secret import load_secret
from registration.storage.database import open_database
from tests.conftest import Serve
from tests.graphql_api.installation import FORM
from tests.registration.stored import keys
from tests.waiting import PATIENCE

TABS = 8
CREATE = """
mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on CreateCustomerSuccess { handle } } }
"""
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"
FOLLOW = "subscription ($handle: String!) { registration(handle: $handle) { state } }"
STATES = ["PENDING", "CONFIRMED"]


def ask(gateway: Gateway, query: str, **given: object) -> dict[str, str]:
    body = {"query": query, "variables": {"input": given}}
    answer = httpx2.post(f"{gateway.base_url}/graphql", json=body, timeout=PATIENCE).json()
    (member,) = answer["data"].values()
    assert isinstance(member, dict)
    return member


def follow(gateway: Gateway, handle: str, opened: Barrier) -> list[str]:
    """The states that a tab sees, then what ended them: `complete`, or nothing."""
    seen = []
    request = {"query": FOLLOW, "variables": {"handle": handle}}
    headers = {"accept": "text/event-stream"}
    with httpx2.stream(
        "POST", f"{gateway.base_url}/graphql", json=request, headers=headers, timeout=PATIENCE
    ) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        for event, data in events(answer.iter_lines()):
            seen.append(json.loads(data)["data"]["registration"]["state"] if event == "next" else event)
            if seen == ["PENDING"]:
                opened.wait(PATIENCE)
    return seen


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Each event with its data; without heartbeats."""
    event = ""
    for line in lines:
        name, _, value = line.partition(":")
        if name == "event":
            event = value.strip()
        elif name == "data":
            yield event, value.strip()


def follow_in_tabs(threads: ThreadPoolExecutor, gateway: Gateway, handle: str) -> list["Future[list[str]]"]:
    """Open tabs; returns when each has seen that the sign-up is pending."""
    opened = Barrier(TABS + 1)
    tabs = [threads.submit(follow, gateway, handle, opened) for _ in range(TABS)]
    opened.wait(PATIENCE)
    return tabs


@pytest.mark.long
def test_tabs_follow_until_the_server_stops(serve: Serve, sqlite_url: str) -> None:
    """Tabs at two workers see a confirmation from elsewhere; SIGTERM ends those that still wait, without `complete`.

    The longest request may last an hour: a shutdown that waited for a stream would not end in time.
    """
    gateway = serve(GATEWAY_DATABASE_URL=sqlite_url, GATEWAY_WORKERS="2", GATEWAY_QUEUE_SECONDS="3600")
    with ThreadPoolExecutor(TABS) as threads, closing(open_database(sqlite_url)) as database:
        tabs = follow_in_tabs(threads, gateway, ask(gateway, CREATE, **FORM)["handle"])
        (key,) = keys(database, load_secret(gateway.keys_directory))
        ask(gateway, CONFIRM, token=key)
        assert [tab.result(PATIENCE) for tab in tabs] == [[*STATES, "complete"]] * TABS
        tabs = follow_in_tabs(threads, gateway, ask(gateway, CREATE, **FORM | {"email": "eve@example.org"})["handle"])
        gateway.process.send_signal(signal.SIGTERM)
        assert [tab.result(PATIENCE) for tab in tabs] == [["PENDING"]] * TABS
    assert gateway.process.wait(PATIENCE) == 0
    assert '"level": "error"' not in gateway.log.read_text()
