"""The shim's constant documents against the published schema."""

import pytest
from graphql import GraphQLUnionType, build_schema, parse, validate

from graphql_api.schema import print_schema
from rest_compat import customer_confirmation, customers
from rest_compat.errors import OUTCOMES

SCHEMA = build_schema(print_schema())
# What each handler tells by other means than the table of outcomes.
TOLD_OTHERWISE = {
    "CreateCustomerResult": {"CreateCustomerSuccess", "RegistrationAccepted", "InvalidInputError"},
    "ConfirmCustomerResult": {"ConfirmCustomerSuccess"},
}


@pytest.mark.parametrize("document", [customers.CREATE_CUSTOMER, customer_confirmation.CONFIRM_CUSTOMER])
def test_constant_documents_are_valid(document: str) -> None:
    """What the shim sends is valid against the schema that is published."""
    assert validate(SCHEMA, parse(document)) == []


@pytest.mark.parametrize("union", TOLD_OTHERWISE)
def test_every_member_of_a_union_is_told(union: str) -> None:
    """A member that is added to a result needs a row in the shim's table of outcomes."""
    result = SCHEMA.get_type(union)
    assert isinstance(result, GraphQLUnionType)
    assert {member.name for member in result.types} - TOLD_OTHERWISE[union] <= OUTCOMES.keys()
