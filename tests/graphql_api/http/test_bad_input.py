"""Wrong input: each answer names the field or the reason, none is a 500, and nothing is written."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from graphql_api.http.body import BODY_LIMIT
from registration.storage.database import open_database
from tests.graphql_api.installation import CREATE, FORM, Installation, installed

REQUIRED = tuple(FORM)
ENUMS = ("salutation", "gender")
NAMES = ("firstName", "lastName")
TEXTS = (*NAMES, "email", "password", "confirmPassword")
OPTIONAL = ("dateOfBirth", "idempotencyKey")
CONTROLS = ("\x00", "\n", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029")
NOT_TEXTS: tuple[object, ...] = (5, 1.5, True, ["Ada"], {"text": "Ada"})


@pytest.fixture(scope="module")
def gateway(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One gateway for all tests of this file, which change nothing."""
    path = tmp_path_factory.mktemp("bad-input") / "registration.db"
    path.write_bytes(sqlite_template.read_bytes())
    with installed(open_database(f"sqlite:///{path}")) as installation:
        yield installation


@pytest.fixture(autouse=True)
def nothing_is_written(gateway: Installation) -> Iterator[None]:
    before = gateway.content()
    yield
    assert gateway.content() == before


def found(response: httpx2.Response) -> list[tuple[str, str]]:
    """The path and the code of each violation, of the schema or of the rules."""
    answer = response.json()
    if "errors" in answer:
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "data" not in answer
        violations = error["extensions"]["violations"]
    else:
        violations = answer["data"]["createCustomer"]["violations"]
    return [(".".join(violation["path"]), violation["code"]) for violation in violations]


def of_form(gateway: Installation, **changes: object) -> list[tuple[str, str]]:
    return found(gateway.post(CREATE, {"input": {**FORM, **changes}}))


def reason(gateway: Installation, body: bytes, content_type: str = "application/json") -> tuple[int, str]:
    response = gateway.client.post("/graphql", content=body, headers={"content-type": content_type})
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "BAD_REQUEST"}
    return response.status_code, error["message"]


