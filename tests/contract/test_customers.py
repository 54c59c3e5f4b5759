"""POST /customers and POST /customer-confirmation of the legacy contract."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from httpx2 import Response

from graphql_api.settings import GatewaySettings
from harness.ports import free_port
from registration.storage.database import Database, open_database
from registration.storage.tables import confirmation_token, customer, email_claim, event, idempotency, mail
from tests.in_process import Installation, installation

SETTINGS = GatewaySettings(public_url="https://glue.example.com:443")
# The request of the original API description (POST /customers, 2022), as published.
SAMPLE = {
    "data": {
        "type": "customers",
        "attributes": {
            "salutation": "Mrs",
            "firstName": "Sonia",
            "lastName": "Wagner",
            "email": "sonia@spryker.com",
            "gender": "Female",
            "password": "change123",
            "confirmPassword": "change123",
            "acceptedTerms": True,
        },
    }
}
TAKEN = (
    "If this email address is already in use, you will receive a password reset link. Otherwise you must first validate"
    " your e-mail address to finish registration. Please check your e-mail."
)
WRITTEN = (customer, email_claim, confirmation_token, mail, event)


@pytest.fixture
def installed(database: Database) -> Iterator[Installation]:
    with installation(database, SETTINGS) as running:
        yield running


def _sample(**changed: object) -> dict[str, object]:
    return {"data": {"type": "customers", "attributes": SAMPLE["data"]["attributes"] | changed}}  # type: ignore[operator]


def _confirm(installed: Installation, key: object) -> Response:
    document = {"data": {"type": "customer-confirmation", "attributes": {"registrationKey": key}}}
    return installed.client.post("/customer-confirmation/", json=document)


def _errors(response: Response) -> list[tuple[int, str | None, str]]:
    assert response.headers["content-type"] == "application/vnd.api+json"
    errors = response.json()["errors"]
    assert response.status_code == errors[-1]["status"]
    return [(error["status"], error.get("code"), error["detail"]) for error in errors]


def _counts(installed: Installation) -> list[int]:
    return [len(installed.rows(table)) for table in WRITTEN]


@pytest.mark.parametrize("path", ["/customers", "/customers/"])
def test_the_published_sample_registers_a_customer(installed: Installation, path: str) -> None:
    """The published sample request is answered 201 with what was sent, under default settings."""
    response = installed.client.post(path, json=SAMPLE, headers={"accept-language": "de"})
    assert response.status_code == 201
    assert response.json() == {
        "data": {
            "type": "customers",
            "id": "DE--1",
            "attributes": {
                "firstName": "Sonia",
                "lastName": "Wagner",
                "email": "sonia@spryker.com",
                "gender": "Female",
                "dateOfBirth": None,
                "salutation": "Mrs",
                "createdAt": "2026-11-23 13:36:29.123456",
                "updatedAt": "2026-11-23 13:36:29.123456",
            },
            "links": {"self": "https://glue.example.com/customers/DE--1"},
        }
    }
    assert response.headers["content-type"] == "application/vnd.api+json"
    assert response.headers["content-language"] == "de_DE"
    assert "location" not in response.headers
    assert _counts(installed) == [1, 1, 1, 1, 1]
    (row,) = installed.rows(customer)
    assert (row["email"], row["language"], row["confirmed_at"]) == ("sonia@spryker.com", "de", None)


def test_a_taken_address_is_told_whatever_its_case(installed: Installation) -> None:
    """A taken address is 422 with code 400 in any case, and writes nothing (4.6)."""
    installed.client.post("/customers", json=SAMPLE)
    response = installed.client.post("/customers", json=_sample(email="Sonia@SPRYKER.com"))
    assert _errors(response) == [(422, "400", TAKEN)]
    assert _counts(installed) == [1, 1, 1, 1, 1]


def test_the_key_of_the_mail_confirms_once(installed: Installation) -> None:
    """The key is answered 204 once (5)."""
    installed.client.post("/customers", json=SAMPLE)
    (key,) = installed.confirmation_keys()
    assert re.fullmatch("[0-9a-f]{32}", key)
    first = _confirm(installed, key)
    assert (first.status_code, first.content) == (204, b"")
    assert "content-type" not in first.headers
    assert installed.rows(customer)[0]["confirmed_at"] == installed.clock.now
    refused = [(422, "423", "This email confirmation code is invalid or has been already used.")]
    assert _errors(_confirm(installed, key)) == refused


@pytest.mark.parametrize("key", ["0" * 32, "x", "0123456789ABCDEF0123456789ABCDEF", "k" * 60_000, "\x00", "ü"])
def test_unknown_keys_are_refused(installed: Installation, key: str) -> None:
    """An unknown key is answered like a used one (5)."""
    installed.client.post("/customers", json=SAMPLE)
    refused = [(422, "423", "This email confirmation code is invalid or has been already used.")]
    assert _errors(_confirm(installed, key)) == refused
    assert installed.rows(customer)[0]["confirmed_at"] is None


def test_an_expired_key_is_refused_and_frees_the_address(installed: Installation) -> None:
    """After a day the key is refused, and a new sign-up replaces the pending account."""
    installed.client.post("/customers", json=SAMPLE)
    (key,) = installed.confirmation_keys()
    installed.clock.move(timedelta(days=1))
    assert _errors(_confirm(installed, key))[0][1] == "423"
    assert installed.client.post("/customers", json=_sample(firstName="Other")).status_code == 201
    assert [row["first_name"] for row in installed.rows(customer)] == ["Other"]


REFUSED = [
    ({"email": None}, [(422, "901", "email => This value should not be blank.")]),
    ({"email": "x"}, [(422, "901", "email => This value is not a valid email address.")]),
    ({"email": "s..w@spryker.com"}, [(422, "416", "Invalid Email address format.")]),
    ({"email": f"{'s' * 65}@spryker.com"}, [(422, "416", "Invalid Email address format.")]),
    (
        {"email": f"s@{'a' * 60}.{'b' * 60}.com"},
        [(422, "417", "Email is too long. It should have 100 characters or less.")],
    ),
    ({"gender": "x", "salutation": "n/a"}, 2 * [(422, "901", "The value you selected is not a valid choice.")]),
    ({"firstName": "n" * 1_000}, [(422, "901", "This value is too long. It should have 100 characters or less.")]),
    ({"lastName": "a\x07"}, [(422, "901", "This value should not contain control characters.")]),
    ({"password": "short"}, [(422, "901", "This value is too short. It should have 7 characters or more.")]),
    ({"acceptedTerms": False}, [(422, "901", "This value should be true.")]),
    ({"acceptedTerms": None}, [(400, "413", "Terms and Conditions was not accepted.")]),
    ({"acceptedTerms": None, "confirmPassword": "other-123"}, [(400, "413", "Terms and Conditions was not accepted.")]),
    (
        {"confirmPassword": "other-123", "email": "s..w@spryker.com"},
        [(422, "406", "Value in field password should be identical to value in the confirmPassword field.")],
    ),
    (
        {"password": "password1", "confirmPassword": "password1", "email": "s..w@spryker.com"},
        [(400, "422", "The password is listed as common.")],
    ),
    ({"dateOfBirth": "2001-02-29"}, [(422, "901", "This value is not a valid date.")]),
    ({"dateOfBirth": "2026-11-24"}, [(422, "901", "This value is not a valid date.")]),
    ({"dateOfBirth": "2999-01-01"}, [(422, "901", "This value is not a valid date.")]),
    ({"dateOfBirth": "0001-01-01"}, [(422, "901", "This value is not a valid date.")]),
]


@pytest.mark.parametrize(("changed", "errors"), REFUSED)
def test_refused_sign_ups_name_the_reason_and_write_nothing(
    sqlite_url: str, changed: dict[str, object], errors: list[tuple[int, str, str]]
) -> None:
    """Each rule has its status, code and text, and the first stage hides later ones (3.4, 4.3)."""
    with installation(open_database(sqlite_url), SETTINGS) as installed:
        told = _errors(installed.client.post("/customers", json=_sample(**changed)))
        assert [(status, code, True) for status, code, _ in errors] == [
            (status, code, detail.endswith(text))
            for (status, code, detail), (_, _, text) in zip(told, errors, strict=True)
        ]
        assert _counts(installed) == [0, 0, 0, 0, 0]


def test_strict_settings_are_one_change_of_the_environment(sqlite_url: str) -> None:
    """With 12 to 128 characters and the character rule the sample's password is refused (10)."""
    strict = GatewaySettings(password_min_length=12, password_character_rule="on")
    with installation(open_database(sqlite_url), strict) as installed:
        told = _errors(installed.client.post("/customers", json=SAMPLE))
    assert [detail.partition(". ")[0] for _, _, detail in told] == [
        "password => This value is too short",
        "password => Your password must include at least one uppercase letter, one lowercase letter, one number, and"
        " one special character from the following list: !@#$%^&*()_-+=[]{}|;:<>.,/?\\~",
        "confirmPassword => This value is too short",
    ]


