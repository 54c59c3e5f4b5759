"""The pages behind the links to a new password and to a new address, on both engines."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from html.parser import HTMLParser

import httpx2
import pytest
from sqlalchemy import Table, text
from structlog.testing import capture_logs

from graphql_api.app import create_app
from graphql_api.http.body import BODY_LIMIT
from graphql_api.settings import GatewaySettings
from registration.account.data_export import request_export
from registration.account.profile import update_profile
from registration.hashing.passwords import Passwords
from registration.mail.rendering import MailKind
from registration.outcomes import BadCredentials, Tokens
from registration.passwords.reset import request_reset
from registration.rules.password import PasswordPolicy
from registration.storage.database import Database, open_database
from registration.storage.tables import customer, email_change, event, metadata, reset_token
from tests.in_process import Installation, installation
from tests.registration.callers import caller_of
from tests.registration.forms import PASSWORD, request
from tests.registration.members import CLIENT, Member, confirmed, member
from tests.registration.signing import sign_in, sign_up

PASSWORD_PAGE, EMAIL_PAGE = "/password/restore", "/register/confirm-email"
SECURE_PAGE, EXPORT_PAGE = "/account/secure", "/account/export"
EMAIL, NEW_EMAIL, NEW = "ada@example.org", "Ada.New@example.net", "brand new horse"
UNKNOWN = "0" * 32
GOOD = "Difference.1"


class Page(HTMLParser):
    """A parsed page: its elements, and the text of its heading."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.heading = ""
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "h1" and not self.heading:
            self.heading = data

    def inputs(self) -> dict[str | None, str | None]:
        return {
            attributes.get("name"): attributes.get("value") for name, attributes in self.elements if name == "input"
        }


