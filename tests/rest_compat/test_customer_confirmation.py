from typing import Any

import pytest

from rest_compat.customer_confirmation import CONFIRM_CUSTOMER
from rest_compat.execution import Reply
from tests.rest_compat.asking import Response, post
from tests.rest_compat.executing import NOTHING_RUNS, Gateway, application

KEY = "0123456789abcdef0123456789abcdef"


def _confirm(gateway: Gateway, **attributes: object) -> Response:
    document = {"data": {"type": "customer-confirmation", "attributes": attributes}}
    return post(application(gateway), "/customer-confirmation", document)


def test_a_good_key_confirms() -> None:
    """A valid key is answered 204 without a body, and goes to the mutation as its token."""
    gateway = Gateway(Reply({"confirmCustomer": {}}))
    response = _confirm(gateway, registrationKey=KEY)
    assert (response.status, response.body) == (204, b"")
    assert gateway.ran == [(CONFIRM_CUSTOMER, {"input": {"token": KEY}})]


@pytest.mark.parametrize(
    ("attributes", "detail"),
    [
        ({}, "This field is missing."),
        ({"registrationkey": KEY}, "This field is missing."),
        ({"registrationKey": None}, "This value should not be blank."),
        ({"registrationKey": ""}, "This value should not be blank."),
        ({"registrationKey": []}, "This value should not be blank."),
        ({"registrationKey": 5}, "This value should be of type string."),
        ({"registrationKey": {}}, "This value should be of type string."),
    ],
)
def test_a_key_must_be_a_text(attributes: dict[str, Any], detail: str) -> None:
    """A key that is not a text breaks an attribute rule, and nothing runs (5)."""
    response = _confirm(NOTHING_RUNS, **attributes)
    assert (response.status, response.errors) == (422, [(422, "901", f"registrationKey => {detail}")])
    assert not NOTHING_RUNS.ran


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (
            Reply({"confirmCustomer": {"code": "CONFIRMATION_TOKEN"}}),
            (422, "423", "This email confirmation code is invalid or has been already used."),
        ),
        (
            Reply({"confirmCustomer": {"code": "SOMETHING_NEW"}}),
            (422, "425", "Failed to confirm a customer."),
        ),
        (Reply(None, [{"message": "m"}]), (422, "425", "Failed to confirm a customer.")),
        (
            Reply(None, status=503),
            (503, "9503", "The service is not available at the moment. Please try again later."),
        ),
    ],
)
def test_refusals_have_their_row(reply: Reply, error: tuple[int, str, str]) -> None:
    """A refused key is 423, any other failure 425, and an outage 503."""
    response = _confirm(Gateway(reply), registrationKey=KEY)
    assert (response.status, response.errors) == (error[0], [error])
