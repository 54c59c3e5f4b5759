"""A hostile session through both doors of a real process: its log holds no secret."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import TypeAlias
from urllib.parse import quote

import psycopg
import pytest

from harness.gateway import Gateway
from harness.ports import HOST
from harness.postgres import PostgresServer
from harness.smtp import SmtpServer
from registration.storage.database import open_database
from registration.storage.migrations import migrate
from registration.storage.tables import customer
from tests.conftest import Serve
from tests.faults.doors import FORM, PATIENCE
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

PASSWORD = "hunter2-Zweiundvierzig"
PERSON = "mallory.wagner"
TOKEN = "0123456789abcdef0123456789abcdef"
SECRETS = (PASSWORD, PERSON, TOKEN)
HEADERS = {
    "User-Agent": PASSWORD,
    "Referer": f"https://shop.example.org/?token={TOKEN}",
    "Cookie": f"session={TOKEN}",
    "X-Forwarded-For": PERSON,
    "Accept-Language": f"de;{PASSWORD}",
}
Request: TypeAlias = tuple[str, str, bytes, str]
"""Method, path, body and content type."""

GOOD = FORM | {"email": f"{PERSON}@example.org", "password": PASSWORD, "confirmPassword": PASSWORD}
FIELDS = ("email", "gender", "salutation", "firstName", "password", "acceptedTerms", "dateOfBirth", "idempotencyKey")
CREATE = "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }"


def forms() -> Iterator[dict[str, object]]:
    """A good form, and forms with the password in the wrong place."""
    yield dict(GOOD)
    for field in FIELDS:
        for value in (PASSWORD, [PASSWORD], {PERSON: PASSWORD}, None, f"{PERSON}\x00{PASSWORD}", 5):
            yield GOOD | {field: value}
        yield {name: value for name, value in GOOD.items() if name != field}
    yield GOOD | {PERSON: PASSWORD}


def documents() -> Iterator[str]:
    """GraphQL with literals instead of variables, well-formed and not."""
    literal = ", ".join(f'{name}: "{value}"' for name, value in GOOD.items())
    yield f"mutation {{ createCustomer(input: {{{literal}}}) {{ __typename }} }}"
    yield f'mutation {{ createCustomer(input: {{password: "{PASSWORD}"}}) {{ __typename }} }}'
    yield f'mutation {{ createCustomer(password: "{PASSWORD}") {{ __typename }} }}'
    yield f'mutation {{ confirmCustomer(input: {{token: "{TOKEN}"}}) {{ __typename }} }}'
    yield f'mutation {{ resendConfirmation(input: {{email: "{PERSON}@example.org"}}) {{ __typename }} }}'
    yield f'mutation {{ createCustomer(input: {{password: "{PASSWORD}'
    yield f"{PASSWORD} {{ __typename }}"
    yield f"{{ {PERSON.replace('.', '_')} }}"
    yield f'query ($x: {PASSWORD.replace("-", "")}) {{ __typename @skip(if: "{PASSWORD}") }}'


def requests() -> Iterator[Request]:
    for form in forms():
        choices = {name: value.upper() for name, value in GOOD.items() if form.get(name) == value in {"Ms", "Female"}}
        for path, document in (
            ("/customers", {"data": {"type": "customers", "attributes": form}}),
            ("/graphql", {"query": CREATE, "variables": {"input": form | choices}}),
        ):
            yield "POST", path, json.dumps(document).encode(), "application/json"
    for text in documents():
        yield "POST", "/graphql", json.dumps({"query": text}).encode(), "application/json"
        yield "GET", f"/graphql?query={quote(text)}", b"", "application/json"
    whole = json.dumps({"data": {"type": "customers", "attributes": GOOD}}).encode()
    for path in ("/graphql", "/customers", "/customer-confirmation"):
        for body in (whole[:-5], whole + whole, b"\xff" + whole, PASSWORD.encode(), json.dumps(PASSWORD).encode()):
            yield "POST", path, body, "application/json"
        yield "POST", path, whole, f"text/{PASSWORD}"
        yield "POST", path, f"password={PASSWORD}".encode(), "application/x-www-form-urlencoded"
        yield "POST", path, b" " * 70_000 + whole, "application/json"
        yield PERSON.upper().replace(".", ""), path, whole, "application/json"
    key = {"data": {"type": "customer-confirmation", "attributes": {"registrationKey": TOKEN}}}
    yield "POST", "/customer-confirmation", json.dumps(key).encode(), "application/json"
    for path in (f"/register/confirm?token={TOKEN}", f"/{TOKEN}/{PERSON}", f"/customers/{PERSON}?password={PASSWORD}"):
        yield "GET", path, b"", "text/plain"
    for fields in (
        f"action=confirm&token={TOKEN}",
        f"action={PASSWORD}",
        f"action=resend&email={PERSON}%40example.org",
    ):
        yield "POST", "/register/confirm", fields.encode(), "application/x-www-form-urlencoded"


def statuses(gateway: Gateway) -> set[int]:
    """Send all of it and return the statuses, after a check that no answer repeats the password."""
    found = set()
    connection = HTTPConnection(HOST, gateway.port, timeout=PATIENCE)
    for method, path, body, content_type in requests():
        connection.request(method, path, body, HEADERS | {"Content-Type": content_type})
        response = connection.getresponse()
        assert PASSWORD.encode() not in response.read(), (method, path, body)
        found.add(response.status)
    document = json.dumps({"data": {"type": "customers", "attributes": GOOD}})
    connection.request("POST", "/customers", document, HEADERS | {"Authorization": f"Bearer {TOKEN}"})
    found.add(connection.getresponse().status)
    connection.close()
    return found


@pytest.mark.parametrize("mode", ["production", "development"])
def test_no_secret_is_logged(serve: Serve, smtp: SmtpServer, mode: str) -> None:
    """No secret is logged, with a mail server that quotes the address, a database that quotes the row, and none."""
    smtp.answers.extend([f"550 5.1.1 <{PERSON}@example.org> is unknown, {PASSWORD}"] * 9)
    with PostgresServer() as server, closing(open_database(server.url())) as database:
        migrate(database)
        gateway = serve(GATEWAY_DATABASE_URL=server.url(), GATEWAY_MAIL_URL=smtp.url, GATEWAY_MODE=mode)
        good_times = statuses(gateway)
        assert {200, 201, 400, 401, 404, 413, 415, 422} <= good_times
        assert max(good_times) < 500
        assert [row["email"] for row in rows(database, customer)] == [f"{PERSON}@example.org"]
        eventually(lambda: "550 5.1.1" in gateway.log.read_text())
        with psycopg.connect(server.url()) as connection:
            connection.execute("TRUNCATE email_claim")
            connection.execute("ALTER TABLE customer ADD CHECK (email = '') NOT VALID")  # whose error quotes the row
            connection.execute("DROP TABLE attempt")
        assert 500 in statuses(gateway)
        server.stop()
        assert 503 in statuses(gateway)
        gateway.stop()
    log = gateway.log.read_text()
    for word in (
        "internal_error",
        "IntegrityError",
        "ProgrammingError",
        "unavailable",
        "/customers",
        "/register/confirm",
    ):
        assert word in log
    for secret in (*SECRETS, *map(quote, SECRETS)):
        assert secret not in log
