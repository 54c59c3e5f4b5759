"""The wiring: the doors that settings open, and the parts that start and stop together."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from threading import enumerate as threads

import httpx2
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from graphql_api.app import create_app
from graphql_api.pages.graphiql import BUNDLE, built_version
from graphql_api.pages.mailbox import mail_directory
from graphql_api.settings import GatewaySettings
from registration.hashing.passwords import Passwords
from registration.notes import with_notes
from registration.storage.database import Database, open_database
from registration.wiring import open_relay
from tests.budgets import sign_up_budget
from tests.graphql_api.installation import CREATE, FORM, Installation, installed
from tests.graphql_api.pages.test_confirmation_page import locked
from tests.waiting import eventually

TOOLS = ("graphiql", "introspection", "field_suggestions", "graphql_get", "mailbox")


def tools_of(client: TestClient) -> set[str]:
    """The development tools that answer a client."""
    ask = client.post
    probes: dict[str, Callable[[], bool]] = {
        "graphiql": lambda: "GraphiQL" in client.get("/graphql", headers={"accept": "text/html"}).text,
        "introspection": lambda: "data" in ask("/graphql", json={"query": "{ __schema { types { name } } }"}).json(),
        "field_suggestions": lambda: "Did you mean" in ask("/graphql", json={"query": "{ registrationPolic }"}).text,
        "graphql_get": lambda: client.get("/graphql", params={"query": "{ __typename }"}).status_code == 200,
        "mailbox": lambda: client.get("/mailbox").status_code != 404,
    }
    assert set(probes) == set(TOOLS)
    return {name for name, probe in probes.items() if probe()}


def tools_under(sqlite_url: str, settings: GatewaySettings) -> set[str]:
    with installed(open_database(sqlite_url), settings) as installation:
        return tools_of(installation.client)


class TestDevelopmentTools:
    def test_are_absent_in_production(self, sqlite_url: str, tmp_path: Path) -> None:
        """In production no development tool is served, not even with mails in files."""
        settings = GatewaySettings(mail_url=f"file://{tmp_path}")
        assert tools_under(sqlite_url, settings) == set()

    def test_are_there_in_development(self, sqlite_url: str, tmp_path: Path) -> None:
        """In development every development tool is served."""
        settings = GatewaySettings(mode="development", mail_url=f"file://{tmp_path}")
        assert tools_under(sqlite_url, settings) == set(TOOLS)

    @pytest.mark.parametrize("tool", sorted(set(TOOLS) - {"mailbox"}))
    def test_can_be_switched_on_one_by_one(self, sqlite_url: str, tool: str) -> None:
        """In production each tool but the mailbox can be switched on alone."""
        assert tools_under(sqlite_url, GatewaySettings.model_validate({tool: "on"})) == {tool}

    @pytest.mark.parametrize("tool", TOOLS)
    def test_can_be_switched_off_one_by_one(self, sqlite_url: str, tmp_path: Path, tool: str) -> None:
        """In development each tool can be switched off alone."""
        settings = GatewaySettings.model_validate(
            {"mode": "development", "mail_url": f"file://{tmp_path}", tool: "off"}
        )
        assert tools_under(sqlite_url, settings) == set(TOOLS) - {tool}

    def test_show_no_mailbox_where_mails_are_no_files(self, sqlite_url: str) -> None:
        """Without a mail directory there is no mailbox."""
        settings = GatewaySettings(mode="development", mail_url="smtp://127.0.0.1")
        assert tools_under(sqlite_url, settings) == set(TOOLS) - {"mailbox"}


@pytest.mark.skipif(built_version(BUNDLE) is None, reason="GraphiQL is not built: make console")
@pytest.mark.parametrize(("graphiql", "status"), [("on", 200), ("off", 404)])
def test_the_files_of_graphiql_come_and_go_with_it(sqlite_url: str, graphiql: str, status: int) -> None:
    """The files of GraphiQL are served only with its page."""
    with installed(open_database(sqlite_url), GatewaySettings.model_validate({"graphiql": graphiql})) as installation:
        assert installation.client.get(f"/graphiql/{built_version(BUNDLE)}/main.js").status_code == status


def test_mutations_are_refused_by_get(sqlite_url: str) -> None:
    """A mutation by GET is answered 405, even where queries by GET are on."""
    with installed(open_database(sqlite_url), GatewaySettings(mode="development")) as installation:
        parameters = {"query": CREATE, "variables": json.dumps({"input": FORM})}
        response = installation.client.get("/graphql", params=parameters)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert installation.client.head("/graphql").status_code == 405


def test_the_mail_directory_is_read_as_the_sender_writes_it() -> None:
    """The mailbox reads the directory of GATEWAY_MAIL_URL, even with spaces in its name."""
    assert mail_directory("file:///var/my%20mails") == Path("/var/my mails")


class TestTheClientAddress:
    def sign_up(self, client: TestClient, email: str, forwarded: str) -> str:
        body = {"query": CREATE, "variables": {"input": FORM | {"email": email}}}
        response = client.post("/graphql", json=body, headers={"x-forwarded-for": forwarded})
        return str(response.json()["data"]["createCustomer"]["__typename"])

    @pytest.mark.parametrize(
        ("trusted_proxies", "second"),
        [("10.0.0.0/8", "CreateCustomerSuccess"), ("", "TooManyAttemptsError")],
    )
    def test_is_that_of_the_client_behind_trusted_proxies_only(
        self, sqlite_url: str, trusted_proxies: str, second: str
    ) -> None:
        """X-Forwarded-For counts from trusted proxies only."""
        with installed(open_database(sqlite_url), budgets=sign_up_budget(1)) as installation:
            app = create_app(GatewaySettings(trusted_proxies=trusted_proxies), installation.services)
            client = TestClient(app, client=("10.0.0.1", 50_000))
            assert self.sign_up(client, "ada@example.org", "198.51.100.1") == "CreateCustomerSuccess"
            assert self.sign_up(client, "bob@example.org", "198.51.100.2") == second
            assert self.sign_up(client, "eve@example.org", "198.51.100.1") == "TooManyAttemptsError"


class TestTheRelay:
    def test_runs_with_the_application_and_stops_with_it(self, database: Database, tmp_path: Path) -> None:
        """The relay sends the mail of a sign-up, and no thread is left after the end."""
        settings = GatewaySettings(mail_url=f"file://{tmp_path}/mail", storefront_url="https://shop.example")
        before = set(threads())
        with capture_logs(), installed(database, settings) as installation:
            relay = open_relay(settings, installation.services)
            with TestClient(create_app(settings, installation.services, relay)) as client:
                client.post("/graphql", json={"query": CREATE, "variables": {"input": FORM}})
                mail = self.mail_in(tmp_path / "mail")
            assert "https://shop.example/register/confirm?token=" in mail.replace("=\r\n", "").replace("=3D", "=")
        assert {thread.name for thread in set(threads()) - before} == set()

    def mail_in(self, directory: Path) -> str:
        eventually(lambda: list(directory.glob("*.eml")))
        return next(directory.glob("*.eml")).read_text()


def test_a_database_that_does_not_answer_is_an_outage_that_passes(database: Database, database_url: str) -> None:
    """An outage is answered 503 with a correlation id, writes nothing, and the same request succeeds afterwards."""
    with installed(open_database(database_url, wait=0.3)) as installation:
        installation.sign_up()
        before = installation.content()
        with capture_logs([with_notes]) as entries, locked(database):
            response = installation.post(CREATE, {"input": FORM | {"email": "bob@example.org"}})
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        (error,) = response.json()["errors"]
        assert error["extensions"] == {
            "code": "UNAVAILABLE",
            "correlationId": response.headers["x-correlation-id"],
        }
        assert {entry["correlation_id"] for entry in entries} == {response.headers["x-correlation-id"]}
        assert "bob@example.org" not in response.text + str(entries)
        assert installation.content() == before
        assert installation.sign_up(email="bob@example.org")["__typename"] == "CreateCustomerSuccess"


class TestOverload:
    """Both doors, while every slot is taken and the queue is full."""

    async def burst(self, installation: Installation, settings: GatewaySettings, count: int) -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app=create_app(settings, installation.services))
        attributes = {**FORM, "salutation": "Ms", "gender": "Female"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await asyncio.gather(
                *(
                    client.post(
                        "/graphql",
                        json={"query": CREATE, "variables": {"input": FORM | {"email": f"g{number}@example.org"}}},
                    )
                    if number % 2
                    else client.post(
                        "/customers",
                        json={
                            "data": {
                                "type": "customers",
                                "attributes": attributes | {"email": f"r{number}@example.org"},
                            }
                        },
                    )
                    for number in range(count)
                )
            )

    def test_is_told_at_once_and_writes_nothing(self, sqlite_url: str) -> None:
        """Overload is answered 503 with the seconds to wait, and admitted requests are served."""
        settings = GatewaySettings(hash_slots=1, queue_seconds=0.2)
        slow = Passwords(memory_kib=65_536, time_cost=2, parallelism=1, slots=1)
        with installed(open_database(sqlite_url), settings, passwords=slow) as installation:
            answers = asyncio.run(self.burst(installation, settings, 60))
            served = [answer for answer in answers if answer.status_code in {200, 201}]
            turned_away = [answer for answer in answers if answer.status_code == 503]
            assert len(served) + len(turned_away) == 60
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in turned_away)
            # Refusals share a response that is made once, but no header of an outer layer.
            ids = [answer.headers.get_list("x-correlation-id") for answer in turned_away]
            assert all(len(of_one) == 1 for of_one in ids)
            assert len({of_one[0] for of_one in ids}) == len(turned_away)
            graphql = [answer.json() for answer in turned_away if answer.request.url.path == "/graphql"]
            assert {answer["errors"][0]["extensions"]["code"] for answer in graphql} == {"OVERLOADED"}
            assert all("data" not in answer for answer in graphql)
            assert len(turned_away) > len(graphql) > 0
            assert len(installation.content()["customer"]) == len(served) > 0
