"""What a sign-up must tell of the person, as GATEWAY_REQUIRED and GATEWAY_GENDER_OTHER say, at both doors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import open_database
from registration.storage.tables import customer as customer_table
from tests.in_process import Installation, installation
from tests.two_doors.visitor import FORM, INPUT, PASSWORD, Visitor

PERSON = ("salutation", "gender", "firstName", "lastName", "dateOfBirth")
CREATE = """
mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    ... on CreateCustomerSuccess { customer { salutation gender firstName lastName dateOfBirth } }
    ... on InvalidInputError { violations { path code } }
  }
}
"""
CONFIRM = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"

UPDATE = """
mutation ($input: UpdateCustomerInput!) {
  updateCustomer(input: $input) { ... on UpdateCustomerSuccess { customer { gender lastName } } }
}
"""


@contextmanager
def gateway(url: str, **settings: Any) -> Iterator[Installation]:
    with installation(open_database(url), GatewaySettings(**settings)) as installed:
        yield installed


def without_person(form: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in form.items() if name not in PERSON}


def through_graphql(installed: Installation, form: Mapping[str, object]) -> Any:
    """The customer, or the violations as pairs of attribute and code."""
    member = Visitor(installed.client).graphql(CREATE, form).json()["data"]["createCustomer"]
    return member.get("customer") or [(each["path"][-1], each["code"]) for each in member["violations"]]


def through_rest(installed: Installation, form: Mapping[str, object]) -> Any:
    """The attributes that are shown, or the details of the errors."""
    document = Visitor(installed.client).glue("POST", "/customers", form).json()
    if "errors" in document:
        return [error["detail"] for error in document["errors"]]
    return {name: document["data"]["attributes"][name] for name in PERSON}


def signed_in(installed: Installation, email: str) -> Visitor:
    for key in installed.confirmation_keys():
        Visitor(installed.client).graphql(CONFIRM, {"token": key})
    tokens = Visitor(installed.client).glue("POST", "/access-tokens", {"username": email, "password": PASSWORD}).json()
    [customer] = installed.rows(customer_table)
    return Visitor(installed.client, customer["reference"], tokens["data"]["attributes"]["accessToken"])


def test_nothing_of_the_person_need_be_told(sqlite_url: str) -> None:
    """Where nothing is required, a sign-up without person succeeds at both doors, which show null for it."""
    with gateway(sqlite_url, required="none") as installed:
        assert through_graphql(installed, without_person(INPUT)) == dict.fromkeys(PERSON)
        assert through_rest(installed, without_person(FORM) | {"email": "eve@example.org"}) == dict.fromkeys(PERSON)
        nulls = without_person(FORM) | dict.fromkeys(PERSON) | {"email": "bob@example.org"}
        assert through_rest(installed, nulls) == dict.fromkeys(PERSON)


@pytest.mark.parametrize(("name", "value"), [("gender", "FEMALE"), ("salutation", "Sir"), ("firstName", "a\tb")])
def test_what_need_not_be_told_has_its_rule_all_the_same(sqlite_url: str, name: str, value: str) -> None:
    """Where nothing is required, the REST door still refuses a wrong value, and writes no customer."""
    with gateway(sqlite_url, required="none") as installed:
        [detail] = through_rest(installed, FORM | {name: value})
        assert detail.startswith(f"{name} => ")


def test_a_date_of_birth_can_be_required(sqlite_url: str) -> None:
    """A required date of birth that is missing is named with that code, and one that is there is shown."""
    with gateway(sqlite_url, required="dateOfBirth") as installed:
        assert through_graphql(installed, without_person(INPUT)) == [("dateOfBirth", "MISSING")]
        assert through_rest(installed, without_person(FORM)) == ["dateOfBirth => This field is missing."]
        blank = ["dateOfBirth => This value should not be blank."]
        assert through_rest(installed, without_person(FORM) | {"dateOfBirth": None}) == blank
        born = without_person(INPUT) | {"dateOfBirth": "1990-01-30"}
        assert through_graphql(installed, born) == dict.fromkeys(PERSON) | {"dateOfBirth": "1990-01-30"}


@pytest.mark.parametrize("switch", ["on", "off"])
def test_the_third_gender_is_a_choice_by_setting(sqlite_url: str, switch: str) -> None:
    """OTHER is accepted at both doors where the setting is on, and is no choice where it is off."""
    with gateway(sqlite_url, gender_other=switch) as installed:
        graphql = through_graphql(installed, INPUT | {"gender": "OTHER"})
        rest = through_rest(installed, FORM | {"gender": "Other", "email": "eve@example.org"})
    if switch == "on":
        assert (graphql["gender"], rest["gender"]) == ("OTHER", "Other")
    else:
        assert graphql == [("gender", "NOT_A_CHOICE")]
        assert rest == ["gender => The value you selected is not a valid choice."]


def test_a_profile_can_lose_what_is_not_required(sqlite_url: str) -> None:
    """Null clears what is not required, at both doors, and is refused for what is."""
    with gateway(sqlite_url, required="lastName") as installed:
        through_graphql(installed, INPUT)
        ada = signed_in(installed, "ada@example.org")
        cleared = ada.glue("PATCH", f"/customers/{ada.reference}", {"salutation": None, "firstName": None})
        attributes = cleared.json()["data"]["attributes"]
        assert [attributes[name] for name in PERSON] == [None, "Female", None, "Beispiel", None]
        refused = ada.glue("PATCH", f"/customers/{ada.reference}", {"lastName": None}).json()["errors"]
        assert [error["detail"] for error in refused] == ["lastName => This value should not be blank."]
        customer = ada.graphql(UPDATE, {"gender": None}).json()["data"]["updateCustomer"]["customer"]
        assert customer == {"gender": None, "lastName": "Beispiel"}


def test_the_description_of_the_rest_door_follows_the_setting(sqlite_url: str) -> None:
    """The OpenAPI description names what a sign-up must send, and the genders that there are."""
    with gateway(sqlite_url, required="lastName", gender_other="on") as installed:
        paths = installed.client.get("/openapi.json").json()["paths"]
    body = paths["/customers"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    attributes = body["properties"]["data"]["properties"]["attributes"]
    assert set(attributes["required"]) & set(PERSON) == {"lastName"}
    assert attributes["properties"]["gender"]["enum"] == ["Female", "Male", "Other", None]