class TestAField:
    @pytest.mark.parametrize("field", REQUIRED)
    def test_that_is_missing_is_named(self, gateway: Installation, field: str) -> None:
        """A missing required field is answered MISSING, and nothing else is."""
        form = {name: value for name, value in FORM.items() if name != field}
        assert found(gateway.post(CREATE, {"input": form})) == [(f"input.{field}", "MISSING")]

    @pytest.mark.parametrize("field", REQUIRED)
    def test_that_is_null_is_named(self, gateway: Installation, field: str) -> None:
        """Null for a required field is answered MISSING."""
        assert of_form(gateway, **{field: None}) == [(f"input.{field}", "MISSING")]

    def test_missing_beside_others_is_named_with_them(self, gateway: Installation) -> None:
        """Violations of several fields are answered together: of the schema in its order, of the rules in theirs."""
        of_schema = ("email", "password", "confirmPassword", "acceptedTerms")
        of_policy = ("gender", "salutation", "firstName", "lastName")
        assert found(gateway.post(CREATE, {"input": {}})) == [(f"input.{field}", "MISSING") for field in of_schema]
        form = {name: FORM[name] for name in of_schema}
        assert found(gateway.post(CREATE, {"input": form})) == [(f"input.{field}", "MISSING") for field in of_policy]

    @pytest.mark.parametrize(
        ("field", "codes"),
        [
            *((field, ["NOT_A_CHOICE"]) for field in ENUMS),
            *((field, ["BLANK"]) for field in (*NAMES, "email")),
            ("acceptedTerms", ["NOT_A_BOOLEAN"]),
            ("dateOfBirth", ["NOT_A_DATE"]),
            ("idempotencyKey", ["TOO_SHORT"]),
        ],
    )
    def test_that_is_blank_is_named(self, gateway: Installation, field: str, codes: list[str]) -> None:
        """An empty string is answered with the code of the rule that its field breaks."""
        assert of_form(gateway, **{field: ""}) == [(f"input.{field}", code) for code in codes]

    @pytest.mark.parametrize("fields", [["password"], ["confirmPassword"], ["password", "confirmPassword"]])
    def test_that_is_a_blank_password_is_named_once(self, gateway: Installation, fields: list[str]) -> None:
        """Each empty password is answered BLANK, and nothing that follows from that is answered."""
        expected = [(f"input.{field}", "BLANK") for field in fields]
        assert of_form(gateway, **dict.fromkeys(fields, "")) == expected

    @pytest.mark.parametrize("field", [*REQUIRED, *OPTIONAL])
    def test_of_the_wrong_type_is_named(self, gateway: Installation, field: str) -> None:
        """Numbers, lists and objects are not taken for text, nor text for a boolean."""
        wrong = ("true", 1, 0, "1", [True], {}) if field == "acceptedTerms" else NOT_TEXTS
        code = "NOT_A_CHOICE" if field in ENUMS else "NOT_A_STRING"
        code = {"acceptedTerms": "NOT_A_BOOLEAN", "dateOfBirth": "NOT_A_DATE"}.get(field, code)
        for value in wrong:
            assert of_form(gateway, **{field: value}) == [(f"input.{field}", code)], value

    @pytest.mark.parametrize("field", NAMES)
    @pytest.mark.parametrize("character", CONTROLS)
    def test_with_a_control_character_is_named(self, gateway: Installation, field: str, character: str) -> None:
        """A control character in a name is refused."""
        assert of_form(gateway, **{field: f"A{character}da"}) == [(f"input.{field}", "FORBIDDEN_CHARACTER")]

    @pytest.mark.parametrize(
        "email",
        [
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "ada@@example.org",
            "ada lovelace@example.org",
            "ada@example.org\n",
            "ada\x00@example.org",
            "ada@exa\u202emple.org",
            "ada@example..org",
            "ada@-example.org",
            "Ada <ada@example.org>",
            "ada@example.org, eve@example.org",
            "\u212aelvin@example.org",  # the Kelvin sign, which normalisation would make a K
            "ada@[127.0.0.1]",
            "ada@mail.localhost",
            f"ada@{'b' * 64}.example",
        ],
    )
    def test_that_is_no_address_is_named(self, gateway: Installation, email: str) -> None:
        """An address that breaks the grammar, or to which no mail can be sent, is answered NOT_AN_EMAIL."""
        assert of_form(gateway, email=email) == [("input.email", "NOT_AN_EMAIL")]

    @pytest.mark.parametrize(
        "value", ["1990-02-30", "19900228", "28.02.1990", "1990-2-28", "+1990-02-28", "1990-W09-3"]
    )
    def test_that_is_no_date_is_named(self, gateway: Installation, value: str) -> None:
        """A date that is not YYYY-MM-DD, or not in the calendar, is refused."""
        assert of_form(gateway, dateOfBirth=value) == [("input.dateOfBirth", "NOT_A_DATE")]

    @pytest.mark.parametrize("value", ["2026-11-24", "2999-01-01", "0001-01-01"])
    def test_that_is_no_birth_date_is_named(self, gateway: Installation, value: str) -> None:
        """A date of birth in the future or absurdly long ago is refused."""
        assert of_form(gateway, dateOfBirth=value) == [("input.dateOfBirth", "DATE_OUT_OF_RANGE")]

    @pytest.mark.parametrize("field", [*NAMES, "password", "confirmPassword", "idempotencyKey"])
    def test_that_is_too_long_is_named(self, gateway: Installation, field: str) -> None:
        """A text as long as the body allows is answered TOO_LONG."""
        assert (f"input.{field}", "TOO_LONG") in of_form(gateway, **{field: "x" * 60_000})

    def test_that_is_too_long_an_address_is_named(self, gateway: Installation) -> None:
        """An address of more than one hundred characters is answered TOO_LONG."""
        email = f"ada@{'b' * 50}.{'c' * 50}.example"
        assert of_form(gateway, email=email) == [("input.email", "TOO_LONG")]
        assert ("input.email", "NOT_AN_EMAIL") in of_form(gateway, email="x" * 60_000)

    def test_that_is_unknown_is_named(self, gateway: Installation) -> None:
        """An unknown field is answered UNKNOWN_FIELD instead of being dropped."""
        assert of_form(gateway, dateofbirth="1990-02-28") == [("input.dateofbirth", "UNKNOWN_FIELD")]

    @pytest.mark.parametrize("given", [None, 5, "text", [], [FORM], {"input": FORM}])
    def test_that_is_the_whole_input_is_named(self, gateway: Installation, given: object) -> None:
        """Input that is not the expected object is answered with paths that begin with its variable."""
        assert found(gateway.post(CREATE, {"input": given}))[0][0].split(".")[0] == "input"

    def test_written_into_the_document_is_named_too(self, gateway: Installation) -> None:
        """A wrong literal is answered by path, without quoting the document."""
        document = "mutation { createCustomer(input: {password: 5, acceptedTerms: null}) { __typename } }"
        response = gateway.post(document)
        assert found(response)[:2] == [("input.email", "MISSING"), ("input.password", "NOT_A_STRING")]
        assert ("input.acceptedTerms", "MISSING") in found(response)


