"""A gateway works whatever the database, the role, the environment and the URL say about its sessions."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import quote
from uuid import uuid4

import httpx2
import psycopg
import pytest
from psycopg import sql

from harness.gateway import Gateway
from harness.pgbouncer import PgBouncer
from harness.ports import HOST
from harness.postgres import create_database, drop_database
from registration.storage.database import open_database
from registration.storage.migrations import migrate
from tests.conftest import Serve
from tests.graphql_api.test_nodes import NO_TLS
from tests.registration.post import text_of
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

HOSTILE = {
    "datestyle": "German",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "off",
}
OPTIONS = " ".join(f"-c {name}={value}" for name, value in HOSTILE.items())
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "nothing": {},
    "PGOPTIONS": {"PGOPTIONS": OPTIONS},
    "PGDATESTYLE and others": {"PGDATESTYLE": "German", "PGTZ": "Asia/Kathmandu", "PGCLIENTENCODING": "LATIN1"},
}

FORM: dict[str, object] = {
    "salutation": "MS",
    "firstName": "Zoë Łucja",
    "lastName": "Müller",
    "email": "zoe@example.org",
    "gender": "FEMALE",
    "dateOfBirth": "1990-02-03",
    "password": "correct horse",
    "confirmPassword": "correct horse",
    "acceptedTerms": True,
}
CREATE = "mutation ($input: CreateCustomerInput!) { result: createCustomer(input: $input) { __typename } }"
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { result: confirmCustomer(input: $input) { __typename } }"
SIGN_IN = """mutation ($input: CreateAccessTokenInput!) { result: createAccessToken(input: $input) {
  ... on CreateAccessTokenSuccess { tokens { accessToken } } } }"""
ME = "{ result: me { firstName lastName dateOfBirth } }"


@dataclass(frozen=True, slots=True)
class Place:
    """A fresh, migrated database, owned by a fresh role of the same name that is no superuser."""

    server: str
    name: str

    @property
    def url(self) -> str:
        return f"postgresql://{self.name}@{self.server.rpartition('@')[2].rpartition('/')[0]}/{self.name}"

    def url_behind(self, pgbouncer: PgBouncer) -> str:
        return f"postgresql://{self.name}@{HOST}:{pgbouncer.port}/{self.name}"

    def alter(self, what: str, settings: dict[str, str]) -> None:
        """Let sessions of the DATABASE or of the ROLE begin with these settings."""
        statement = sql.SQL("ALTER {} {} SET {} TO {}")
        for name, value in settings.items():
            self.execute(
                statement.format(
                    sql.SQL(what), sql.Identifier(self.name), sql.SQL(name), sql.Literal(value)
                ).as_string()
            )

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def place(postgres_url: str) -> Iterator[Place]:
    name = f"matrix_{uuid4().hex}"
    place = Place(postgres_url, name)
    create_database(postgres_url, name)
    place.execute(f"CREATE ROLE {name} LOGIN")
    place.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    migrate_at(place.url)
    yield place
    drop_database(postgres_url, name)
    place.execute(f"DROP ROLE {name}")


def migrate_at(url: str) -> None:
    database = open_database(url)
    migrate(database)
    database.close()


def post(gateway: Gateway, document: str, given: dict[str, object], access_token: str = "") -> dict[str, object]:
    """The result of the one field of a GraphQL operation."""
    headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
    body = {"query": document, "variables": {"input": given} if given else {}}
    answer = httpx2.post(f"{gateway.base_url}/graphql", json=body, headers=headers, timeout=60, verify=NO_TLS)
    result: dict[str, object] = answer.json()["data"]["result"]
    return result


def assert_lives(gateway: Gateway) -> None:
    """Sign a customer up, confirm by the mail, sign in, and read the account."""
    assert post(gateway, CREATE, FORM) == {"__typename": "CreateCustomerSuccess"}
    eventually(lambda: list(gateway.mail_directory.glob("*.eml")))
    (mail,) = gateway.mail_directory.glob("*.eml")
    text = text_of(message_from_bytes(mail.read_bytes(), EmailMessage, policy=default))
    (key,) = set(re.findall(r"confirm\?token=([0-9a-f]{32})", text))
    assert post(gateway, CONFIRM, {"token": key}) == {"__typename": "ConfirmCustomerSuccess"}
    tokens = post(gateway, SIGN_IN, {name: FORM[name] for name in ("email", "password")})["tokens"]
    assert isinstance(tokens, dict)
    customer = post(gateway, ME, {}, tokens["accessToken"])
    assert customer == {name: FORM[name] for name in ("firstName", "lastName", "dateOfBirth")}


class TestHostileSettings:
    """Each place that settings of a session can come from, with settings that break a gateway that relies on others."""

    @pytest.mark.parametrize("what", ["DATABASE", "ROLE"])
    def test_of_the_database_or_role(self, serve: Serve, place: Place, what: str) -> None:
        """A customer lives through a sign-up, a mail and a sign-in."""
        place.alter(what, HOSTILE | {"lock_timeout": "200ms", "statement_timeout": "200ms"})
        assert_lives(serve(GATEWAY_DATABASE_URL=place.url))

    @pytest.mark.parametrize("names", ENVIRONMENTS)
    def test_of_the_environment(self, serve: Serve, place: Place, names: str) -> None:
        """A customer lives through a sign-up, a mail and a sign-in."""
        assert_lives(serve(GATEWAY_DATABASE_URL=place.url, **ENVIRONMENTS[names]))

    def test_of_the_url(self, serve: Serve, place: Place) -> None:
        """A customer lives through a sign-up, a mail and a sign-in."""
        assert_lives(serve(GATEWAY_DATABASE_URL=f"{place.url}?client_encoding=latin1&options={quote(OPTIONS)}"))


class TestPooler:
    """PgBouncer in front, which gives each transaction to any of two connections."""

    @pytest.fixture
    def pooled_url(self, pgbouncer_program: str, place: Place) -> Iterator[str]:
        settings = {"pool_mode": "transaction", "default_pool_size": "2"}
        port = int(place.url.rpartition(":")[2].partition("/")[0])
        with PgBouncer(pgbouncer_program, port, user=place.name, **settings) as pgbouncer:
            yield place.url_behind(pgbouncer)

    def test_with_hostile_settings(self, serve: Serve, place: Place, pooled_url: str) -> None:
        """A customer lives through a sign-up, a mail and a sign-in, whatever all places say."""
        place.alter("DATABASE", HOSTILE)
        place.alter("ROLE", HOSTILE)
        environment = ENVIRONMENTS["PGOPTIONS"] | ENVIRONMENTS["PGDATESTYLE and others"]
        assert_lives(serve(GATEWAY_DATABASE_URL=pooled_url, **environment))

    def test_with_many_requests_at_once(self, serve: Serve, pooled_url: str) -> None:
        """Of 96 sign-ups at once all succeed, at two workers."""
        gateway = serve(GATEWAY_DATABASE_URL=pooled_url, GATEWAY_WORKERS="2", GATEWAY_QUEUE_SECONDS="60")

        def sign_up(number: int) -> object:
            return post(gateway, CREATE, FORM | {"email": f"zoe-{number}@example.org"})["__typename"]

        with ThreadPoolExecutor(16) as threads:
            assert set(threads.map(sign_up, range(96))) == {"CreateCustomerSuccess"}


def test_shops_with_a_schema_each_share_no_customer(serve: Serve, place: Place) -> None:
    """Two gateways whose URLs name different schemas of one database register the same address once each."""
    for shop in ("shop_a", "shop_b"):
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {shop}".encode())
        url = f"{place.url}?options=-csearch_path%3D{shop}"
        migrate_at(url)
        assert_lives(serve(GATEWAY_DATABASE_URL=url))