@dataclass(frozen=True, slots=True)
class Shop:
    """An installation with one customer, Ada, and a browser without JavaScript."""

    installed: Installation
    ada: Member

    def get(self, path: str, key: str, **headers: str) -> httpx2.Response:
        return self.installed.client.get(path, params={"token": key}, headers=headers)

    def post(self, path: str, **form: str) -> httpx2.Response:
        """The page that a form leads to."""
        return self.installed.client.post(path, data=form, follow_redirects=True)

    def sent(self, path: str, **form: str) -> tuple[int, str]:
        """Status and location of the response to a form."""
        response = self.installed.client.post(path, data=form)
        return response.status_code, response.headers["location"]

    def confirmation_key(self) -> str:
        return self.installed.keys(MailKind.CONFIRMATION)[-1]

    def reset_key(self, email: str = EMAIL) -> str:
        request_reset(self.installed.services, email, CLIENT)
        return self.installed.keys(MailKind.RESET)[-1]

    def email_key(self) -> str:
        caller = caller_of(self.installed.services, self.ada.tokens)
        update_profile(self.installed.services, caller, {"email": NEW_EMAIL}, CLIENT)
        return self.installed.keys(MailKind.EMAIL_CHANGE)[-1]

    def alert_key(self) -> str:
        self.email_key()
        return self.installed.keys(MailKind.EMAIL_CHANGE_NOTICE)[-1]

    def export_key(self) -> str:
        request_export(self.installed.services, caller_of(self.installed.services, self.ada.tokens), CLIENT)
        return self.installed.keys(MailKind.DATA_EXPORT)[-1]

    def content(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return {table.name: sorted(map(repr, self.installed.rows(table))) for table in metadata.sorted_tables}


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    with installation(database, GatewaySettings()) as installed:
        yield Shop(installed, member(installed.services))


def seen(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, Page(response).heading


async def at_once(
    installed: Installation, settings: GatewaySettings, form: dict[str, str], count: int
) -> list[httpx2.Response]:
    """The answers to the same form, sent so many times at once."""
    transport = httpx2.ASGITransport(app=create_app(settings, installed.services))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await asyncio.gather(*(client.post(PASSWORD_PAGE, data=form) for _ in range(count)))


@pytest.mark.parametrize("path", [PASSWORD_PAGE, EMAIL_PAGE, SECURE_PAGE, EXPORT_PAGE])
class TestEveryPage:
    def test_changes_nothing_when_it_is_read(self, shop: Shop, path: str) -> None:
        """Opening a link changes no row, because mail scanners follow links."""
        keys = {
            PASSWORD_PAGE: shop.reset_key,
            EMAIL_PAGE: shop.email_key,
            SECURE_PAGE: shop.alert_key,
            EXPORT_PAGE: shop.export_key,
        }
        key = keys[path]()
        before = shop.content()
        for _ in range(3):
            assert shop.get(path, key).status_code == 200
            assert shop.get(path, UNKNOWN).status_code == 404
        assert shop.content() == before

    def test_runs_no_script_and_leaks_no_key(self, shop: Shop, path: str) -> None:
        """The page is not cached or framed, loads nothing, and sends no referrer."""
        response = shop.get(path, UNKNOWN)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"
        assert not {"script", "img", "a", "iframe"} & {name for name, _ in Page(response).elements}

    @pytest.mark.parametrize("cut_off", ["", "?token=", "?token=%ff%00", "?token=x&token=y"])
    def test_answers_a_broken_link(self, shop: Shop, path: str, cut_off: str) -> None:
        """A link without its key is answered 404."""
        assert seen(shop.installed.client.get(path + cut_off)) == (404, "This link is no longer valid")

    def test_speaks_german(self, shop: Shop, path: str) -> None:
        """The page is German for Accept-Language: de."""
        response = shop.get(path, UNKNOWN, **{"accept-language": "de"})
        assert response.headers["content-language"] == "de"
        assert Page(response).heading == "Dieser Link ist nicht mehr gültig"

    def test_speaks_the_language_of_its_link(self, shop: Shop, path: str) -> None:
        """The `_locale` of a mailed link goes before Accept-Language, for the link and for its form."""
        english = {"accept-language": "en"}
        shown = shop.installed.client.get(f"{path}?token={UNKNOWN}&_locale=de_DE", headers=english)
        posted = shop.installed.client.post(
            f"{path}?_locale=de_DE", data={"token": UNKNOWN}, headers=english, follow_redirects=True
        )
        assert {shown.headers["content-language"], posted.headers["content-language"]} == {"de"}

    def test_refuses_a_form_that_is_too_large(self, shop: Shop, path: str) -> None:
        """A form above the limit is answered 413 with the limit."""
        response = shop.post(path, token="x" * BODY_LIMIT)
        assert (response.status_code, response.text) == (413, f"The form is larger than {BODY_LIMIT} bytes.")


class TestThePasswordPage:
    def test_asks_for_the_new_password_twice(self, shop: Shop) -> None:
        """The form has two password fields, and keeps the key."""
        key = shop.reset_key()
        response = shop.get(PASSWORD_PAGE, key)
        assert seen(response) == (200, "Choose a new password")
        assert Page(response).inputs() == {"token": key, "password": None, "confirmPassword": None}

    def test_masks_passwords_and_lets_password_managers_help(self, shop: Shop) -> None:
        """Both fields hide what is typed, ask password managers for a new one, and no script hinders pasting."""
        page = Page(shop.get(PASSWORD_PAGE, shop.reset_key()))
        fields = [
            attributes for name, attributes in page.elements if name == "input" and attributes["type"] != "hidden"
        ]
        assert [(each["name"], each["type"], each["autocomplete"]) for each in fields] == [
            ("password", "password", "new-password"),
            ("confirmPassword", "password", "new-password"),
        ]
        assert "script" not in {name for name, _ in page.elements}
        assert not {attribute for _, given in page.elements for attribute in given if attribute.startswith("on")}

    def test_stores_it(self, shop: Shop) -> None:
        """The form sets the new password once, and the old one is refused."""
        form = {"action": "reset", "token": shop.reset_key(), "password": NEW, "confirmPassword": NEW}
        assert seen(shop.post(PASSWORD_PAGE, **form)) == (200, "Done: your password is new")
        assert isinstance(sign_in(shop.installed.services, EMAIL, NEW, CLIENT), Tokens)
        assert sign_in(shop.installed.services, EMAIL, PASSWORD, CLIENT) == BadCredentials()

    def test_says_for_a_day_that_the_link_was_used(self, shop: Shop) -> None:
        """A used link and its form say that the password is new, offer a new mail, and change nothing."""
        key = shop.reset_key()
        form = {"action": "reset", "token": key, "password": NEW, "confirmPassword": NEW}
        shop.post(PASSWORD_PAGE, **form)
        shop.installed.clock.move(timedelta(hours=23))
        other = dict.fromkeys(("password", "confirmPassword"), "another battery")
        for page in (shop.get(PASSWORD_PAGE, key), shop.post(PASSWORD_PAGE, **form | other)):
            assert seen(page) == (200, "Done: your password is new")
            assert Page(page).inputs() == {"email": None}
            assert "a" not in [name for name, _ in Page(page).elements]  # no setting names a sign-in page
        assert isinstance(sign_in(shop.installed.services, EMAIL, NEW, CLIENT), Tokens)
        shop.installed.clock.move(timedelta(hours=1))
        assert seen(shop.get(PASSWORD_PAGE, key)) == (404, "This link is no longer valid")

    def test_leads_to_a_page_that_can_be_loaded_again(self, shop: Shop) -> None:
        """Forms that succeed are answered 303."""
        key = shop.reset_key()
        reset = shop.sent(PASSWORD_PAGE, action="reset", token=key, password=NEW, confirmPassword=NEW)
        assert reset == (303, f"?_locale=en_US&token={key}")
        request = shop.sent(PASSWORD_PAGE, action="request", email="bob@example.org")
        assert request == (303, "?_locale=en_US&done=sent")

    def test_says_once_that_it_is_empty(self, shop: Shop) -> None:
        """Of an empty password the page says only that it is empty."""
        response = shop.post(PASSWORD_PAGE, action="reset", token=shop.reset_key(), password="", confirmPassword="")
        assert response.text.count("<li>") == response.text.count("must not be empty") == 1

    def test_says_what_is_wrong_with_it(self, shop: Shop) -> None:
        """Each violation is shown once, no typed password comes back, and the link still works."""
        key = shop.reset_key()
        response = shop.post(PASSWORD_PAGE, action="reset", token=key, password="short", confirmPassword="shore")
        assert seen(response) == (422, "Choose a new password")
        assert response.text.count("This value needs 7 characters or more.") == 1
        assert "The two passwords differ." in response.text
        assert "shor" not in response.text
        assert Page(response).inputs()["token"] == key
        assert shop.get(PASSWORD_PAGE, key).status_code == 200

    def test_offers_a_new_mail_when_the_link_is_over(self, shop: Shop) -> None:
        """Expired and unknown links get the same page, which offers a new mail."""
        key = shop.reset_key()
        shop.installed.clock.move(timedelta(hours=2))
        expired, unknown = shop.get(PASSWORD_PAGE, key), shop.get(PASSWORD_PAGE, UNKNOWN)
        assert seen(expired) == seen(unknown) == (404, "This link is no longer valid")
        assert Page(expired).inputs() == {"email": None}
        assert seen(shop.post(PASSWORD_PAGE, action="request", email=EMAIL)) == (200, "Please look into your mailbox")
        assert len(shop.installed.keys(MailKind.RESET)) == 2

    def test_says_the_same_of_every_address(self, shop: Shop) -> None:
        """Known and unknown addresses get the same page."""
        known, unknown = (
            re.sub('nonce="[^"]*"', "", shop.post(PASSWORD_PAGE, action="request", email=email).text)
            for email in (EMAIL, "bob@example.org")
        )
        assert known == unknown

    def test_says_what_is_no_address(self, shop: Shop) -> None:
        """A text that is not an address is answered 422 and asked for again."""
        response = shop.post(PASSWORD_PAGE, action="request", email="ada")
        assert seen(response) == (422, "That is not an e-mail address")

    def test_says_when_there_were_too_many_mails(self, shop: Shop) -> None:
        """Above the limit the page and a header say how long to wait."""
        for _ in range(5):
            shop.post(PASSWORD_PAGE, action="request", email=EMAIL)
        response = shop.post(PASSWORD_PAGE, action="request", email=EMAIL)
        assert seen(response) == (429, "Please wait a little")
        assert response.headers["retry-after"] == "3600"
        assert "60 minutes." in response.text

    def test_waits_for_a_hash_slot_like_a_sign_up(self, database: Database) -> None:
        """A reset beyond the queue is answered 503 with the seconds to wait, and one of many is served."""
        settings = GatewaySettings(hash_slots=1, queue_seconds=0.01)
        slow = Passwords(memory_kib=65_536, time_cost=2, parallelism=1, slots=1)
        with installation(database, settings, passwords=slow) as installed:
            key = Shop(installed, member(installed.services)).reset_key()
            form = {"action": "reset", "token": key, "password": NEW, "confirmPassword": NEW}
            answers = asyncio.run(at_once(installed, settings, form, 60))
            changes = [row["kind"] for row in installed.rows(event)].count("customer.password_changed")
        turned_away = [answer for answer in answers if answer.status_code == 503]
        assert {seen(answer) for answer in turned_away} == {(503, "This does not work right now")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in turned_away)
        assert {answer.status_code for answer in answers} == {303, 503}
        assert changes == 1

    @pytest.mark.parametrize("form", [{}, {"action": "reset"}, {"action": "x"}, {"action": "reset", "token": ""}])
    def test_an_unknown_form_does_nothing(self, shop: Shop, form: dict[str, str]) -> None:
        """A form without action or key is answered 400 and changes nothing."""
        before = shop.content()
        assert shop.post(PASSWORD_PAGE, **form).status_code == 400
        assert shop.content() == before


class TestTheEmailPage:
    def test_asks_the_reader_of_the_new_mailbox(self, shop: Shop) -> None:
        """The page names the new address and not the customer: the mailbox may be a stranger's."""
        response = shop.get(EMAIL_PAGE, shop.email_key())
        assert seen(response) == (200, "Is this your new address?")
        assert NEW_EMAIL in response.text
        assert "Beispiel" not in response.text

    def test_moves_the_account(self, shop: Shop) -> None:
        """The button moves the account to the new address once."""
        key = shop.email_key()
        assert seen(shop.post(EMAIL_PAGE, token=key)) == (200, "Done: your new address is confirmed")
        assert [row["email"] for row in shop.installed.rows(customer)] == [NEW_EMAIL]

    def test_says_for_a_day_that_the_link_was_used(self, shop: Shop) -> None:
        """A used link and its form say that the address is confirmed, without any address of the customer."""
        key = shop.email_key()
        shop.post(EMAIL_PAGE, token=key)
        shop.installed.clock.move(timedelta(hours=23))
        for page in (shop.get(EMAIL_PAGE, key), shop.post(EMAIL_PAGE, token=key)):
            assert seen(page) == (200, "Done: your new address is confirmed")
            assert "@" not in Page(page).heading + re.sub("<style.*</style>", "", page.text, flags=re.DOTALL)
        shop.installed.clock.move(timedelta(hours=1))
        assert seen(shop.get(EMAIL_PAGE, key)) == (404, "This link is no longer valid")

    def test_leads_to_a_page_that_can_be_loaded_again(self, shop: Shop) -> None:
        """A form that succeeds is answered 303."""
        key = shop.email_key()
        assert shop.sent(EMAIL_PAGE, token=key) == (303, f"?_locale=en_US&token={key}")

    def test_says_that_the_address_was_taken(self, shop: Shop) -> None:
        """A new address that was taken meanwhile is answered 409, for a day also when the link is followed again."""
        key = shop.email_key()
        confirmed(shop.installed.services, email=NEW_EMAIL)
        for _ in range(2):
            assert seen(shop.post(EMAIL_PAGE, token=key)) == (409, "This address cannot be used")
        assert seen(shop.get(EMAIL_PAGE, key)) == (409, "This address cannot be used")
        shop.installed.clock.move(timedelta(days=1))
        assert seen(shop.get(EMAIL_PAGE, key)) == (404, "This link is no longer valid")

    @pytest.mark.parametrize("form", [{}, {"token": UNKNOWN}, {"token": "\ud800".encode("utf-8", "replace").decode()}])
    def test_an_unknown_form_does_nothing(self, shop: Shop, form: dict[str, str]) -> None:
        """A form without a valid key is answered 404 and changes nothing."""
        before = shop.content()
        assert shop.post(EMAIL_PAGE, **form).status_code == 404
        assert shop.content() == before


@pytest.mark.parametrize(
    ("sign_in_url", "language", "href", "label"),
    [
        ("https://shop.example/login", "de", "https://shop.example/login?_locale=de_DE", "Anmelden"),
        ("https://shop.example?a=1&b=2", "en", "https://shop.example?a=1&amp;b=2&amp;_locale=en_US", "Sign in"),
        ("https://shop.example/#/login", "en", "https://shop.example/?_locale=en_US#/login", "Sign in"),
    ],
)
def test_every_page_that_is_done_leads_to_the_shop(
    database: Database, sign_in_url: str, language: str, href: str, label: str
) -> None:
    """Confirmation, reset and change of address end at a button to the sign-in page, which is told the language."""
    with installation(database, GatewaySettings(sign_in_url=sign_in_url)) as installed:
        shop = Shop(installed, member(installed.services))
        sign_up(installed.services, request(email="bob@example.org"))
        done = [
            shop.post(f"/register/confirm?_locale={language}", action="confirm", token=shop.confirmation_key()),
            shop.post(f"{EMAIL_PAGE}?_locale={language}", token=shop.email_key()),
            shop.post(
                f"{PASSWORD_PAGE}?_locale={language}",
                action="reset",
                token=shop.reset_key(NEW_EMAIL),
                password=NEW,
                confirmPassword=NEW,
            ),
        ]
        assert [answer.status_code for answer in done] == [200] * 3
        assert [f'<a class="button" href="{href}">{label}</a>' in answer.text for answer in done] == [True] * 3


@pytest.mark.parametrize(("path", "table"), [(PASSWORD_PAGE, reset_token), (EMAIL_PAGE, email_change)])
def test_a_database_that_does_not_answer_is_an_outage_that_passes(
    database: Database, database_url: str, path: str, table: Table
) -> None:
    """An outage is a page with the correlation id, and the same request succeeds afterwards."""
    with installation(open_database(database_url, wait=0.3), GatewaySettings()) as installed:
        shop = Shop(installed, member(installed.services))
        form = {"action": "request", "email": EMAIL} if path == PASSWORD_PAGE else {"token": shop.email_key()}
        with capture_logs() as entries, locked(database, table):
            response = shop.post(path, **form)
        assert seen(response) == (503, "This does not work right now")
        assert response.headers["retry-after"] == "5"
        assert response.headers["x-correlation-id"] in response.text
        assert entries[0]["event"] == "page.unavailable"
        assert form.get("token", UNKNOWN) not in str(entries)
        assert shop.post(path, **form).status_code == 200


@contextmanager
def locked(database: Database, table: Table) -> Iterator[None]:
    """Hold a lock that writers wait for: of everything on SQLite, of a table on PostgreSQL."""
    with database.engine.begin() as connection:
        if database.dialect == "postgresql":
            connection.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))
        yield


