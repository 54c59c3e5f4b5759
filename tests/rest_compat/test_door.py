import json
from datetime import date

import pytest
from starlette.requests import Request

from graphql_api.http.strict_json import read_json
from registration.outcomes import Stage, Violation, ViolationCode
from registration.rules.form import ABSENT
from rest_compat.attributes import TEXT, Attribute
from rest_compat.door import Door
from rest_compat.execution import Reply
from rest_compat.jsonapi import MEDIA_TYPE, Error, Item
from rest_compat.resource import Answer, Call, Done, Listed, Operation, Refused, Resource, Shown
from tests.clock import TODAY
from tests.rest_compat.asking import Headers, Response, ask, post
from tests.rest_compat.executing import NOTHING_RUNS, OUTAGE, SIGNED_IN, Gateway

Told = tuple[int, str | None, str]
NOT_FOUND: list[Told] = [(404, None, "Not Found")]
POST_DATA_INVALID: list[Told] = [(400, None, "Post data is invalid.")]
BOOK = {"data": {"type": "books", "attributes": {"title": "Emma"}}}
BOOK_BODY = json.dumps(BOOK).encode()


async def _show(call: Call) -> Answer:
    caller = call.caller and call.caller["reference"]
    return Shown(Item(call.id, {"attributes": dict(call.attributes), "caller": caller}))


async def _list(call: Call) -> Answer:
    assert call.caller is not None
    return Listed((Item(call.caller["reference"], {}),))


async def _done(_call: Call) -> Answer:
    return Done()


async def _refuse(_call: Call) -> Answer:
    return Refused((Error(401, "No.", "003"), Error(429, "Wait.", "9429")), retry_after=7)


def _books_are_good(call: Call) -> list[Violation]:
    """A title is needed (group 8), and must not be the name of a stage (group 10)."""
    title = call.attributes.get("title", ABSENT)
    if title is ABSENT:
        return [Violation("title", ViolationCode.MISSING)]
    return [Violation("title", ViolationCode.PASSWORD_COMMON, Stage.PASSWORD)] if title == "Password" else []


# Made-up resources, with an operation for each thing that the door does.
TITLE = {"title": Attribute(TEXT)}
BOOKS = Resource(
    "books",
    collection={
        "GET": Operation("List", _list, protected=True),
        "POST": Operation("Show", _show, takes=TITLE),
    },
    single={
        "GET": Operation("Show", _show, protected=True, foreign=Error(404, "Not yours.", "1")),
        "PATCH": Operation(
            "Show", _show, takes=TITLE, rules=_books_are_good, protected=True, foreign=Error(403, "Not yours.", "2")
        ),
        "DELETE": Operation("Delete", _done, status=204, protected=True),
    },
)
REFUSALS = Resource("refusals", {"POST": Operation("Refuse", _refuse)})


def today() -> date:
    return TODAY


GATEWAY = Gateway(NOTHING_RUNS.reply, me=Reply({"me": {"reference": "DE--1"}}))
DOOR = Door(
    {"books": BOOKS, "refusals": REFUSALS}, "https://glue.example.com", GATEWAY.execute, read_json, lambda: TODAY
)


@pytest.mark.parametrize("path", ["/books", "/books/", "//books//"])
@pytest.mark.parametrize("query", ["", "?sort=title"])
def test_slashes_around_a_path_do_not_count(path: str, query: str) -> None:
    """A path with and without slashes around it is the same (2.1), and links end without one (2.4)."""
    response = post(DOOR, path + query, BOOK)
    assert response.status == 200
    assert response.document["data"]["links"]["self"] == f"https://glue.example.com/books{query}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/books/1"),
        ("POST", "/books/1/pages"),
        ("GET", "/books/1/pages"),
        ("POST", "/books//1"),
        ("POST", "/Books"),
        ("POST", "/book"),
        ("POST", "/"),
        ("POST", ""),
        ("PUT", "/books"),
        ("HEAD", "/books"),
        ("BREW", "/books"),
        ("post", "/books"),
        ("GET", "/refusals"),
        ("GET", "/refusals/1"),
        ("PATCH", "/refusals"),
        ("DELETE", "/refusals/1"),
        ("POST", "/books/%0A"),
    ],
)
def test_what_is_not_served_is_not_found(method: str, path: str) -> None:
    """Unknown types, deeper paths, POST with an id and other methods get the 404 document."""
    response = ask(DOOR, method, path, body=b"{")
    assert (response.status, response.errors) == (404, NOT_FOUND)
    assert response.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize("content_type", ["application/vnd.api+json; version=1.0", "application/json;VERSION=2"])
