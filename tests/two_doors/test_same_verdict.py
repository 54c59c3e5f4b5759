"""One verdict of both doors: the same input is accepted, refused and stored alike through GraphQL and JSON:API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from graphql_api.settings import GatewaySettings
from registration.customer import Gender, Salutation
from registration.outcomes import Invalid, Violation
from registration.rules.form import ABSENT, is_true
from registration.storage.database import Database, open_database
from registration.storage.tables import attempt, confirmation_token, customer, email_claim, idempotency, mail, metadata
from registration.storage.tables import event as event_table
from rest_compat.errors import OUTCOMES, violation_errors
from rest_compat.jsonapi import error_document
from tests.in_process import Installation, installation
from tests.registration.violations import sign_up_violations

pytestmark = pytest.mark.long

SIGN_UP = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess { customer { reference firstName lastName email dateOfBirth } }
    ... on UserError { code }
    ... on InvalidInputError { violations { path code minimum maximum } }
  }
}
"""
SHOWN = ("firstName", "lastName", "email", "dateOfBirth")
GOOD: dict[str, Any] = {
    "salutation": "Mrs",
    "firstName": "Sonia",
    "lastName": "Wagner",
    "email": "sonia@spryker.com",
    "gender": "Female",
    "password": "Change-123",
    "confirmPassword": "Change-123",
    "acceptedTerms": True,
}
# Good values that a careless door would change on the way.
EDGES = {
    "salutation": "Dr",
    "firstName": " padded ",
    "lastName": "\u202eA\u0308 ",
    "email": "Jo\u0308rg@Bücher.example.net",
    "gender": "Male",
    "password": "  pad-\u0308-1A ",
    "confirmPassword": "  pad-\u0308-1A ",
    "acceptedTerms": "1",
    "dateOfBirth": "1900-01-01",
}
STRICT = GatewaySettings(password_min_length=9, password_character_rule="on", password_repeats_rule="on")

# Values that GraphQL has a form for, good and bad.
TEXTS: dict[str, list[object]] = {
    "email": [
        *("SONIA@Spryker.COM", "ann@example.test", "Jörg@Bücher.example.net", "j@xn--bcher-kva.de", "ß@spryker.com"),
        *("s..w@spryker.com", "sonia", "a@b", '"a b"@spryker.com', "a@[127.0.0.1]", "\u212a@spryker.com"),
        *(
            "а@spryker.com",
            "a\u0301@spryker.com",
            "a@spryker.com\n",
            f"s..w@{'a' * 60}.{'b' * 60}.de",
            "x" * 400 + "@a.de",
        ),
    ],
    "firstName": ["n" * 100, "n" * 101, "🎉", "محمد", " ", "0", "a\tb", "n" * 10_000],
    "lastName": ["n" * 100, "n" * 101, " padded ", "O'Brien <b>", "\u202egnp", "\x00"],
    "password": [
        "change123",
        "  padded  ",
        "password",
        "qwertyuiop",
        "aaa-Bbb-111",
        "p" * 129,
        "ü" * 9,
        "\x00" * 8,
        "x" * 2000,
    ],
    "confirmPassword": ["change123", "Change-124", "p" * 129],
}
CHOICES: dict[str, list[object]] = {
    "gender": ["Male", "Female"],
    "salutation": ["Mr", "Mrs", "Ms", "Dr"],
    "acceptedTerms": [1, "1", False],
    "dateOfBirth": ["1990-01-30", "1900-01-01", "0001-01-01", "2999-01-01", "", None],
}
# Values that only JSON:API has a form for, by attribute; any JSON is added to them.
FOREIGN: dict[str, list[object]] = {
    "gender": ["male", "MALE", "n/a"],
    "salutation": ["MR", "mr", "n/a"],
    "acceptedTerms": ["true", 0, 1.0],
    "dateOfBirth": ["1990-02-30", "19900130", "1990-W05-2", "30.01.1990", 0],
}
LETTERS = st.characters() | st.sampled_from("\x00\n\x7f\u200b\u202e\u2028\ud800\udfff🎉ßİK@.")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(LETTERS, max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
EXPRESSIBLE = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(values) | st.text(max_size=12) for name, values in TEXTS.items()}
    | {name: st.sampled_from(values) for name, values in CHOICES.items()},
)
HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([ABSENT, None, "", *FOREIGN.get(name, [])]) | JSON
        for name in (*TEXTS, *CHOICES, "shoeSize", "idempotencyKey", "")
    },
)
KEYS = st.none() | st.sampled_from(["0123456789abcdef", "k" * 15, "k" * 255, "k" * 256, ""])
LANGUAGES = st.sampled_from(["", "de", "en", "fi, de;q=0.5"])


