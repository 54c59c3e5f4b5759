"""Sections 4.4 to 4.7 of the contract: reading, changing and erasing the own profile."""

from datetime import timedelta
from typing import Any

import pytest

from graphql_api.settings import GatewaySettings
from registration.mail.rendering import MailKind
from registration.storage.database import Database
from registration.storage.tables import customer
from tests.contract.shop import BASE, PASSWORD, Member, Shop, Told, document, errors, new_shop, person

NOT_FOUND: list[Told] = [(404, "402", "Customer not found.")]
UNAUTHORIZED: list[Told] = [(403, "411", "Unauthorized request.")]
TAKEN: list[Told] = [
    (
        422,
        "400",
        "If this email address is already in use, you will receive a password reset link. Otherwise you must first"
        " validate your e-mail address to finish registration. Please check your e-mail.",
    )
]
DEAD: list[Told] = [(401, "001", "Invalid access token.")]


@pytest.fixture(scope="module")
def own(shop: Shop) -> Member:
    return shop.member()


@pytest.fixture(scope="module")
def other(shop: Shop) -> Member:
    return shop.member()


def _own_attributes(shop: Shop, member: Member) -> dict[str, Any]:
    attributes: dict[str, Any] = shop.ask("GET", member.path, token=member.access_token).json()["data"]["attributes"]
    return attributes


def _patch(shop: Shop, member: Member, **attributes: object) -> Any:
    return shop.ask("PATCH", member.path, document("customers", **attributes), token=member.access_token)


class TestGet:
    @pytest.mark.parametrize("path", ["/customers", "/customers/"])
    def test_the_collection_is_the_caller_alone(self, shop: Shop, own: Member, path: str) -> None:
        """The collection is an array of the caller's resource, with both links (2.4, 4.4)."""
        response = shop.ask("GET", path, token=own.access_token)
        assert response.status_code == 200
        (item,) = response.json()["data"]
        assert item["links"] == {"self": f"{BASE}{own.path}"}
        assert response.json()["links"] == {"self": f"{BASE}/customers"}
        assert item["attributes"] == _own_attributes(shop, own)

    def test_the_own_resource_has_all_attributes(self, shop: Shop, own: Member) -> None:
        """The resource has every attribute, null where unset, and no password (4.2)."""
        response = shop.ask("GET", own.path, token=own.access_token)
        data = response.json()["data"]
        assert (response.status_code, data["type"], data["id"]) == (200, "customers", own.reference)
        times = {name: data["attributes"].pop(name) for name in ("createdAt", "updatedAt")}
        assert data["attributes"] == {
            "email": own.email,
            "gender": "Female",
            "salutation": "Mrs",
            "firstName": "Sonia",
            "lastName": "Wagner",
            "dateOfBirth": None,
        }
        (row,) = [row for row in shop.installed.rows(customer) if row["reference"] == own.reference]
        assert times == {
            "createdAt": row["created_at"].strftime("%Y-%m-%d %H:%M:%S.%f"),
            "updatedAt": row["updated_at"].strftime("%Y-%m-%d %H:%M:%S.%f"),
        }

    @pytest.mark.parametrize("reference", ["DE--999999", "mine", "x", "DE-1", "%20", "de--1", "ü", "'", "0" * 5000])
    def test_unknown_and_malformed_references_are_not_found(self, shop: Shop, own: Member, reference: str) -> None:
        """Unknown and malformed references, and `mine`, are 404 (1, 4.4)."""
        response = shop.ask("GET", f"/customers/{reference}", token=own.access_token)
        assert errors(response) == NOT_FOUND

    def test_existence_of_others_is_hidden(self, shop: Shop, own: Member, other: Member) -> None:
        """A foreign reference and an unknown one get the same bytes (4.4)."""
        foreign = shop.ask("GET", other.path, token=own.access_token)
        unknown = shop.ask("GET", "/customers/DE--999999", token=own.access_token)
        assert errors(foreign) == NOT_FOUND
        assert foreign.content == unknown.content

    @pytest.mark.parametrize("path", ["/customers", "/customers/DE--1"])
    def test_reading_needs_a_token(self, shop: Shop, path: str) -> None:
        """Without a token the answer is 403 with code 002 (3.2, 14)."""
        assert errors(shop.ask("GET", path)) == [(403, "002", "Missing access token.")]