def test_versions_are_not_found(content_type: str) -> None:
    """A Content-Type with a version is answered 404 (2.2)."""
    assert post(DOOR, "/books", BOOK, {"content-type": content_type}).errors == NOT_FOUND


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "bad", "Basic good", "Bearer bad", "Bearer good x"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_token_that_is_sent_must_be_good(method: str, authorization: str) -> None:
    """A bad Authorization header is 401 with a challenge, also on public endpoints (2.2)."""
    path = "/books" if method == "POST" else "/books/1"
    body = b'{"data":{"type":"books","attributes":{}}}'
    response = ask(DOOR, method, path, {"authorization": authorization}, body)
    assert response.errors == [(401, "001", "Invalid access token.")]
    assert response.headers["www-authenticate"] == 'Bearer realm="Access to shop API"'


def test_a_revoked_token_counts_as_none_where_none_is_needed() -> None:
    """A revoked token makes the caller anonymous on public endpoints, and is 401 on protected ones (decision 0012)."""
    revoked = {"authorization": "Bearer revoked"}
    assert post(DOOR, "/books", BOOK, revoked).document["data"]["attributes"]["caller"] is None
    assert ask(DOOR, "GET", "/books", revoked).errors == [(401, "001", "Invalid access token.")]
    with_guest = revoked | {"x-anonymous-customer-unique-id": "1"}
    assert post(DOOR, "/books", BOOK, with_guest).status == 400


@pytest.mark.parametrize("authorization", ["Bearer good", "bearer  good", " Bearer\tgood "])
def test_a_good_token_gives_the_caller(authorization: str) -> None:
    """Scheme and token are split on white space, and the resource gets the customer."""
    response = post(DOOR, "/books", BOOK, {"authorization": authorization})
    assert response.document["data"]["attributes"]["caller"] == "DE--1"


def test_public_endpoints_need_no_token() -> None:
    """Without an Authorization header a public endpoint is served without a caller."""
    assert post(DOOR, "/books", BOOK).document["data"]["attributes"] == {
        "attributes": {"title": "Emma"},
        "caller": None,
    }


WRONG_TYPE = b'{"data":{"type":"cars","attributes":{}}}'
ORDER: list[tuple[str, str, Headers, bytes, list[Told]]] = [
    ("POST", "/cars", {"authorization": "bad"}, b"{", NOT_FOUND),
    ("POST", "/books", {"authorization": "bad"}, b"{", POST_DATA_INVALID),
    ("PATCH", "/books", {"authorization": "bad"}, b"{", POST_DATA_INVALID),
    ("PATCH", "/books", {"authorization": "bad"}, WRONG_TYPE, [(400, None, "Invalid type.")]),
    ("PATCH", "/books/1", {}, WRONG_TYPE, [(400, None, "Invalid type.")]),
    (
        "PATCH",
        "/books/",
        {"authorization": "bad"},
        WRONG_TYPE.replace(b"cars", b"books"),
        [(400, None, "Resource id is not specified.")],
    ),
    ("DELETE", "/books", {"authorization": "bad"}, b"{", [(400, None, "Resource id is not specified.")]),
    (
        "DELETE",
        "/books/1",
        {"authorization": "bad", "X-Anonymous-Customer-Unique-Id": "1"},
        b"",
        [
            (
                400,
                "005",
                "Headers request error. A user can't act as logged and not logged user at the same time.",
            )
        ],
    ),
    ("DELETE", "/books/1", {}, b"", [(403, "002", "Missing access token.")]),
    ("GET", "/books", {"X-Anonymous-Customer-Unique-Id": "1"}, b"", [(403, "002", "Missing access token.")]),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "errors"), ORDER)
def test_the_first_group_that_fails_answers_alone(
    method: str, path: str, headers: Headers, body: bytes, errors: list[Told]
) -> None:
    """Route, document, id, two identities and token are checked in this order (3.3)."""
    response = ask(DOOR, method, path, headers, body)
    assert response.errors == errors
    assert response.status == errors[0][0]


@pytest.mark.parametrize(
    ("method", "path", "title", "errors"),
    [
        ("PATCH", "/books/DE--2", None, [(422, "901", "title => This field is missing.")]),
        ("PATCH", "/books/DE--2", "Password", [(403, "2", "Not yours.")]),
        ("PATCH", "/books/DE--1", None, [(422, "901", "title => This field is missing.")]),
        ("PATCH", "/books/DE--1", "Password", [(400, "422", "The password is listed as common.")]),
        ("GET", "/books/DE--2", None, [(404, "1", "Not yours.")]),
        ("GET", "/books/de--1", None, [(404, "1", "Not yours.")]),
    ],
)
def test_single_attributes_come_before_ownership_and_other_rules_after_it(
    method: str, path: str, title: str | None, errors: list[Told]
) -> None:
    """Groups 8, 9 and 10 are checked in this order (3.3)."""
    attributes = {} if title is None else {"title": title}
    body = json.dumps({"data": {"type": "books", "attributes": attributes}}).encode()
    assert ask(DOOR, method, path, SIGNED_IN, body).errors == errors


