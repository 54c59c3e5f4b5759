import json
from typing import Any

import pytest

from registration.rules.password import PasswordPolicy
from rest_compat.customers import CREATE_CUSTOMER, NO_CHOICE
from rest_compat.execution import Reply
from tests.rest_compat.asking import post
from tests.rest_compat.executing import CUSTOMER, Gateway, application

SENT = {
    "salutation": "Mrs",
    "firstName": "Sonia",
    "lastName": "Wagner",
    "email": "sonia@spryker.com",
    "gender": "Female",
    "password": "change123",
    "confirmPassword": "change123",
    "acceptedTerms": True,
}


def _document(**changed: object) -> dict[str, object]:
    return {"data": {"type": "customers", "attributes": SENT | changed}}


def _gateway(typename: str, **members: object) -> Gateway:
    return Gateway(Reply({"createCustomer": {"__typename": typename, **members}}))


def _success(**changed: object) -> Gateway:
    return _gateway("CreateCustomerSuccess", customer=CUSTOMER | changed)


def test_a_new_customer_is_shown_as_documented() -> None:
    """A sign-up is 201 with the reference as id and all attributes of the contract but passwords."""
    response = post(application(_success()), "/customers", _document())
    assert response.status == 201
    assert response.document == {
        "data": {
            "type": "customers",
            "id": "DE--25",
            "attributes": {
                "email": "sonia@spryker.com",
                "gender": "Female",
                "salutation": "Mrs",
                "firstName": "Sonia",
                "lastName": "Wagner",
                "dateOfBirth": None,
                "createdAt": "2018-11-06 08:15:02.694668",
                "updatedAt": "2018-11-06 08:15:02.694668",
            },
            "links": {"self": "https://glue.example.com/customers/DE--25"},
        }
    }


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        ("2026-11-23T13:36:29.123456+00:00", "2026-11-23 13:36:29.123456"),
        ("2026-11-23T13:36:29+00:00", "2026-11-23 13:36:29.000000"),
        ("2026-11-23T13:36:29Z", "2026-11-23 13:36:29.000000"),
        ("2026-11-23T14:36:29.5+01:00", "2026-11-23 13:36:29.500000"),
    ],
)
def test_instants_are_utc_with_microseconds_and_no_offset(instant: str, shown: str) -> None:
    """Instants of GraphQL have one form on the wire (4.2)."""
    response = post(application(_success(createdAt=instant)), "/customers", _document())
    assert response.document["data"]["attributes"]["createdAt"] == shown


@pytest.mark.parametrize(
    ("changed", "headers", "given"),
    [
        ({}, {}, {}),
        ({"acceptedTerms": 1}, {}, {}),
        ({"acceptedTerms": "1"}, {}, {}),
        ({"dateOfBirth": ""}, {}, {"dateOfBirth": None}),
        ({"dateOfBirth": "1990-01-30"}, {}, {"dateOfBirth": "1990-01-30"}),
        ({"salutation": "Dr", "gender": "Male"}, {}, {"salutation": "DR", "gender": "MALE"}),
        ({"shoeSize": "1", "createdAt": "x", "confirmedAt": 1}, {}, {}),
        ({}, {"Idempotency-Key": "k" * 16}, {"idempotencyKey": "k" * 16}),
        ({"idempotencyKey": "b" * 16}, {}, {}),
        ({"idempotencyKey": "b"}, {"Idempotency-Key": "k" * 16}, {"idempotencyKey": "k" * 16}),
    ],
)
def test_clean_attributes_run_the_mutation(
    changed: dict[str, object], headers: dict[str, str], given: dict[str, object]
) -> None:
    """Wire values become those of the schema, unknown attributes are dropped, and the key comes from the header."""
    gateway = _success()
    assert post(application(gateway), "/customers/", _document(**changed), headers).status == 201
    expected = SENT | {"salutation": "MRS", "gender": "FEMALE"} | given
    assert gateway.ran == [(CREATE_CUSTOMER, {"input": expected})]


COERCION_FAILED = Reply(None, [{"message": "m", "extensions": {"code": "BAD_USER_INPUT"}}])
INVALID_INPUT = Reply({"createCustomer": {"code": "INVALID_INPUT"}})


@pytest.mark.parametrize("reply", [COERCION_FAILED, INVALID_INPUT])
def test_broken_rules_are_told_where_the_mutation_does_not_take_the_input(reply: Reply) -> None:
    """Broken rules of all attributes are answered together, and the mutation does not run."""
    gateway = Gateway(reply)
    response = post(application(gateway), "/customers", {"data": {"type": "customers", "attributes": {}}})
    assert (response.status, len(response.errors)) == (422, 8)
    assert set(response.errors[0][:2]) == {422, "901"}


def test_rules_follow_the_policy() -> None:
    """The limits in the texts are those of the settings."""
    response = post(application(Gateway(INVALID_INPUT), PasswordPolicy(min_length=12)), "/customers", _document())
    assert [detail for _, _, detail in response.errors] == [
        "password => This value is too short. It should have 12 characters or more.",
        "confirmPassword => This value is too short. It should have 12 characters or more.",
    ]