def test_rules_and_mistakes_stand_at_their_fields(database: Database) -> None:
    """Each field is described by its rules before a mistake, and by its mistake; the first wrong one has the focus."""
    with installation(database, GatewaySettings(password_character_rule="on")) as installed:
        shop = Shop(installed, member(replace(installed.services, policy=PasswordPolicy())))
        key = shop.reset_key()
        fresh = shop.get(PASSWORD_PAGE, key)
        differ = shop.post(PASSWORD_PAGE, action="reset", token=key, password=GOOD, confirmPassword="x")
        short = shop.post(PASSWORD_PAGE, action="reset", token=key, password="Ab.1", confirmPassword="x")
    assert [described(answer) for answer in (fresh, differ, short)] == [
        {"password": ("password-rules", None, True), "confirm": (None, None, False)},
        {"password": ("password-rules", None, False), "confirm": ("confirm-problems ", "true", True)},
        {
            "password": ("password-problems password-rules", "true", True),
            "confirm": ("confirm-problems ", "true", False),
        },
    ]
    assert "This value needs 7 characters or more. The password needs a capital and a small letter" in fresh.text


def described(response: httpx2.Response) -> dict[str | None, tuple[str | None, str | None, bool]]:
    """Of each password field, by its id: what describes it, whether it is wrong, and whether it has the focus."""
    return {
        each["id"]: (each.get("aria-describedby"), each.get("aria-invalid"), "autofocus" in each)
        for name, each in Page(response).elements
        if name == "input" and each["type"] == "password"
    }