def test_an_outage_is_no_bad_token() -> None:
    """An outage while a token is checked is 503 with Retry-After."""
    door = Door({"books": BOOKS}, "", Gateway(OUTAGE, me=OUTAGE).execute, read_json, today)
    for response in (ask(door, "GET", "/books", SIGNED_IN), post(door, "/books", BOOK, SIGNED_IN)):
        assert (response.status, response.headers["retry-after"]) == (503, "5")


class Gone(Exception):
    """What a callable of these tests raises in an outage."""


async def _lost(_request: Request, _attributes: object) -> None:
    raise Gone


@pytest.mark.parametrize("headers", [{"authorization": "bad"}, SIGNED_IN, {}])
def test_an_outage_that_is_raised_is_a_document(headers: Headers) -> None:
    """What a callable raises in an outage is answered as every outage: for a bad token, a good one and broken rules."""
    lending = Operation("Lend", _show, takes=TITLE, rules=_books_are_good, blocked=_lost)
    door = Door(
        {"loans": Resource("loans", {"POST": lending})},
        "",
        Gateway(OUTAGE, me=OUTAGE).execute,
        read_json,
        today,
        outages=(Gone,),
    )
    response = post(door, "/loans", {"data": {"type": "loans", "attributes": {}}}, headers)
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.errors == [(503, "9503", "The service is not available at the moment. Please try again later.")]


def test_only_known_attributes_reach_a_resource() -> None:
    """Unknown attributes are dropped (2.6)."""
    document = {"data": {"type": "books", "attributes": {"title": "Emma", "price": 1}}}
    assert post(DOOR, "/books", document).document["data"]["attributes"]["attributes"] == {"title": "Emma"}


def test_bodies_of_get_and_delete_are_ignored() -> None:
    """The body of GET and DELETE is not read (2.6)."""
    assert ask(DOOR, "GET", "/books", SIGNED_IN, b"{").document == {
        "data": [
            {
                "type": "books",
                "id": "DE--1",
                "attributes": {},
                "links": {"self": "https://glue.example.com/books/DE--1"},
            }
        ],
        "links": {"self": "https://glue.example.com/books"},
    }
    assert ask(DOOR, "DELETE", "/books/1", SIGNED_IN, b"{").status == 204


def test_no_content_has_neither_body_nor_content_type() -> None:
    """204 has neither a body nor a Content-Type (2.3)."""
    response = ask(DOOR, "DELETE", "/books/1", SIGNED_IN)
    assert (response.status, response.body) == (204, b"")
    assert not {"content-type", "content-length"} & response.headers.keys()


def test_status_is_that_of_the_last_error() -> None:
    """The last error gives the status, and an error of 401 adds the challenge (2.3, 3.1)."""
    response = post(DOOR, "/refusals", {"data": {"type": "refusals", "attributes": {}}})
    assert response.status == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["www-authenticate"] == 'Bearer realm="Access to shop API"'


def _of_every_kind() -> list[Response]:
    return [
        post(DOOR, "/books", BOOK),
        ask(DOOR, "POST", "/cars"),
        ask(DOOR, "DELETE", "/books/1", SIGNED_IN),
        ask(DOOR, "OPTIONS", "/books"),
        ask(DOOR, "GET", "/books", {"accept": "application/vnd.api+xml"}),
    ]


