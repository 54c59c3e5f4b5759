"""For each resource: how a request becomes its mutation, and what is answered for each result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from rest_compat.access_tokens import CREATE_ACCESS_TOKEN
from rest_compat.customer_forgotten_password import REQUEST_PASSWORD_RESET
from rest_compat.customer_password import CHANGE_PASSWORD
from rest_compat.customer_restore_password import RESET_PASSWORD
from rest_compat.customers import ANONYMIZE_CUSTOMER, UPDATE_CUSTOMER
from rest_compat.execution import Reply
from rest_compat.refresh_tokens import REFRESH_ACCESS_TOKEN, REVOKE_REFRESH_TOKEN
from tests.rest_compat.asking import Response, ask
from tests.rest_compat.executing import CUSTOMER, OUTAGE, SIGNED_IN, UNAUTHENTICATED, Gateway, application

Told = tuple[int, str | None, str]
NEW, KEY, TOKEN = "another123", "0" * 32, "def502" + "0" * 64
TOKENS = {"tokenType": "Bearer", "accessToken": "a.b.c", "expiresIn": 28800, "refreshToken": TOKEN}
TAKEN = (
    "If this email address is already in use, you will receive a password reset link. Otherwise you must first validate"
    " your e-mail address to finish registration. Please check your e-mail."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A valid request, the mutation that it runs, and the document of its success."""

    method: str
    path: str
    attributes: Mapping[str, object]
    document: str
    given: Mapping[str, object]
    status: int
    success: Mapping[str, object] = field(default_factory=dict)
    """The member of the union."""

    @property
    def mutation(self) -> str:
        return self.document.partition("{\n  ")[2].partition("(")[0]

    def ask(self, gateway: Gateway, **changed: object) -> Response:
        body = {"data": {"type": self.path.split("/")[1], "attributes": {**self.attributes, **changed}}}
        return ask(application(gateway), self.method, self.path, SIGNED_IN, json.dumps(body).encode())

    def answered(self, member: Mapping[str, object]) -> Gateway:
        return Gateway(Reply({self.mutation: member}))


CASES = {
    "update": Case(
        "PATCH",
        "/customers/DE--25",
        {"firstName": "Sonja", "gender": "Male", "dateOfBirth": None, "password": NEW, "confirmPassword": NEW},
        UPDATE_CUSTOMER,
        {"firstName": "Sonja", "gender": "MALE", "dateOfBirth": None},
        200,
        {"customer": CUSTOMER},
    ),
    "change nothing": Case("PATCH", "/customers/DE--25", {}, UPDATE_CUSTOMER, {}, 200, {"customer": CUSTOMER}),
    "erase": Case("DELETE", "/customers/DE--25", {}, ANONYMIZE_CUSTOMER, {}, 204),
    "forgotten": Case(
        "POST",
        "/customer-forgotten-password",
        {"email": "sonia@spryker.com"},
        REQUEST_PASSWORD_RESET,
        {"email": "sonia@spryker.com"},
        204,
    ),
    "restore": Case(
        "PATCH",
        "/customer-restore-password/x",
        {"restorePasswordKey": KEY, "password": NEW, "confirmPassword": NEW},
        RESET_PASSWORD,
        {"token": KEY, "password": NEW, "confirmPassword": NEW},
        204,
    ),
    "change": Case(
        "PATCH",
        "/customer-password/DE--25",
        {"password": "change123", "newPassword": NEW, "confirmPassword": NEW},
        CHANGE_PASSWORD,
        {"password": "change123", "newPassword": NEW, "confirmPassword": NEW},
        204,
    ),
    "sign in": Case(
        "POST",
        "/access-tokens",
        {"username": "sonia@spryker.com", "password": "change123"},
        CREATE_ACCESS_TOKEN,
        {"email": "sonia@spryker.com", "password": "change123"},
        201,
        {"tokens": TOKENS},
    ),
    "refresh": Case(
        "POST",
        "/refresh-tokens",
        {"refreshToken": TOKEN},
        REFRESH_ACCESS_TOKEN,
        {"refreshToken": TOKEN},
        201,
        {"tokens": TOKENS},
    ),
    "revoke": Case("DELETE", f"/refresh-tokens/{TOKEN}", {}, REVOKE_REFRESH_TOKEN, {"refreshToken": TOKEN}, 204),
    "revoke all": Case("DELETE", "/refresh-tokens/mine", {}, REVOKE_REFRESH_TOKEN, {"all": True}, 204),
}


@pytest.mark.parametrize("name", CASES)
def test_a_request_runs_its_mutation_once(name: str) -> None:
    """The known attributes that were sent become the input, under the names of the schema."""
    case = CASES[name]
    gateway = case.answered(case.success)
    response = case.ask(gateway, shoeSize="1", id="DE--1")
    assert response.status == case.status
    assert gateway.ran == [(case.document, {"input": case.given})]


@pytest.mark.parametrize("name", CASES)
def test_an_outage_is_told_by_every_resource(name: str) -> None:
    """An outage is 503 with Retry-After."""
    response = CASES[name].ask(Gateway(OUTAGE))
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert response.errors == [(503, "9503", "The service is not available at the moment. Please try again later.")]


@pytest.mark.parametrize("name", CASES)
def test_a_customer_erased_meanwhile_is_a_bad_token(name: str) -> None:
    """UNAUTHENTICATED from the mutation is 401, even if the token was valid at the door."""
    response = CASES[name].ask(Gateway(UNAUTHENTICATED))
    assert response.errors == [(401, "001", "Invalid access token.")]