@dataclass(frozen=True, slots=True)
class Input:
    """The attributes of a request in the words of JSON:API, and how often they are sent."""

    attributes: Mapping[str, Any]
    key: str | None = None
    language: str = ""
    turns: int = 1


@dataclass(frozen=True, slots=True)
class Heard:
    """What a door answered, and the rows that it wrote."""

    answers: list[Response]
    rows: dict[str, list[Any]]


def inputs(changes: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Input]:
    return st.builds(Input, changes.map(_changed), KEYS, LANGUAGES, st.integers(1, 2))


def _changed(changes: Mapping[str, object]) -> dict[str, object]:
    if "password" in changes and "confirmPassword" not in changes:
        changes = {**changes, "confirmPassword": changes["password"]}
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not ABSENT}


@pytest.fixture(params=[GatewaySettings(), STRICT], ids=["default", "strict"])
def installed(database: Database, request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installation(database, request.param) as running:
        yield running


# The installation is emptied after each input, so that one may serve them all.
shared_installation = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(sent=inputs(EXPRESSIBLE))
@example(sent=Input(GOOD, language="de", turns=2))
@example(sent=Input(GOOD, key="0123456789abcdef", turns=2))
@example(sent=Input(GOOD | EDGES))
@example(sent=Input(GOOD | {"confirmPassword": "other-123", "email": "s..w@spryker.com"}))
@example(sent=Input(GOOD | {"email": f"s..w@{'a' * 60}.{'b' * 60}.de"}))
@shared_installation
def test_input_that_both_doors_know_gets_the_same_verdict(installed: Installation, sent: Input) -> None:
    """Input of both doors gets the same violations, of which JSON:API tells the lowest stage, outcomes and rows."""
    through_graphql, through_rest = _through_graphql(installed, sent), _through_rest(installed, sent)
    assert through_graphql.rows == through_rest.rows
    for graphql, rest in zip(through_graphql.answers, through_rest.answers, strict=True):
        _same_verdict(installed, sent, graphql.json()["data"]["createCustomer"], rest)


@given(sent=inputs(HOSTILE))
@example(sent=Input(GOOD | {"acceptedTerms": None, "email": "s..w@spryker.com"}))
@example(sent=Input(GOOD | {"firstName": "\ud800"}))
@example(sent=Input({}, key=""))
@example(sent=Input(GOOD | {"email": "", "idempotencyKey": ""}))
@example(sent=Input(GOOD | {"salutation": None, "gender": None, "firstName": None}))
@example(sent=Input({name: value for name, value in GOOD.items() if name not in {"salutation", "lastName"}}))
@shared_installation
def test_input_that_graphql_has_no_form_for_is_refused_by_both(installed: Installation, sent: Input) -> None:
    """JSON without a GraphQL form is refused by both doors, and writes no row."""
    through_graphql, through_rest = _through_graphql(installed, sent), _through_rest(installed, sent)
    assert through_graphql.rows == through_rest.rows
    for graphql, rest in zip(through_graphql.answers, through_rest.answers, strict=True):
        errors = graphql.json().get("errors")
        event("refused before execution" if errors else "executed")
        if errors:
            assert errors[0]["extensions"]["code"] in {"BAD_USER_INPUT", "BAD_REQUEST"}
            assert 400 <= rest.status_code < 500
            assert not any(through_rest.rows.values())
        else:
            _same_verdict(installed, sent, graphql.json()["data"]["createCustomer"], rest)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"[{}]",
        b"{",
        b"{}",
        b'{"firstName":NaN}',
        b'{"firstName":1e999}',
        b'{"firstName":' + b"9" * 5000 + b"}",
        b'{"firstName":"\xff"}',
        b'{"firstName":"\\ud800"}',
        b'{"firstName":"a","firstName":"b"}',
        b'{"firstName":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"firstName":"' + b"n" * 1_000_000 + b'"}',
    ],
)
def test_hostile_json_is_refused_by_both(sqlite_url: str, raw: bytes) -> None:
    """Malformed documents are client errors at both doors, and write no row."""
    bodies = {
        "/graphql": b'{"query":%b,"variables":{"input":%b}}' % (json.dumps(SIGN_UP).encode(), raw),
        "/customers": b'{"data":{"type":"customers","attributes":%b}}' % raw,
    }
    with installation(open_database(sqlite_url), GatewaySettings()) as installed:
        for path, body in bodies.items():
            response = installed.client.post(path, content=body, headers={"content-type": "application/json"})
            assert 200 <= response.status_code < 500
            assert response.json()["errors"]
            assert not any(_rows(installed).values())