class TestABody:
    def test_of_a_megabyte_is_refused_by_its_limit(self, gateway: Installation) -> None:
        """A body above the limit is answered 413 before it is read as JSON."""
        body = json.dumps({"query": CREATE, "variables": {"input": {**FORM, "firstName": "x" * 1_000_000}}})
        assert reason(gateway, body.encode()) == (413, f"The body is larger than {BODY_LIMIT} bytes.")

    @pytest.mark.parametrize(
        ("old", "new", "key"),
        [
            ('"email":', '"email": "eve@example.org", "email":', "email"),
            ('"password":', '"password": "other horse", "password":', "password"),
            ('"query":', '"query": "{ __typename }", "query":', "query"),
        ],
    )
    def test_with_a_repeated_key_is_refused_by_that_key(
        self, gateway: Installation, old: str, new: str, key: str
    ) -> None:
        """A repeated key is refused and named: two readers could read two different values."""
        body = json.dumps({"query": CREATE, "variables": {"input": FORM}}).replace(old, new, 1)
        assert reason(gateway, body.encode()) == (
            400,
            f"The body names the key '{key}' more than once in one object.",
        )

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
        ],
    )
    def test_of_another_type_is_refused(self, gateway: Installation, content_type: str) -> None:
        """A body of another Content-Type is answered 415, so that forms of other sites cannot post here."""
        body = json.dumps({"query": CREATE, "variables": {"input": FORM}}).encode()
        assert reason(gateway, body, content_type) == (415, "The Content-Type must be application/json, in UTF-8.")

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "The body is empty."),
            (b" \n", "The body is empty."),
            (b"null", "The body must be a JSON object."),
            (b"true", "The body must be a JSON object."),
            (b'"x"', "The body must be a JSON object."),
            (b"[]", "Batches are not supported: send one operation in one request."),
            (b"{}", "The parameter 'query' must be a string."),
            (b'{"query": null}', "The parameter 'query' must be a string."),
            (b'{"query": "{ __typename }", "variables": []}', "The parameter 'variables' must be an object."),
            (b'{"query": "\xff"}', "The body is not valid UTF-8 (byte 11)."),
            (b'{"query": NaN}', "The body holds NaN, which JSON does not have."),
            (b'{"query": "\\ud800"}', "The body holds half of a surrogate pair."),
            (b"[" * 10_000, None),
            (b"[" * 1000 + b"]" * 1000, "The body is nested more than 64 levels deep."),
            (b'{"variables":' * 900 + b"{}" + b"}" * 900, "The body is nested more than 64 levels deep."),
            (b"1" * 10_000, None),
            (b'{"query": "x"', None),
        ],
    )
    def test_that_is_no_request_is_told_why(self, gateway: Installation, body: bytes, message: str | None) -> None:
        """A body that is not a GraphQL request is answered 400 with the reason."""
        status, told = reason(gateway, body)
        assert status == 400
        assert told == message if message else told.startswith("The body ")


@pytest.mark.parametrize("depth", [70, 3000])
def test_deep_documents_are_refused(gateway: Installation, depth: int) -> None:
    """A document that is too deep is answered with the limit that it exceeds."""
    response = gateway.post("{ a " * depth + "}" * depth)
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"


def test_no_answer_repeats_what_was_sent(gateway: Installation) -> None:
    """No answer repeats a value that was sent: it may be a password in the wrong field."""
    secret = "correct-horse-battery"
    for field in FORM:
        for value in (secret, [secret], {secret: 1}):
            form = FORM | {"confirmPassword": "other", field: value}
            assert secret not in gateway.post(CREATE, {"input": form}).text