FAILURES: dict[str, list[Told]] = {
    "update": [(400, "410", "Failed to save customer.")],
    "restore": [(400, "407", "Failed to change password.")],
    "change": [(400, "407", "Failed to change password.")],
}


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"change nothing"}))
def test_whatever_else_comes_is_a_failure(name: str) -> None:
    """Any other answer is the failure of the contract (4.5, 6.2, 7), or a fault."""
    _assert_failure(name, CASES[name].ask(Gateway(Reply(None, [{"message": "m"}]))))


@pytest.mark.parametrize("name", ["update", "erase", "restore", "change", "sign in", "refresh"])
def test_a_new_error_of_a_mutation_is_a_failure(name: str) -> None:
    """An error without a row is a failure."""
    _assert_failure(name, CASES[name].ask(CASES[name].answered({"code": "NEW"})))


def _assert_failure(name: str, response: Response) -> None:
    if name in FAILURES:
        assert (response.status, response.errors) == (400, FAILURES[name])
    else:
        assert (response.status, response.body) == (500, b"Internal Server Error")


REFUSALS: list[tuple[str, Mapping[str, object], Told]] = [
    ("update", {"code": "EMAIL_TAKEN"}, (422, "400", TAKEN)),
    (
        "update",
        {"code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 9},
        (429, "9429", "Too many attempts. Please wait 9 seconds before trying again."),
    ),
    (
        "restore",
        {"code": "RESET_TOKEN", "reason": "UNKNOWN"},
        (422, "415", "Restore password key is not valid."),
    ),
    ("restore", {"code": "RESET_TOKEN", "reason": "EXPIRED"}, (400, "407", "Failed to change password.")),
    ("change", {"code": "BAD_CREDENTIALS"}, (400, "408", "Invalid password")),
    (
        "change",
        {"code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 9},
        (429, "9429", "Too many attempts. Please wait 9 seconds before trying again."),
    ),
    ("sign in", {"code": "BAD_CREDENTIALS"}, (401, "003", "Failed to authenticate user.")),
    ("sign in", {"code": "EMAIL_NOT_CONFIRMED"}, (401, "003", "Failed to authenticate user.")),
    (
        "sign in",
        {"code": "TOO_MANY_ATTEMPTS", "retryAfterSeconds": 9},
        (429, "4401", "Too many log in attempts from your address. Please wait 6 minutes before trying again."),
    ),
    ("refresh", {"code": "REFRESH_TOKEN"}, (401, "004", "Failed to refresh token.")),
]


@pytest.mark.parametrize(("name", "member", "told"), REFUSALS)
def test_each_refusal_has_its_row(name: str, member: Mapping[str, object], told: Told) -> None:
    """Each error has its status, code and text, and Retry-After where there is a wait."""
    response = CASES[name].ask(CASES[name].answered(member))
    assert (response.status, response.errors) == (told[0], [told])
    assert response.headers.get("retry-after") == (
        str(member["retryAfterSeconds"]) if "retryAfterSeconds" in member else None
    )


@pytest.mark.parametrize("name", ["forgotten", "restore", "change", "update"])
def test_violations_of_a_mutation_are_told_too(name: str) -> None:
    """Violations that only the mutation finds have their rows (7)."""
    violation = {"path": ["input", "x"], "code": "PASSWORD_COMMON", "minimum": None, "maximum": None}
    case = CASES[name]
    response = case.ask(case.answered({"code": "INVALID_INPUT", "violations": [violation]}))
    assert response.errors == [(400, "422", "The password is listed as common.")]


def test_profiles_are_shown_without_another_query() -> None:
    """A profile is shown from the query that checked the token."""
    gateway = Gateway(Reply(None))
    shown = [ask(application(gateway), "GET", path, SIGNED_IN).document for path in ("/customers", "/customers/DE--25")]
    assert shown[0]["data"][0] == shown[1]["data"]
    assert not gateway.ran


def test_id_company_user_is_shown_where_it_is_wanted() -> None:
    """The setting adds idCompanyUser to access tokens (8.1) and not to refresh tokens (8.2)."""
    shown = {}
    for name, wanted in (("sign in", True), ("sign in", False), ("refresh", True)):
        case = CASES[name]
        body = json.dumps({"data": {"type": case.path[1:], "attributes": case.attributes}}).encode()
        app = application(case.answered(case.success), id_company_user=wanted)
        shown[name, wanted] = ask(app, "POST", case.path, (), body).document["data"]["attributes"]
    assert shown["sign in", True] == {**TOKENS, "idCompanyUser": None}
    assert shown["sign in", False] == shown["refresh", True] == TOKENS


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"username": "sonia@spryker.com"}, 429),
        ({"username": "other@spryker.com"}, 422),
        ({"username": ["sonia@spryker.com"]}, 422),
        ({}, 422),
    ],
)
def test_a_lock_out_hides_broken_rules(attributes: dict[str, object], status: int) -> None:
    """Group 5 is checked before group 8 (3.3), and its text follows Accept-Language."""
    gateway = Gateway(Reply(None), locked_out="sonia@spryker.com")
    body = json.dumps({"data": {"type": "access-tokens", "attributes": attributes}}).encode()
    response = ask(application(gateway, lockout_minutes=2), "POST", "/access-tokens", {"accept-language": "de"}, body)
    assert response.status == status
    if status == 429:
        assert response.errors == [(429, "4401", "Warten Sie bitte 2 Minuten, bevor Sie es erneut versuchen.")]
        assert response.headers["retry-after"] == "61"