@pytest.mark.parametrize("response", _of_every_kind())
def test_every_answer_carries_language_and_security_headers(response: Response) -> None:
    """Documents, errors, plain text and empty answers have all headers of 2.3, and 201 has no Location."""
    expected = {
        "content-language": "en_US",
        "x-frame-options": "SAMEORIGIN",
        "content-security-policy": "frame-ancestors 'self'",
        "x-content-type-options": "nosniff",
        "x-xss-protection": "1; mode=block",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert {name: response.headers.get(name) for name in expected} == expected
    assert "location" not in response.headers


@pytest.mark.parametrize(
    ("accept_language", "locale"),
    [
        ("de", "de_DE"),
        ("de-AT,en;q=0.5", "de_DE"),
        ("en;q=0.1,de;q=0", "en_US"),
        ("fi", "en_US"),
        (";;,=\xff", "en_US"),
    ],
)
def test_language_is_negotiated(accept_language: str, locale: str) -> None:
    """Content-Language is the store's locale that fits best, for any Accept-Language (2.2)."""
    response = post(DOOR, "/books", BOOK, {"accept-language": accept_language})
    assert (response.status, response.headers["content-language"]) == (200, locale)


@pytest.mark.parametrize(
    "content_type",
    ["application/vnd.api+json", "application/json", "text/plain", "application/x-www-form-urlencoded", "x", None],
)
def test_any_content_type_is_read_as_json(content_type: str | None) -> None:
    """A body is read as JSON whatever its Content-Type says, if that is not blank (2.2)."""
    headers = {} if content_type is None else {"content-type": content_type}
    assert post(DOOR, "/books", BOOK, headers).status == 200


@pytest.mark.parametrize("content_type", ["application/vnd.api+xml", "Application/VND.api+yaml; charset=utf-8"])
def test_other_formats_of_the_family_are_not_decoded(content_type: str) -> None:
    """A body of another vnd.api format is an invalid document (2.2)."""
    assert post(DOOR, "/books", BOOK, {"content-type": content_type}).errors == POST_DATA_INVALID


def test_form_bodies_are_no_json() -> None:
    """A form is an invalid document (2.2)."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert ask(DOOR, "POST", "/books", headers, b"title=Emma").errors == POST_DATA_INVALID


@pytest.mark.parametrize("body", [b" " * (64 * 1024 + 1), [b"[" * 40_000, b"[" * 40_000]])
def test_large_bodies_are_refused_with_the_limit(body: bytes | list[bytes]) -> None:
    """A body of more than 64 KiB is 413 with the limit, in one piece or in several."""
    response = ask(DOOR, "POST", "/books", {}, body)
    assert response.errors == [(413, None, "The request body is larger than 65536 bytes.")]
    assert response.status == 413


@pytest.mark.parametrize("coding", ["gzip", "identity, br"])
def test_encoded_bodies_are_refused(coding: str) -> None:
    """A body with a Content-Encoding is 415, and the answer says that none is taken (RFC 9110, 8.4, 15.5.16)."""
    response = ask(DOOR, "POST", "/books", {"content-encoding": coding}, BOOK_BODY)
    assert response.errors == [(415, None, "The request body must have no Content-Encoding.")]
    assert (response.status, response.headers["accept-encoding"]) == (415, "identity")
    assert ask(DOOR, "POST", "/books", {"content-encoding": "identity"}, BOOK_BODY).status == 200


def test_a_body_of_the_limit_is_read_in_pieces() -> None:
    """A body of 64 KiB is read, also in several pieces."""
    body = b'{"data":{"type":"books","attributes":{"title":"' + b"a" * (64 * 1024 - 51) + b'"}}}'
    assert len(body) == 64 * 1024
    assert ask(DOOR, "POST", "/books", {}, [body[:100], b"", body[100:]]).status == 200


def test_a_client_that_leaves_is_no_fault() -> None:
    """A body that ends early is an invalid document, not an exception."""
    assert ask(DOOR, "POST", "/books", {}, b'{"data"', leaves=True).errors == POST_DATA_INVALID


def test_sparse_fieldsets_apply_to_every_method() -> None:
    """fields[type] chooses attributes; none left is an empty list; the last of several counts (2.5)."""
    shown = [
        ask(DOOR, "PATCH", f"/books/DE--1?{query}", SIGNED_IN, BOOK_BODY).document
        for query in (
            "fields%5Bbooks%5D=caller,x",
            "fields[books]=x",
            "fields[cars]=x",
            "fields[books]=x&fields[books]=",
        )
    ]
    assert [document["data"]["attributes"] for document in shown] == [
        {"caller": "DE--1"},
        [],
        {"attributes": {"title": "Emma"}, "caller": "DE--1"},
        [],
    ]


def test_the_host_header_is_not_believed() -> None:
    """Links start with the configured URL, not with the Host header (2.4)."""
    response = post(DOOR, "/books", BOOK, {"host": "evil.example.org"})
    assert b"evil" not in response.body


def test_the_door_may_stand_under_a_prefix() -> None:
    """The prefix of a mount is not part of the path."""
    assert ask(DOOR, "GET", "/books", SIGNED_IN, root_path="/glue").status == 200


def test_documents_are_json_whatever_the_query_holds() -> None:
    """Quotes, line feeds and broken UTF-8 in the query stay inside the link."""
    response = post(DOOR, "/books?a=%22%2C%0D%0ASet-Cookie:%20x%FF", BOOK)
    assert response.document["data"]["links"]["self"].startswith("https://glue.example.com/books?a=")
    assert "set-cookie" not in response.headers


def test_faults_are_left_to_the_application() -> None:
    """The door does not catch the exception of a resource."""

    async def _fail(_call: Call) -> Answer:
        raise ZeroDivisionError

    door = Door(
        {"books": Resource("books", {"GET": Operation("Fail", _fail)})}, "", GATEWAY.execute, read_json, lambda: TODAY
    )
    with pytest.raises(ZeroDivisionError):
        ask(door, "GET", "/books")