class TestPatch:
    @pytest.mark.parametrize(
        ("sent", "shown"),
        [
            ({"firstName": "Zoë"}, {"firstName": "Zoë"}),
            ({"salutation": "Dr", "gender": "Male"}, {"salutation": "Dr", "gender": "Male"}),
            ({"lastName": " "}, {"lastName": " "}),
            ({"dateOfBirth": "1984-05-17"}, {"dateOfBirth": "1984-05-17"}),
            ({}, {}),
            ({"createdAt": "x", "updatedAt": "x", "shoeSize": "1", "reference": "DE--1", "acceptedTerms": False}, {}),
            ({"password": "another123", "confirmPassword": "another123"}, {}),
            ({"password": None, "confirmPassword": None}, {}),
            ({"confirmPassword": "another123"}, {}),
        ],
    )
    def test_only_what_is_sent_changes(self, shop: Shop, sent: dict[str, object], shown: dict[str, object]) -> None:
        """Sent attributes change; passwords, times and unknown attributes change nothing (4.5)."""
        member = shop.member()
        before = _own_attributes(shop, member)
        response = _patch(shop, member, **sent)
        assert response.status_code == 200
        after = response.json()["data"]["attributes"]
        assert after == before | shown | {"updatedAt": after["updatedAt"]} == _own_attributes(shop, member)
        assert response.json()["data"]["links"] == {"self": f"{BASE}{member.path}"}
        assert shop.sign_in(member.email).status_code == 201

    def test_null_clears_the_date_of_birth_alone(self, shop: Shop) -> None:
        """Null and an empty text clear the date of birth; an absent key keeps it (4.5)."""
        member = shop.member(dateOfBirth="1984-05-17")
        assert _patch(shop, member, firstName="A").json()["data"]["attributes"]["dateOfBirth"] == "1984-05-17"
        assert _patch(shop, member, dateOfBirth=None).json()["data"]["attributes"]["dateOfBirth"] is None

    @pytest.mark.parametrize("name", ["salutation", "gender", "firstName", "lastName", "email"])
    def test_null_is_blank_for_all_others(self, shop: Shop, own: Member, name: str) -> None:
        """Null for any other attribute is 422 with code 901 (4.5)."""
        told = errors(_patch(shop, own, **{name: None}))
        assert told == [(422, "901", f"{name} => This value should not be blank.")]

    @pytest.mark.parametrize(
        ("sent", "told"),
        [
            ({"email": "x"}, [(422, "901", "email => This value is not a valid email address.")]),
            ({"email": "s..w@spryker.com"}, [(422, "416", "Invalid Email address format.")]),
            (
                {"email": f"s@{'a' * 60}.{'b' * 60}.com"},
                [(422, "417", "Email is too long. It should have 100 characters or less.")],
            ),
            (
                {"gender": "", "salutation": "n/a"},
                [
                    (422, "901", "gender => This value should not be blank."),
                    (422, "901", "gender => The value you selected is not a valid choice."),
                    (422, "901", "salutation => The value you selected is not a valid choice."),
                ],
            ),
            (
                {"firstName": "n" * 101, "lastName": ["x"]},
                [
                    (422, "901", "firstName => This value is too long. It should have 100 characters or less."),
                    (422, "901", "lastName => This value should be of type string."),
                ],
            ),
            ({"dateOfBirth": "17.05.1984"}, [(422, "901", "dateOfBirth => This value is not a valid date.")]),
            (
                {"password": "short"},
                [(422, "901", "password => This value is too short. It should have 7 characters or more.")],
            ),
            (
                {"confirmPassword": "x" * 129},
                [(422, "901", "confirmPassword => This value is too long. It should have 128 characters or less.")],
            ),
            (
                {"password": "another123"},
                [(422, "406", "Value in field password should be identical to value in the confirmPassword field.")],
            ),
            (
                {"password": "another123", "confirmPassword": "another124"},
                [(422, "406", "Value in field password should be identical to value in the confirmPassword field.")],
            ),
        ],
    )
    def test_refused_changes_change_nothing(
        self, shop: Shop, own: Member, sent: dict[str, object], told: list[Told]
    ) -> None:
        """Each broken rule has its status, code and text, and nothing of the request is stored (4.1, 4.5)."""
        before = _own_attributes(shop, own)
        assert errors(_patch(shop, own, **{"lastName": "Other", **sent})) == told
        assert _own_attributes(shop, own) == before

    @pytest.mark.parametrize("reference", ["{other}", "DE--999999", "mine", "x"])
    def test_foreign_and_unknown_references_are_unauthorized(
        self, shop: Shop, own: Member, other: Member, reference: str
    ) -> None:
        """A foreign id is 403 with code 411, after bad attributes and before other rules (3.3, 4.5)."""
        path = f"/customers/{reference.format(other=other.reference)}"

        def told(**attributes: object) -> list[Told]:
            return errors(shop.ask("PATCH", path, document("customers", **attributes), token=own.access_token))

        assert told(firstName="X") == told(password="another123") == told(email=other.email) == UNAUTHORIZED
        assert told(firstName="") == [(422, "901", "firstName => This value should not be blank.")]
        assert _own_attributes(shop, other)["firstName"] == "Sonia"

    def test_a_taken_address_is_told(self, shop: Shop, own: Member, other: Member) -> None:
        """A taken address is refused in any case; the own one is no change (4.5, 4.6)."""
        assert errors(_patch(shop, own, email=other.email.upper())) == TAKEN
        assert _patch(shop, own, email=own.email).json()["data"]["attributes"]["email"] == own.email

    def test_a_new_address_is_parked_until_it_is_proven(self, shop: Shop) -> None:
        """The old address counts until the new one is confirmed, and both get a mail (4.5, 11)."""
        member, email = shop.member(), shop.new_email()
        assert _patch(shop, member, email=email).json()["data"]["attributes"]["email"] == member.email
        assert shop.sign_in(member.email).status_code == 201
        assert errors(shop.sign_in(email)) == [(401, "003", "Failed to authenticate user.")]
        mutation = "mutation($token: String!) { confirmEmailChange(input: {token: $token}) { __typename } }"
        body = {"query": mutation, "variables": {"token": shop.key(MailKind.EMAIL_CHANGE)}}
        proven = shop.installed.client.post("/graphql", json=body).json()
        assert proven == {"data": {"confirmEmailChange": {"__typename": "ConfirmEmailChangeSuccess"}}}
        assert _own_attributes(shop, member)["email"] == email
        assert shop.sign_in(email).status_code == 201

    def test_a_new_address_needs_only_the_access_token(self, database: Database) -> None:
        """Hours after the sign-in the access token alone asks for another address (4.5)."""
        with new_shop(database, GatewaySettings()) as shop:
            member, email = shop.member(), shop.new_email()
            shop.installed.clock.move(timedelta(hours=7))
            assert _patch(shop, member, email=email).status_code == 200
            assert shop.key(MailKind.EMAIL_CHANGE)

    def test_too_many_changes_of_address_are_429(self, shop: Shop) -> None:
        """Above our limit a change of address is 429 with Retry-After."""
        member, email = shop.member(), shop.new_email()
        answers = [_patch(shop, member, email=email) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert errors(answers[-1])[0][1] == "9429"
        assert int(answers[-1].headers["retry-after"]) > 0


class TestDelete:
    def test_erasure_forgets_the_person(self, shop: Shop) -> None:
        """204 clears the row, ends token and password, and frees the address (4.7)."""
        member = shop.member(dateOfBirth="1984-05-17")
        assert shop.ask("DELETE", member.path, token=member.access_token).status_code == 204
        (row,) = [row for row in shop.installed.rows(customer) if row["reference"] == member.reference]
        personal = ("first_name", "last_name", "salutation", "gender", "date_of_birth")
        assert [row[name] for name in personal] == [None] * 5
        assert row["anonymized_at"] == shop.installed.clock.now
        for method, path in (("GET", "/customers"), ("GET", member.path), ("DELETE", member.path)):
            assert errors(shop.ask(method, path, token=member.access_token)) == DEAD
        assert errors(shop.sign_in(member.email)) == [(401, "003", "Failed to authenticate user.")]
        assert errors(shop.refresh(member.refresh_token)) == [(401, "004", "Failed to refresh token.")]
        again = shop.ask("POST", "/customers", document("customers", **person(email=member.email)))
        assert again.status_code == 201
        assert again.json()["data"]["id"] != member.reference

    @pytest.mark.parametrize("reference", ["{other}", "DE--999999", "mine", "x"])
    def test_only_the_caller_is_erased(self, shop: Shop, own: Member, other: Member, reference: str) -> None:
        """A foreign, unknown or malformed id is 403 with code 411 (4.7)."""
        path = f"/customers/{reference.format(other=other.reference)}"
        assert errors(shop.ask("DELETE", path, token=own.access_token)) == UNAUTHORIZED
        assert shop.sign_in(other.email, PASSWORD).status_code == 201

    def test_an_email_that_was_erased_leaves_no_trace_in_answers(self, shop: Shop) -> None:
        """An erased address is answered like an unknown one (4.7, 6.1)."""
        member = shop.member()
        shop.ask("DELETE", member.path, token=member.access_token)
        mails = len(shop.installed.keys(MailKind.RESET))
        body = document("customer-forgotten-password", email=member.email)
        assert shop.ask("POST", "/customer-forgotten-password", body).status_code == 204
        assert len(shop.installed.keys(MailKind.RESET)) == mails
