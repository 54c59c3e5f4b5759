"""The life of a customer, once through each door, on each engine, with the keys of real mails."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from tests.contract.shop import Shop, document, errors, new_shop, person
from tests.registration.post import deliver, key_in

CONFIRM, RESTORE, NEW_ADDRESS = "register/confirm", "password/restore", "register/confirm-email"
FIRST, SECOND, THIRD = "change123", "change124", "change125"
EMAIL, NEW_EMAIL = "sonia@spryker.com", "sonia.wagner@spryker.com"


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    with new_shop(database, GatewaySettings()) as shop:
        yield shop


@pytest.fixture
def arrived(shop: Shop, tmp_path: Path) -> Callable[[], list[EmailMessage]]:
    """The mails that were sent since the last call."""
    return lambda: deliver(shop.installed.services, tmp_path)


def test_a_life_through_the_legacy_door(shop: Shop, arrived: Callable[[], list[EmailMessage]]) -> None:
    """A customer signs up, confirms, reads, changes, refreshes, restores and erases through the REST door."""

    def ask(method: str, path: str, status: int, token: str | None = None, **attributes: object) -> Any:
        body = document(path.split("/")[1], **attributes)
        response = shop.ask(method, path, body, token=token)
        assert response.status_code == status, response.text
        return response.json()["data"] if response.content else None

    def sign_in(password: str, email: str = EMAIL) -> dict[str, Any]:
        tokens: dict[str, Any] = ask("POST", "/access-tokens", 201, username=email, password=password)["attributes"]
        return tokens

    own = f"/customers/{ask('POST', '/customers', 201, **person(email=EMAIL))['id']}"
    assert errors(shop.sign_in(EMAIL, FIRST)) == [(401, "003", "Failed to authenticate user.")]
    (mail,) = arrived()
    ask("POST", "/customer-confirmation", 204, registrationKey=key_in(mail, CONFIRM))

    tokens = sign_in(FIRST)
    assert ask("GET", "/customers", 200, tokens["accessToken"])[0]["attributes"]["email"] == EMAIL
    changed = ask("PATCH", own, 200, tokens["accessToken"], firstName="Sonja", dateOfBirth="1984-05-17")
    assert (changed["attributes"]["firstName"], changed["attributes"]["lastName"]) == ("Sonja", "Wagner")
    tokens = ask("POST", "/refresh-tokens", 201, refreshToken=tokens["refreshToken"])["attributes"]
    assert ask("GET", own, 200, tokens["accessToken"])["attributes"]["dateOfBirth"] == "1984-05-17"

    ask("POST", "/customer-forgotten-password", 204, email=EMAIL)
    (mail,) = arrived()
    key = key_in(mail, RESTORE)
    new = {"password": SECOND, "confirmPassword": SECOND}
    ask("PATCH", "/customer-restore-password/1", 204, restorePasswordKey=key, **new)
    assert [mail["To"] for mail in arrived()] == [EMAIL]
    assert shop.refresh(tokens["refreshToken"]).status_code == 401
    assert shop.ask("GET", own, token=tokens["accessToken"]).status_code == 401

    tokens = sign_in(SECOND)
    path = own.replace("customers", "customer-password")
    new = {"newPassword": THIRD, "confirmPassword": THIRD}
    ask("PATCH", path, 204, tokens["accessToken"], password=SECOND, **new)
    tokens = sign_in(THIRD)
    ask("DELETE", "/refresh-tokens/mine", 204, tokens["accessToken"])
    ask("DELETE", own, 204, tokens["accessToken"])
    assert shop.ask("GET", own, token=tokens["accessToken"]).status_code == 401
    assert shop.sign_in(EMAIL, THIRD).status_code == 401
    assert ask("POST", "/customers", 201, **person(email=EMAIL))["id"] not in own


@dataclass(slots=True)
class GraphQLClient:
    """Sends operations with variables, as a storefront does, with an access token if there is one."""

    shop: Shop
    access_token: str | None = field(default=None, repr=False)

    def ask(self, query: str, **variables: object) -> Any:
        """The data of the answer, or the code of its error."""
        self.shop.installed.clock.move(timedelta(milliseconds=1))
        headers = {"authorization": f"Bearer {self.access_token}"} if self.access_token else {}
        body = {"query": query, "variables": variables}
        answer = self.shop.installed.client.post("/graphql", json=body, headers=headers).json()
        return answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]

    def run(self, mutation: str, selection: str = "", **given: object) -> Any:
        """The member of the result, with its type."""
        input_type = f"{mutation[0].upper()}{mutation[1:]}Input!"
        query = f"mutation($input: {input_type}) {{ {mutation}(input: $input) {{ __typename {selection} }} }}"
        data = self.ask(query, input=given)
        return data if isinstance(data, str) else data[mutation]

    def sign_in(self, password: str, email: str = EMAIL) -> Any:
        """The refresh token; None when it was refused."""
        result = self.run(
            "createAccessToken", f"... on CreateAccessTokenSuccess {TOKENS}", email=email, password=password
        )
        return self._keep(result) if "tokens" in result else None

    def refresh(self, refresh_token: str) -> Any:
        result = self.run(
            "refreshAccessToken", f"... on RefreshAccessTokenSuccess {TOKENS}", refreshToken=refresh_token
        )
        return self._keep(result) if "tokens" in result else None

    def _keep(self, result: Any) -> Any:
        self.access_token = result["tokens"]["accessToken"]
        return result["tokens"]["refreshToken"]


TOKENS = "{ tokens { accessToken refreshToken } }"
ME = "{ me { email firstName lastName dateOfBirth } }"
CHANGED = "... on UpdateCustomerSuccess { customer { email firstName lastName dateOfBirth } }"


def test_a_life_through_graphql(shop: Shop, arrived: Callable[[], list[EmailMessage]]) -> None:
    """The same life through GraphQL, with a change of address."""
    client = GraphQLClient(shop)
    form = {**person(email=EMAIL), "salutation": "MRS", "gender": "FEMALE"}
    assert client.run("createCustomer", **form) == {"__typename": "CreateCustomerSuccess"}
    assert client.sign_in(FIRST) is None
    assert client.ask(ME) == "UNAUTHENTICATED"
    (mail,) = arrived()
    confirmed = client.run("confirmCustomer", token=key_in(mail, CONFIRM))
    assert confirmed == {"__typename": "ConfirmCustomerSuccess"}

    refresh_token = client.sign_in(FIRST)
    sonia = {"email": EMAIL, "firstName": "Sonia", "lastName": "Wagner", "dateOfBirth": None}
    assert client.ask(ME) == {"me": sonia}
    sonja = sonia | {"firstName": "Sonja", "dateOfBirth": "1984-05-17"}
    changed = client.run("updateCustomer", CHANGED, firstName="Sonja", dateOfBirth="1984-05-17", email=NEW_EMAIL)
    assert changed["customer"] == sonja
    refresh_token = client.refresh(refresh_token)
    (to_new, to_old) = sorted(arrived(), key=lambda mail: mail["To"] != NEW_EMAIL)
    assert (to_new["To"], to_old["To"]) == (NEW_EMAIL, EMAIL)
    proven = client.run("confirmEmailChange", token=key_in(to_new, NEW_ADDRESS))
    assert proven == {"__typename": "ConfirmEmailChangeSuccess"}
    assert client.ask(ME) == {"me": sonja | {"email": NEW_EMAIL}}

    accepted = client.run("requestPasswordReset", email=NEW_EMAIL)
    assert accepted == {"__typename": "RequestPasswordResetAccepted"}
    (mail,) = arrived()
    given = {"token": key_in(mail, RESTORE), "password": SECOND, "confirmPassword": SECOND}
    assert client.run("resetPassword", **given) == {"__typename": "ResetPasswordSuccess"}
    assert [mail["To"] for mail in arrived()] == [NEW_EMAIL]
    assert client.ask(ME) == "UNAUTHENTICATED"
    assert client.refresh(refresh_token) is None

    refresh_token = client.sign_in(SECOND, NEW_EMAIL)
    given = {"password": SECOND, "newPassword": THIRD, "confirmPassword": THIRD}
    assert client.run("changePassword", **given) == {"__typename": "ChangePasswordSuccess"}
    assert client.ask(ME) == "UNAUTHENTICATED"
    assert client.refresh(refresh_token)
    revoked = client.run("revokeRefreshToken", all=True)
    assert revoked == {"__typename": "RevokeRefreshTokenSuccess"}
    assert client.ask(ME) == "UNAUTHENTICATED"
    client.sign_in(THIRD, NEW_EMAIL)
    assert client.run("anonymizeCustomer") == {"__typename": "AnonymizeCustomerSuccess"}
    assert client.ask(ME) == "UNAUTHENTICATED"
    assert client.sign_in(THIRD, NEW_EMAIL) is None
    assert client.run("createCustomer", **form) == {"__typename": "CreateCustomerSuccess"}