def _same_verdict(installed: Installation, sent: Input, member: Mapping[str, Any], rest: Response) -> None:
    event(member["__typename"])
    if member["__typename"] == "CreateCustomerSuccess":
        assert rest.status_code == 201
        shown = rest.json()["data"]["attributes"]
        assert {name: member["customer"][name] for name in SHOWN} == {name: shown[name] for name in SHOWN}
        return
    if member["__typename"] == "InvalidInputError":
        # Null is as if it was not sent for GraphQL, and blank for the contract.
        told = replace(sent, attributes={name: value for name, value in sent.attributes.items() if value is not None})
        assert member["violations"] == [_reported(found) for found in _broken(installed, told).without_consequences]
        errors = violation_errors(_broken(installed, sent).violations)
    else:
        errors = (OUTCOMES["createCustomer"].error(member),)
    assert rest.json() == error_document(errors)
    assert rest.status_code == errors[-1].status


def _broken(installed: Installation, sent: Input) -> Invalid:
    """Every rule that the input breaks; an attribute named like the key is unknown to JSON:API."""
    raw = {name: value for name, value in sent.attributes.items() if name != "idempotencyKey"}
    if sent.key is not None:
        raw["idempotencyKey"] = sent.key
    return Invalid(tuple(sign_up_violations(raw, installed.services.policy)))


def _reported(found: Violation) -> dict[str, object]:
    """A violation as GraphQL reports it."""
    limits = {"minimum": found.minimum, "maximum": found.maximum}
    return {"path": ["input", found.attribute], "code": found.code.name, **limits}


def _through_graphql(installed: Installation, sent: Input) -> Heard:
    given = {name: value for name, value in sent.attributes.items() if name in TEXTS or name in CHOICES}
    for name, choices in (("salutation", Salutation), ("gender", Gender)):
        if name in given:
            given[name] = _enum_name(choices, given[name])
    if is_true(given.get("acceptedTerms")):
        given["acceptedTerms"] = True
    if given.get("dateOfBirth") == "":
        given["dateOfBirth"] = None
    if sent.key is not None:
        given["idempotencyKey"] = sent.key
    return _sent(installed, sent, "/graphql", {"query": SIGN_UP, "variables": {"input": given}})


def _enum_name(choices: type[Salutation | Gender], value: object) -> object:
    """The GraphQL name of a wire value; a value without one stays as it is, and wrong."""
    if isinstance(value, str):
        return choices(value).name if value in list(choices) else f"not {value}"
    return value


def _through_rest(installed: Installation, sent: Input) -> Heard:
    return _sent(installed, sent, "/customers", {"data": {"type": "customers", "attributes": sent.attributes}})


def _sent(installed: Installation, sent: Input, path: str, document: object) -> Heard:
    headers = {"content-type": "application/json", "accept-language": sent.language}
    if path == "/customers" and sent.key is not None:
        headers["idempotency-key"] = sent.key
    content = json.dumps(document).encode()
    answers = [installed.client.post(path, content=content, headers=headers) for _ in range(sent.turns)]
    heard = Heard(answers, _rows(installed))
    installed.services.database.write(_empty)
    return heard


def _rows(installed: Installation) -> dict[str, list[Any]]:
    """Every row, without random ids, salts and drawn numbers."""
    return {
        "customers": [
            {name: value for name, value in row.items() if name not in {"id", "reference", "password_hash"}}
            for row in installed.rows(customer)
        ],
        "claims": [row["address"] for row in installed.rows(email_claim)],
        "tokens": [row["expires_at"] for row in installed.rows(confirmation_token)],
        "mails": [(row["kind"], row["status"]) for row in installed.rows(mail)],
        "events": [row["kind"] for row in installed.rows(event_table)],
        "idempotency": [(row["key"], row["fingerprint"]) for row in installed.rows(idempotency)],
        "attempts": sorted(installed.rows(attempt), key=lambda row: row["key"]),
    }


def _empty(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if table.name != "counter":
            connection.execute(delete(table))
