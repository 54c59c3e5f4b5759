"""A legacy client of the whole application that checks the headers and documents of every response."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from httpx2 import Response

from graphql_api.settings import GatewaySettings
from registration.language import Language
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import mail
from tests.contract.described import assert_described
from tests.in_process import Installation, installation

PASSWORD = "change123"
BASE = "https://glue.example.com"
EVERY_ANSWER = {
    "x-frame-options": "SAMEORIGIN",
    "content-security-policy": "frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "x-xss-protection": "1; mode=block",
    "referrer-policy": "same-origin",
}
CHALLENGE = 'Bearer realm="Access to shop API"'
Told = tuple[int, str | None, str]
"""Status, code and detail of an error."""


def document(resource_type: str, **attributes: object) -> dict[str, Any]:
    return {"data": {"type": resource_type, "attributes": attributes}}


def person(**changed: object) -> dict[str, Any]:
    """The attributes of a sign-up."""
    return {
        "salutation": "Mrs",
        "firstName": "Sonia",
        "lastName": "Wagner",
        "email": "sonia@spryker.com",
        "gender": "Female",
        "password": PASSWORD,
        "confirmPassword": PASSWORD,
        "acceptedTerms": True,
        **changed,
    }


def errors(response: Response) -> list[Told]:
    return [(error["status"], error.get("code"), error["detail"]) for error in response.json()["errors"]]


@dataclass(frozen=True, slots=True)
class Member:
    """A confirmed and signed-in customer."""

    reference: str
    email: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def path(self) -> str:
        return f"/customers/{self.reference}"


@dataclass(frozen=True, slots=True)
class Shop:
    """An installation that many tests share: each works with customers of its own."""

    installed: Installation
    description: Mapping[str, Any]
    numbers: Iterator[int] = field(default_factory=count)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> Response:
        """`headers` have underscores for hyphens; `token` is an access token."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["authorization"] = f"Bearer {token}"
        self.installed.clock.move(timedelta(milliseconds=1))  # so that each request has a time of its own
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        response = self.installed.client.request(method, path, content=content, headers=named)
        self.check(response)
        return response

    def preflight(self, path: str, **changed: str) -> Response:
        """OPTIONS with all headers that it needs, and these changes; an empty header is left out."""
        headers = {
            "access_control_request_method": "PATCH",
            "access_control_request_headers": "content-type, authorization",
            "origin": "https://shop.example.com",
            **changed,
        }
        return self.ask("OPTIONS", path, None, token=None, **{name: value for name, value in headers.items() if value})

    def check(self, response: Response) -> None:
        """What holds for every response (2.3, 3.1)."""
        headers = response.headers
        assert {name: headers.get(name) for name in EVERY_ANSWER} == EVERY_ANSWER
        assert headers["content-language"] in {language.locale for language in Language}
        assert "location" not in headers
        assert (headers.get("www-authenticate") == CHALLENGE) is (response.status_code == 401)
        if response.status_code == 204:
            assert (headers.get("content-type"), response.content) == (None, b"")
        if headers.get("content-type") == "application/vnd.api+json" and response.is_error:
            _check_errors(response)
        assert_described(dict(self.description), response)

    def new_email(self) -> str:
        return f"sonia-{next(self.numbers)}@spryker.com"

    def pending(self, **changed: object) -> str:
        """The address of a new, unconfirmed customer."""
        attributes = person(**{"email": self.new_email(), **changed})
        assert self.ask("POST", "/customers", document("customers", **attributes)).status_code == 201
        return str(attributes["email"])

    def confirmed(self, **changed: object) -> str:
        """The address of a new, confirmed customer."""
        email = self.pending(**changed)
        key = self.key(MailKind.CONFIRMATION)
        confirmed = self.ask("POST", "/customer-confirmation", document("customer-confirmation", registrationKey=key))
        assert confirmed.status_code == 204
        return email

    def sign_in(self, email: str, password: str = PASSWORD, **headers: str) -> Response:
        return self.ask(
            "POST", "/access-tokens", document("access-tokens", username=email, password=password), **headers
        )

    def member(self, **changed: object) -> Member:
        email = self.confirmed(**changed)
        tokens = self.sign_in(email).json()["data"]["attributes"]
        own = self.ask("GET", "/customers", token=tokens["accessToken"]).json()["data"][0]
        return Member(own["id"], email, tokens["accessToken"], tokens["refreshToken"])

    def refresh(self, refresh_token: str) -> Response:
        return self.ask("POST", "/refresh-tokens", document("refresh-tokens", refreshToken=refresh_token))

    def forget_password(self, email: str) -> str:
        """The key of the reset mail."""
        body = document("customer-forgotten-password", email=email)
        assert self.ask("POST", "/customer-forgotten-password", body).status_code == 204
        return self.key(MailKind.RESET)

    def key(self, kind: MailKind) -> str:
        """The key of the last mail of a kind."""
        return self.installed.keys(kind)[-1]

    def mails(self) -> list[str]:
        """The kinds of all mails, oldest first."""
        return [row["kind"] for row in sorted(self.installed.rows(mail), key=lambda row: row["created_at"])]


@contextmanager
def new_shop(database: Database, settings: GatewaySettings) -> Iterator[Shop]:
    with installation(database, settings) as installed:
        yield Shop(installed, installed.client.get("/openapi.json").json())


def _check_errors(response: Response) -> None:
    told = response.json()["errors"]
    assert response.status_code == told[-1]["status"]
    for error in told:
        assert {"detail", "status"} <= error.keys() <= {"detail", "status", "code"}
        assert isinstance(error["status"], int)
        assert isinstance(error.get("code", ""), str)
