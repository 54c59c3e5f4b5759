"""A field of `Person` is the same everywhere: in the rules, the table, the schema and the shim."""

from dataclasses import fields

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, is_non_null_type, is_required_input_field
from sqlalchemy import String
from strawberry.utils.str_converters import to_camel_case

from graphql_api.schema import schema
from registration.customer import Person
from registration.outcomes import ViolationCode
from registration.rules.password import PasswordPolicy
from registration.rules.person import AFTER_PASSWORD, BEFORE_PASSWORD
from registration.storage.personal import personal_columns
from registration.storage.tables import customer
from rest_compat.customers import customers
from tests.registration.forms import form
from tests.registration.violations import sign_up_violations
from tests.rest_compat.executing import NOTHING_RUNS

FIELDS = {to_camel_case(each.name): each.name for each in fields(Person)}
"""The fields of `Person` by their public names."""
POLICY = PasswordPolicy()
SHIM = customers(NOTHING_RUNS.execute, POLICY)
TOO_LONG = "x" * 10_000
INPUTS = ["CreateCustomerInput", "UpdateCustomerInput"]
SHOWING = [("collection", "GET"), ("collection", "POST"), ("single", "GET"), ("single", "PATCH")]
TAKING = [("collection", "POST"), ("single", "PATCH")]


def test_each_field_has_a_rule() -> None:
    """The rows of the rules are the fields of `Person`, by their public names."""
    assert {name: field for name, (field, _) in {**BEFORE_PASSWORD, **AFTER_PASSWORD}.items()} == FIELDS


def test_each_field_is_a_personal_column() -> None:
    """The customer table has a column for each field, marked as personal."""
    assert set(FIELDS.values()) <= {column.key for column in personal_columns(customer)}


@pytest.mark.parametrize("name", ["Customer", *INPUTS])
def test_the_schema_has_each_field(name: str) -> None:
    """A customer is shown with each field, and both inputs take it."""
    kind = schema._schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
    assert FIELDS.keys() - kind.fields.keys() == set()


def test_the_schema_requires_no_field_by_itself() -> None:
    """Which fields a sign-up must send is for a setting to say: every one of them is nullable in the schema."""
    kind = schema._schema.type_map["CreateCustomerInput"]
    assert isinstance(kind, GraphQLInputObjectType)
    required = {name for name, field in kind.fields.items() if is_required_input_field(field)}
    assert not required & FIELDS.keys()
    shown = schema._schema.type_map["Customer"]
    assert isinstance(shown, GraphQLObjectType)
    assert not [name for name in FIELDS if is_non_null_type(shown.fields[name].type)]


@pytest.mark.parametrize(("place", "method"), SHOWING)
def test_the_shim_shows_each_field(place: str, method: str) -> None:
    """Each document of a customer has an attribute for each field."""
    assert FIELDS.keys() - getattr(SHIM, place)[method].shows.keys() == set()


@pytest.mark.parametrize(("place", "method"), TAKING)
def test_the_shim_takes_each_field(place: str, method: str) -> None:
    """A sign-up and a change of the profile take an attribute for each field."""
    assert FIELDS.keys() - getattr(SHIM, place)[method].takes.keys() == set()


def test_texts_are_as_long_as_their_columns() -> None:
    """The longest text that the rules allow fits its column exactly, and is the length that the shim publishes."""
    columns = {name: customer.c[field].type for name, field in FIELDS.items()}
    lengths = {name: kind.length for name, kind in columns.items() if isinstance(kind, String)}
    found = sign_up_violations(form(**dict.fromkeys(lengths, TOO_LONG)), POLICY)
    longest = {each.attribute: each.maximum for each in found if each.code is ViolationCode.TOO_LONG}
    published = {name: taken.schema.get("maxLength") for name, taken in SHIM.collection["POST"].takes.items()}
    assert longest == lengths
    assert longest == {name: published[name] for name in longest}