def test_an_idempotency_key_replays_the_same_bytes(installed: Installation) -> None:
    """The same key and body get the same document and one mail, another body a conflict."""
    headers = {"idempotency-key": "0123456789abcdef"}
    first, second = (installed.client.post("/customers", json=SAMPLE, headers=headers) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content)
    conflict = installed.client.post("/customers", json=_sample(firstName="Other"), headers=headers)
    assert _errors(conflict) == [(422, "9409", "The idempotency key was used before with another request.")]
    assert _counts(installed) == [1, 1, 1, 1, 1]
    assert len(installed.rows(idempotency)) == 1


def test_a_sign_up_limit_is_429(sqlite_url: str) -> None:
    """Above GATEWAY_SIGN_UP_LIMIT a sign-up is 429 with Retry-After."""
    with installation(open_database(sqlite_url), GatewaySettings(sign_up_limit=1)) as installed:
        installed.client.post("/customers", json=SAMPLE)
        response = installed.client.post("/customers", json=_sample(email="other@spryker.com"))
    assert _errors(response) == [
        (429, "9429", "Too many attempts. Please wait 3600 seconds before trying again."),
    ]
    assert response.headers["retry-after"] == "3600"


def test_an_outage_is_503_with_a_correlation_id() -> None:
    """Without a database both endpoints are 503 with Retry-After and the id of the log."""
    nowhere = open_database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", wait=0.1)
    with installation(nowhere, SETTINGS) as installed:
        for response in (installed.client.post("/customers", json=SAMPLE), _confirm(installed, "0" * 32)):
            ((status, code, detail),) = _errors(response)
            assert (status, code) == (503, "9503")
            assert detail.endswith(f"(correlation id {response.headers['x-correlation-id']})")
            assert response.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[" * 10_000, 400),
        (b'{"data":{"type":"customers","attributes":{"email":"\xff"}}}', 400),
        (b'{"data":{"type":"customers","attributes":{"email":"\\ud83d"}}}', 400),
        (b'{"data":{"type":"customers","attributes":{"email":"a@b.de","email":"c@d.de"}}}', 400),
        (b'{"data":{"type":"customers","attributes":{"dateOfBirth":NaN}}}', 400),
        (json.dumps(_sample(firstName="n" * 1_000_000)).encode(), 413),
    ],
)
def test_hostile_bodies_are_refused(sqlite_url: str, body: bytes, status: int) -> None:
    """A malformed or large body is a client error, and writes nothing."""
    with installation(open_database(sqlite_url), SETTINGS) as installed:
        response = installed.client.post("/customers", content=body)
        assert (
            _errors(response)
            == {
                400: [(400, None, "Post data is invalid.")],
                413: [(413, None, "The request body is larger than 65536 bytes.")],
            }[status]
        )
        assert _counts(installed) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/"),
        ("POST", "/graphql/"),
        ("PUT", "/customers"),
        ("POST", "/customers/DE--1"),
        ("POST", "/Customers"),
        ("GET", "/customer-confirmation"),
        ("DELETE", "/healthz"),
    ],
)
def test_what_nothing_serves_is_a_404_document(sqlite_url: str, method: str, path: str) -> None:
    """Unknown paths and methods get the 404 document (3.2)."""
    with installation(open_database(sqlite_url), SETTINGS) as installed:
        assert _errors(installed.client.request(method, path)) == [(404, None, "Not Found")]


@pytest.mark.parametrize("typed", ["Zoë 🎉", "محمد", "Ὀδυσσεύς", "O'Brien-Smith / <b>", " "])
def test_names_are_any_text(installed: Installation, typed: str) -> None:
    """Emoji, right-to-left scripts and markup come back as sent."""
    response = installed.client.post("/customers", json=_sample(firstName=typed))
    assert response.json()["data"]["attributes"]["firstName"] == typed


def test_addresses_of_all_scripts_are_kept_as_typed(installed: Installation) -> None:
    """An international domain equals its xn-- form, and is shown as sent."""
    first = installed.client.post("/customers", json=_sample(email="Jörg@Bücher.example.net"))
    assert first.json()["data"]["attributes"]["email"] == "Jörg@Bücher.example.net"
    second = installed.client.post("/customers", json=_sample(email="jörg@xn--bcher-kva.example.net"))
    assert _errors(second) == [(422, "400", TAKEN)]
