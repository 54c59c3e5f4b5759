"""The confirmation page through the whole application, on both engines; the browser's view is in tests/browser."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from html import escape
from html.parser import HTMLParser

import httpx2
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from graphql_api.app import create_app
from graphql_api.http.body import BODY_LIMIT
from graphql_api.pages.confirmation_page import PAGE
from graphql_api.settings import GatewaySettings
from registration.notes import with_notes
from registration.storage.database import Database, open_database
from registration.storage.tables import confirmation_token, customer, email_claim, event, mail
from tests.graphql_api.installation import Installation, installed
from tests.rest_compat.asking import ask

UNKNOWN = "0" * 32
PATH = PAGE.path


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

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.elements if name == tag]


def show(
    installation: Installation, key: str, method: str = "GET", *, locale: str = "", **headers: str
) -> httpx2.Response:
    return installation.client.request(method, PATH, params={"token": key, "_locale": locale}, headers=headers)


def press(
    installation: Installation, action: str, given: str = "", *, locale: str = "", **headers: str
) -> httpx2.Response:
    """The page that the form of that button leads to."""
    form = {"action": action, "email" if action == "resend" else "token": given}
    return installation.client.post(PATH, data=form, params={"_locale": locale}, headers=headers, follow_redirects=True)


def heading(response: httpx2.Response) -> str:
    return Page(response).heading


def escaped(name: str) -> str:
    return escape(name).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def words(response: httpx2.Response) -> str:
    """The page without what differs in every response."""
    return re.sub('nonce="[^"]*"', "", response.text)


class TestTheLink:
    def test_shows_the_sign_up(self, installation: Installation) -> None:
        """The page shows names and time of the sign-up, with a button to confirm and one to disown."""
        installation.sign_up(firstName="Ada", lastName="Beispiel")
        response = show(installation, installation.confirmation_keys()[0])
        assert (response.status_code, heading(response)) == (200, "Is this your registration?")
        for fact in ("<bdi>Ada Beispiel</bdi>", "ada@example.org", "23 November 2026, 13:36 UTC"):
            assert fact in response.text
        assert Page(response).values("button", "value") == ["confirm", "disown"]
        assert Page(response).values("input", "value") == installation.confirmation_keys() * 2
        assert set(Page(response).values("form", "action")) == {"?_locale=en_US"}

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_changes_nothing_however_often_it_is_followed(self, installation: Installation, method: str) -> None:
        """Opening the link changes no row, because mail scanners follow links, and the key still works."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        before = installation.content()
        for _ in range(3):
            assert show(installation, key, method).status_code == 200
            assert show(installation, UNKNOWN, method).status_code == 404
        assert installation.content() == before
        assert press(installation, "confirm", key).status_code == 200

    @pytest.mark.parametrize("target", [PATH, f"{PATH}?token=", f"{PATH}?token=%ff%00", f"{PATH}?token=x&token=y"])
    def test_that_is_cut_off_is_not_valid(self, installation: Installation, target: str) -> None:
        """A link without its key is answered 404, because mail programs break long links."""
        response = installation.client.get(target)
        assert (response.status_code, heading(response)) == (404, "This link is no longer valid")