def test_idempotency_keys_have_their_rule() -> None:
    """A key that is too short is refused by its GraphQL name."""
    response = post(application(Gateway(INVALID_INPUT)), "/customers", _document(), {"idempotency-key": "short"})
    assert response.errors == [
        (422, "901", "idempotencyKey => This value is too short. It should have 16 characters or more.")
    ]


@pytest.mark.parametrize("changed", [{"gender": "FEMALE"}, {"salutation": "MRS"}, {"acceptedTerms": "yes"}])
def test_values_that_only_graphql_knows_are_not_given_to_it(changed: dict[str, object]) -> None:
    """The name of a choice means something to GraphQL and nothing to the contract; GraphQL refuses what it is given."""
    gateway = Gateway(COERCION_FAILED)
    assert post(application(gateway), "/customers", _document(**changed)).status == 422
    [(_, variables)] = gateway.ran
    given = variables["input"]
    assert isinstance(given, dict)
    assert [given[name] for name in changed] == [None if "acceptedTerms" in changed else NO_CHOICE]


def test_a_mutation_that_refuses_what_keeps_the_rules_is_a_fault() -> None:
    """The answer is the contract's 500, and not a success."""
    assert post(application(Gateway(INVALID_INPUT)), "/customers", _document()).status == 500


TAKEN = (
    "If this email address is already in use, you will receive a password reset link. Otherwise you must first validate"
    " your e-mail address to finish registration. Please check your e-mail."
)


@pytest.mark.parametrize(
    ("member", "error", "retry_after"),
    [
        ({"code": "EMAIL_TAKEN"}, (422, "400", TAKEN), None),
        (
            {"code": "IDEMPOTENCY_CONFLICT"},
            (422, "9409", "The idempotency key was used before with another request."),
            None,
        ),
        (
            {"code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 90},
            (429, "9429", "Too many attempts. Please wait 90 seconds before trying again."),
            "90",
        ),
        ({"code": "SOMETHING_NEW"}, (500, "401", "Can't register a customer."), None),
    ],
)
def test_refusals_of_the_mutation_have_their_row(
    member: dict[str, Any], error: tuple[int, str, str], retry_after: str | None
) -> None:
    """Each member of the union has its status, code and text (4.3)."""
    response = post(application(Gateway(Reply({"createCustomer": member}))), "/customers", _document())
    assert (response.status, response.errors) == (error[0], [error])
    assert response.headers.get("retry-after") == retry_after


def test_privacy_mode_says_nothing() -> None:
    """202 repeats what was sent without password, id and times, and does not depend on the mutation's message."""
    first, second = (
        post(application(_gateway("RegistrationAccepted", **members)), "/customers", _document(dateOfBirth=None))
        for members in ({}, {"message": "known"})
    )
    assert (first.status, first.body) == (202, second.body)
    assert first.document["data"]["attributes"] == {
        "email": "sonia@spryker.com",
        "gender": "Female",
        "salutation": "Mrs",
        "firstName": "Sonia",
        "lastName": "Wagner",
        "dateOfBirth": None,
        "createdAt": None,
        "updatedAt": None,
    }
    assert "id" not in first.document["data"]
    assert first.document["data"]["links"] == {"self": "https://glue.example.com/customers"}


@pytest.mark.parametrize(
    ("errors", "detail"),
    [
        (
            [{"message": "m", "extensions": {"code": "UNAVAILABLE", "correlationId": "ab12"}}],
            "The service is not available at the moment. Please try again later. (correlation id ab12)",
        ),
        (
            [{"message": "m", "extensions": {"code": "OVERLOADED"}}, {"message": "m"}],
            "The service is not available at the moment. Please try again later.",
        ),
    ],
)
def test_overload_and_outage_ask_to_come_back(errors: list[dict[str, object]], detail: str) -> None:
    """Overload and outage are 503 with Retry-After and the correlation id, if there is one."""
    gateway = Gateway(Reply(None, errors, status=503, retry_after=5))
    response = post(application(gateway), "/customers", _document())
    assert (response.status, response.errors) == (503, [(503, "9503", detail)])
    assert response.headers["retry-after"] == "5"


def test_other_failures_are_the_endpoints_own() -> None:
    """A mutation without data is "Can't register a customer.", without its errors."""
    gateway = Gateway(Reply(None, [{"message": "secret", "extensions": {"code": "INTERNAL_ERROR"}}]))
    response = post(application(gateway), "/customers", _document())
    assert (response.status, response.errors) == (500, [(500, "401", "Can't register a customer.")])


def test_sparse_fieldsets_apply_to_the_answer() -> None:
    """fields[customers] chooses the attributes of the answer to POST (2.5)."""
    response = post(application(_success()), "/customers/?fields[customers]=email,password", _document())
    assert response.document["data"]["attributes"] == {"email": "sonia@spryker.com"}
    assert response.document["data"]["links"]["self"] == (
        "https://glue.example.com/customers/DE--25?fields[customers]=email,password"
    )


@pytest.mark.parametrize("typename", ["CreateCustomerSuccess", "RegistrationAccepted", "EmailTakenError"])
def test_no_answer_repeats_the_password(typename: str) -> None:
    """No answer to a sign-up holds the password."""
    response = post(application(_gateway(typename, customer=CUSTOMER)), "/customers", _document())
    assert "change123" not in json.dumps(response.document)