class TestTheSecurePage:
    def test_secures_the_account_by_its_button(self, shop: Shop) -> None:
        """The button ends sessions and password, and the page says so for a day; nothing but the button does it."""
        key, installed = shop.alert_key(), shop.installed
        shown = shop.get(SECURE_PAGE, key)
        assert seen(shown) == (200, "Was this not you?")
        assert Page(shown).inputs() == {"token": key}
        assert isinstance(sign_in(installed.services, EMAIL, PASSWORD, CLIENT), Tokens)
        assert shop.sent(SECURE_PAGE, token=key) == (303, f"?_locale=en_US&token={key}")
        assert sign_in(installed.services, EMAIL, PASSWORD, CLIENT) == BadCredentials()
        assert len(installed.keys(MailKind.RESET)) == 1
        for page in (shop.get(SECURE_PAGE, key), shop.post(SECURE_PAGE, token=key)):
            assert seen(page) == (200, "Done: your account is secured")
        installed.clock.move(timedelta(days=1))
        assert seen(shop.get(SECURE_PAGE, key)) == (404, "This link is no longer valid")

    def test_says_that_the_address_is_gone(self, shop: Shop) -> None:
        """Where another customer has the address by now, a click and the link of an earlier mail say so for a day."""
        older = shop.alert_key()
        shop.installed.clock.move(timedelta(seconds=1))
        key = shop.alert_key()
        shop.post(EMAIL_PAGE, token=shop.installed.keys(MailKind.EMAIL_CHANGE)[-1])
        member(shop.installed.services)
        assert shop.sent(SECURE_PAGE, token=key) == (303, f"?_locale=en_US&token={key}")
        again = [shop.get(SECURE_PAGE, key), shop.post(SECURE_PAGE, token=key), shop.get(SECURE_PAGE, older)]
        assert [seen(page) for page in again] == [(409, "Your account is locked")] * 3
        assert shop.installed.keys(MailKind.RESET) == []
        shop.installed.clock.move(timedelta(days=1))
        assert seen(shop.get(SECURE_PAGE, key)) == (404, "This link is no longer valid")


class TestTheExportPage:
    def test_downloads_the_data_by_its_button(self, shop: Shop) -> None:
        """The button sends a JSON file that no cache keeps, each time until the key is a day old."""
        key = shop.export_key()
        shown = shop.get(EXPORT_PAGE, key)
        assert seen(shown) == (200, "Your data")
        assert Page(shown).inputs() == {"token": key}
        for _ in range(2):
            file = shop.post(EXPORT_PAGE, token=key)
            assert (file.status_code, file.headers["content-type"]) == (200, "application/json")
            assert file.headers["content-disposition"] == 'attachment; filename="my-data.json"'
            assert (file.headers["cache-control"], file.headers["referrer-policy"]) == ("no-store", "no-referrer")
            assert file.json()["customer"][0]["email"] == EMAIL
        shop.installed.clock.move(timedelta(days=1))
        for page in (shop.get(EXPORT_PAGE, key), shop.post(EXPORT_PAGE, token=key)):
            assert seen(page) == (404, "This link is no longer valid")