class TestTheConfirmButton:
    def test_confirms_the_customer(self, installation: Installation) -> None:
        """The button confirms the customer, and the page shows the reference."""
        reference = installation.sign_up()["customer"]["reference"]
        response = press(installation, "confirm", installation.confirmation_keys()[0])
        assert (response.status_code, heading(response)) == (200, "Done: your address is confirmed")
        assert reference in response.text
        assert installation.rows(customer)[0]["confirmed_at"] == installation.clock.now

    def test_answers_used_expired_and_unknown_keys_alike(self, installation: Installation) -> None:
        """Keys that were used a day ago, expired and unknown ones get the same page for the link and both buttons."""
        installation.sign_up()
        (used,) = installation.confirmation_keys()
        press(installation, "confirm", used)
        installation.sign_up(email="bob@example.org")
        (expired,) = set(installation.confirmation_keys()) - {used}
        installation.clock.move(timedelta(days=1))
        before = installation.content()
        answers = [
            ask_for(installation, key)
            for key in (used, expired, UNKNOWN, "", "ключ")
            for ask_for in (show, lambda gateway, key: press(gateway, "confirm", key), disown)
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({words(answer) for answer in answers}) == 1
        assert heading(answers[0]) == "This link is no longer valid"
        assert Page(answers[0]).values("button", "value") == ["resend"]
        assert installation.content() == before


class TestAnotherClick:
    """After the button was pressed, whatever a reader does with the mail or the browser ends at the same page."""

    def test_on_the_link_says_that_all_is_well(self, installation: Installation) -> None:
        """For a day the link of a used key, and both copies of its form, lead to the page of a confirmed address."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        first = press(installation, "confirm", key)
        installation.clock.move(timedelta(hours=23))
        again = [show(installation, key), press(installation, "confirm", key)]
        assert [heading(answer) for answer in again] == ["Done: your address is confirmed"] * 2
        assert {words(answer) for answer in again} == {words(first)}
        assert [row["kind"] for row in installation.rows(event)].count("customer.confirmed") == 1

    def test_on_the_link_of_an_older_mail_says_so_too(self, installation: Installation) -> None:
        """The keys of all mails to the customer count as used."""
        installation.sign_up()
        press(installation, "resend", "ada@example.org")
        first, second = installation.confirmation_keys()
        press(installation, "confirm", second)
        assert heading(show(installation, first)) == "Done: your address is confirmed"

    @pytest.mark.parametrize("action", ["confirm", "disown"])
    def test_a_form_leads_to_a_page_that_can_be_loaded_again(self, installation: Installation, action: str) -> None:
        """Every click is answered 303, so that a browser that loads the page again sends no form."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        form = {"action": action, "token": key}
        for _ in range(2):
            answer = installation.client.post(PATH, data=form, params={"_locale": "de_DE"})
            assert (answer.status_code, answer.headers["location"]) == (303, f"?_locale=de_DE&token={key}")
            assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
        seen = [installation.client.get(PATH + answer.headers["location"]) for _ in range(2)]
        assert [page.status_code for page in seen] == [200, 200]
        assert {page.headers["content-language"] for page in seen} == {"de"}

    def test_four_clicks_at_once_all_see_the_confirmed_address(self, installation: Installation) -> None:
        """Of four forms at once one confirms, and all of them lead to the page of a confirmed address."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        with ThreadPoolExecutor(4) as clicks:
            answers = list(clicks.map(lambda _: press(installation, "confirm", key), range(4)))
        assert [heading(answer) for answer in answers] == ["Done: your address is confirmed"] * 4
        assert [row["kind"] for row in installation.rows(event)].count("customer.confirmed") == 1

    def test_on_this_was_not_me_says_so_too(self, installation: Installation) -> None:
        """For a day the links of all mails about a disowned sign-up, and their forms, say that it is deleted."""
        installation.sign_up()
        press(installation, "resend", "ada@example.org")
        keys = installation.confirmation_keys()
        first = disown(installation, keys[0])
        installation.clock.move(timedelta(hours=23))
        again = [ask_for(installation, key) for key in keys for ask_for in (show, disown)]
        assert [heading(answer) for answer in again] == ["Done: the registration is deleted"] * 4
        assert {words(answer) for answer in again} == {words(first)}
        assert [row["kind"] for row in installation.rows(event)].count("customer.disowned") == 1
        installation.clock.move(timedelta(hours=1))
        assert [show(installation, key).status_code for key in keys] == [404, 404]

    def test_through_the_api_is_refused_as_before(self, installation: Installation) -> None:
        """`confirmCustomer` refuses a used key."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        press(installation, "confirm", key)
        document = "mutation ($input: ConfirmCustomerInput!) { confirmCustomer(input: $input) { __typename } }"
        assert installation.mutate(document, {"token": key})["__typename"] == "ConfirmationTokenError"

    def test_on_another_page_is_not_valid(self, installation: Installation) -> None:
        """A used key says nothing on the page of another kind of link."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        press(installation, "confirm", key)
        for path in ("/password/restore", "/register/confirm-email"):
            assert installation.client.get(path, params={"token": key}).status_code == 404


def disown(installation: Installation, key: str) -> httpx2.Response:
    return press(installation, "disown", key)


class TestThisWasNotMe:
    def test_erases_the_pending_account_and_frees_the_address(self, installation: Installation) -> None:
        """Disowning erases the pending account, and the address can sign up again."""
        installation.sign_up(firstName="Mallory")
        response = disown(installation, installation.confirmation_keys()[0])
        assert (response.status_code, heading(response)) == (200, "Done: the registration is deleted")
        for table in (customer, email_claim, confirmation_token, mail):
            assert installation.rows(table) == []
        assert "Mallory" not in str(installation.content())
        assert [row["kind"] for row in installation.rows(event)].count("customer.disowned") == 1
        assert installation.sign_up()["__typename"] == "CreateCustomerSuccess"

    def test_cannot_erase_a_confirmed_account(self, installation: Installation) -> None:
        """A key that has confirmed an account cannot disown it, and the page says that it is confirmed."""
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        press(installation, "confirm", key)
        assert heading(disown(installation, key)) == "Done: your address is confirmed"
        assert len(installation.rows(customer)) == 1


class TestANewMail:
    def test_is_posted_for_a_pending_account_only(self, installation: Installation) -> None:
        """Known and unknown addresses get the same page; only a pending account gets a mail."""
        installation.sign_up()
        answers = [press(installation, "resend", email) for email in ("ADA@example.org", "unknown@example.org")]
        assert [(answer.status_code, heading(answer)) for answer in answers] == [
            (200, "Please look into your mailbox")
        ] * 2
        assert words(answers[0]) == words(answers[1])
        assert len(installation.rows(mail)) == 2

    def test_comes_once_a_minute_and_five_times_a_day(self, installation: Installation) -> None:
        """Above the limits the page and a header say how long to wait."""
        assert press(installation, "resend", "ada@example.org").status_code == 200
        response = press(installation, "resend", "ada@example.org")
        assert (response.status_code, response.headers["retry-after"]) == (429, "60")
        assert heading(response) == "Please wait a little"
        assert "in a minute." in response.text
        for _ in range(4):
            installation.clock.move(timedelta(minutes=1))
            assert press(installation, "resend", "ada@example.org").status_code == 200
        installation.clock.move(timedelta(minutes=1))
        assert "in 24 hours." in press(installation, "resend", "ada@example.org").text
        installation.clock.move(timedelta(hours=23))
        assert "in 55 minutes." in press(installation, "resend", "ada@example.org").text
        installation.clock.move(timedelta(minutes=1))
        german = press(installation, "resend", "ada@example.org", **{"accept-language": "de"})
        assert "in 54 Minuten noch einmal." in german.text

    def test_needs_an_address(self, installation: Installation) -> None:
        """A text that is not an address is answered 422 and asked for again."""
        for given in ("", "not an address", "a@b", "<script>alert(1)</script>@example.org"):
            response = press(installation, "resend", given)
            assert (response.status_code, heading(response)) == (422, "That is not an e-mail address")
            assert Page(response).values("button", "value") == ["resend"]
            assert "<script>" not in response.text


class TestEveryPage:
    def test_speaks_the_language_of_the_browser(self, installation: Installation) -> None:
        """The page is German or English, and English for any other language."""
        installation.sign_up()
        installation.sign_up(email="bob@example.org")
        first, second = installation.confirmation_keys()
        for accepted, language, headings in (
            ("fi, de-CH;q=0.8, en;q=0.5", "de", GERMAN),
            ("fi", "en", ENGLISH),
        ):
            answers = all_pages(installation, first if language == "de" else second, accepted)
            assert [heading(answer) for answer in answers] == headings
            assert {answer.headers["content-language"] for answer in answers} == {language}
            assert {lang for answer in answers for lang in Page(answer).values("html", "lang")} == {language}
            installation.clock.move(timedelta(minutes=2))

    def test_speaks_the_language_of_its_link(self, installation: Installation) -> None:
        """The `_locale` of a mailed link goes before Accept-Language, and every form hands it on."""
        installation.sign_up()
        answers = all_pages(installation, installation.confirmation_keys()[0], "en", "de_DE")
        assert [heading(answer) for answer in answers] == GERMAN
        assert {answer.headers["content-language"] for answer in answers} == {"de"}
        assert {action for answer in answers for action in Page(answer).values("form", "action")} == {"?_locale=de_DE"}

    def test_ignores_a_language_that_it_does_not_speak(self, installation: Installation) -> None:
        """Where `_locale` names a language that is not ours, Accept-Language decides."""
        answer = show(installation, UNKNOWN, locale="fi_FI", **{"accept-language": "de"})
        assert answer.headers["content-language"] == "de"

    def test_takes_no_encoded_form(self, installation: Installation) -> None:
        """A form with a Content-Encoding is 415, and the answer says that none is taken (RFC 9110, 15.5.16)."""
        answer = installation.client.post("/register/confirm", content=b"x", headers={"content-encoding": "gzip"})
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")

    def test_is_locked_down(self, installation: Installation) -> None:
        """The page has no script, frame, foreign request, cache or referrer, because its URL holds a key."""
        installation.sign_up()
        answers = all_pages(installation, installation.confirmation_keys()[0], "en")
        for answer in answers:
            (nonce,) = Page(answer).values("style", "nonce")
            assert answer.headers["content-security-policy"] == (
                f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; "
                "base-uri 'none'; frame-ancestors 'none'"
            )
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "script" not in answer.text
            assert all(source is None for source in Page(answer).values("img", "src"))
        assert len({answer.headers["content-security-policy"] for answer in answers}) == len(answers)

    @pytest.mark.parametrize(
        "name",
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</dd></dl></main><form action=//evil.example>",
            "{{ 7 * 7 }}{% raw %}",
            "&lt;b&gt;&#60;script&#62;",
            "<!-- ",
            "javascript:alert(1)//' onfocus='alert(1)",
        ],
    )
    def test_shows_a_name_as_text(self, installation: Installation, name: str) -> None:
        """A name with HTML is shown as text: the sign-up may be a stranger's."""
        installation.sign_up(email="plain@example.org")
        (plain,) = installation.confirmation_keys()
        installation.sign_up(firstName=name, lastName=name)
        (key,) = set(installation.confirmation_keys()) - {plain}
        response = show(installation, key)
        assert escaped(name) in response.text
        assert [tag for tag, _ in Page(response).elements] == [
            tag for tag, _ in Page(show(installation, plain)).elements
        ]
        confirmed = press(installation, "confirm", key)
        assert escaped(name) in confirmed.text


ENGLISH = [
    "Is this your registration?",
    "Done: your address is confirmed",
    "This link is no longer valid",
    "Please look into your mailbox",
    "Please wait a little",
    "That is not an e-mail address",
]
GERMAN = [
    "Ist das Ihre Registrierung?",
    "Fertig: Ihre Adresse ist bestätigt",
    "Dieser Link ist nicht mehr gültig",
    "Bitte sehen Sie in Ihr Postfach",
    "Bitte warten Sie ein wenig",
    "Das ist keine E-Mail-Adresse",
]


def all_pages(installation: Installation, key: str, language: str, locale: str = "") -> list[httpx2.Response]:
    headers = {"accept-language": language}
    return [
        show(installation, key, locale=locale, **headers),
        press(installation, "confirm", key, locale=locale, **headers),
        show(installation, UNKNOWN, locale=locale, **headers),
        press(installation, "resend", "unknown@example.org", locale=locale, **headers),
        press(installation, "resend", "unknown@example.org", locale=locale, **headers),
        press(installation, "resend", "x", locale=locale, **headers),
    ]


class TestAnOddRequest:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"action=",
            b"action=erase",
            b"\xff\xfe",
            b"%00=%ff&action",
            b'{"action":"confirm"}',
            b"action=resend&email=a@b.example" + b"&a=1" * 100,
        ],
    )
    def test_without_a_known_button_does_nothing(self, installation: Installation, body: bytes) -> None:
        """A form with an unknown action, or with too many fields, is answered like an invalid link."""
        before = installation.content()
        response = installation.client.post(PATH, content=body)
        assert (response.status_code, heading(response)) == (400, "This link is no longer valid")
        assert installation.content() == before

    def test_that_is_too_large_is_told_the_limit(self, installation: Installation) -> None:
        """A form above the limit is answered 413 with the limit."""
        response = installation.client.post(PATH, content=b"action=resend&email=" + b"x" * BODY_LIMIT)
        assert (response.status_code, response.text) == (413, "The form is larger than 65536 bytes.")

    def test_that_ends_early_does_nothing(self, installation: Installation) -> None:
        """A form that ends early changes nothing."""
        installation.sign_up()
        before = installation.content()
        app = create_app(GatewaySettings(), installation.services)
        body = f"action=confirm&token={installation.confirmation_keys()[0]}".encode()
        assert ask(app, "POST", PATH, body=body, leaves=True).status == 400
        assert installation.content() == before

    def test_by_another_method_is_not_ours(self, installation: Installation) -> None:
        """Another method gets the 404 of every unknown path."""
        assert installation.client.put(PATH).status_code == 404


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Hold a lock that a confirmation waits for."""
    with database.engine.begin() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("LOCK TABLE customer, attempt IN ACCESS EXCLUSIVE MODE"))
        yield  # on SQLite, a writing transaction is a lock of everything


def test_a_database_that_does_not_answer_is_an_outage_that_passes(database: Database, database_url: str) -> None:
    """An outage is a page with the correlation id, changes nothing, and the same form succeeds afterwards."""
    with installed(open_database(database_url, wait=0.3)) as installation:
        installation.sign_up()
        (key,) = installation.confirmation_keys()
        before = installation.content()
        with capture_logs([with_notes]) as entries, locked(database):
            response = press(installation, "confirm", key)
            german = press(installation, "resend", "ada@example.org", **{"accept-language": "de"})
        assert (response.status_code, heading(response)) == (503, "This does not work right now")
        assert (german.status_code, heading(german)) == (503, "Das geht gerade nicht")
        assert response.headers["retry-after"] == "5"
        assert response.headers["x-correlation-id"] in response.text
        outage = entries[0]
        assert (outage["event"], outage["log_level"]) == ("page.unavailable", "error")
        assert outage["correlation_id"] == response.headers["x-correlation-id"]
        assert key not in str(entries)
        assert installation.content() == before
        assert press(installation, "confirm", key).status_code == 200
