"""Sections 1 to 3 of the contract: addresses, headers, documents and the order of checks, for every endpoint.

A rule that holds for every endpoint and every value is asked in the rows of a pairwise table, in which the engine is a
factor, too: every two of endpoint, value and engine meet in a request.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.contract.pairwise import pairwise
from tests.contract.shop import BASE, Member, Shop, Told, document, errors, person

NOT_FOUND: list[Told] = [(404, None, "Not Found")]
INVALID: list[Told] = [(400, None, "Post data is invalid.")]
INVALID_TYPE: list[Told] = [(400, None, "Invalid type.")]
NO_ID: list[Told] = [(400, None, "Resource id is not specified.")]
BAD_TOKEN: list[Told] = [(401, "001", "Invalid access token.")]
NO_TOKEN: list[Told] = [(403, "002", "Missing access token.")]
TWO_IDENTITIES: list[Told] = [
    (400, "005", "Headers request error. A user can't act as logged and not logged user at the same time.")
]
ENGINES = ("sqlite", "postgresql")
ENDPOINTS_WITHOUT_ROUTE = [
    ("POST", "/customers/DE--1"),
    ("POST", "/access-tokens/1"),
    ("POST", "/refresh-tokens/1"),
    ("POST", "/customer-confirmation/1"),
    ("POST", "/customer-forgotten-password/1"),
    ("POST", "/customer-restore-password"),
    ("POST", "/customer-password"),
    ("PUT", "/customers"),
    ("PUT", "/customers/DE--1"),
    ("DELETE", "/customers/DE--1/addresses"),
    ("GET", "/customers/DE--1/foo"),
    ("GET", "/customer-password"),
    ("GET", "/customer-password/DE--1"),
    ("GET", "/customer-restore-password/1"),
    ("GET", "/customer-confirmation"),
    ("GET", "/customer-forgotten-password"),
    ("GET", "/access-tokens/1"),
    ("GET", "/refresh-tokens/mine"),
    ("PATCH", "/access-tokens/1"),
    ("PATCH", "/refresh-tokens/1"),
    ("DELETE", "/access-tokens/1"),
    ("DELETE", "/access-tokens"),
    ("DELETE", "/customer-password/DE--1"),
    ("GET", "/Customers"),
    ("GET", "/addresses"),
    ("GET", "/carts"),
    ("GET", "/company-users"),
    ("GET", "/agent-access-tokens"),
    ("POST", "/customers/DE--1/confirm-registration"),
    ("GET", "/"),
]
WITHOUT_ID = [
    ("PATCH", "/customers"),
    ("DELETE", "/customers"),
    ("PATCH", "/customer-password"),
    ("PATCH", "/customer-restore-password"),
    ("DELETE", "/refresh-tokens"),
]
# Every endpoint that takes a document.
TAKING = [
    ("POST", "/customers"),
    ("PATCH", "/customers/DE--1"),
    ("POST", "/customer-confirmation"),
    ("POST", "/customer-forgotten-password"),
    ("PATCH", "/customer-restore-password/1"),
    ("PATCH", "/customer-password/DE--1"),
    ("POST", "/access-tokens"),
    ("POST", "/refresh-tokens"),
]
PROTECTED = [
    ("GET", "/customers"),
    ("GET", "/customers/DE--1"),
    ("PATCH", "/customers/DE--1"),
    ("DELETE", "/customers/DE--1"),
    ("PATCH", "/customer-password/DE--1"),
    ("DELETE", "/refresh-tokens/mine"),
]


@pytest.fixture(scope="module")
def own(shop: Shop) -> Member:
    return shop.member()


def _type(path: str) -> str:
    return path.split("/")[1]


def rows(shop: Shop, *factors: Sequence[Any]) -> Iterator[Any]:
    """The rows of a pairwise table that are asked on this shop's engine; each holds a value of each factor."""
    engine = shop.installed.services.database.dialect
    return (row for at, *row in pairwise(ENGINES, *factors) if at == engine)


def test_the_lists_are_those_of_the_description(shop: Shop) -> None:
    """TAKING has the endpoints that take a body, PROTECTED those that demand an access token, as described."""
    described = {
        (method.upper(), *_place(path)): operation
        for path, operations in shop.description["paths"].items()
        for method, operation in operations.items()
        if method != "parameters" and path != "/token"
    }
    taking = {place for place, operation in described.items() if "requestBody" in operation}
    protected = {place for place, operation in described.items() if operation["security"] == [{"accessToken": []}]}
    assert taking == {(method, *_place(path)) for method, path in TAKING}
    assert protected == {(method, *_place(path)) for method, path in PROTECTED}


def _place(path: str) -> tuple[str, bool]:
    """The type of the resource, and whether the path has an id."""
    return _type(path), path.count("/") > 1


def _empty(path: str) -> dict[str, Any]:
    return document(_type(path))


class TestAddresses:
    def test_what_is_not_listed_is_not_found(self, shop: Shop, own: Member) -> None:
        """An endpoint that is not listed is answered 404 without a code, for every token and any body (1, 2.1, 3.2)."""
        tokens = {"none": None, "good": own.access_token, "bad": "bad"}
        for (method, path), token in rows(shop, ENDPOINTS_WITHOUT_ROUTE, [*tokens]):
            response = shop.ask(method, path, b"{", token=tokens[token])
            assert errors(response) == NOT_FOUND, (method, path, token)
            assert response.headers["content-type"] == "application/vnd.api+json"

    def test_an_id_must_be_there(self, shop: Shop) -> None:
        """A missing id is answered 400 before the token is looked at (2.1, 3.3)."""
        for (method, path), slash, token in rows(shop, WITHOUT_ID, ["", "/"], [None, "bad"]):
            response = shop.ask(method, path + slash, _empty(path), token=token)
            assert errors(response) == NO_ID, (method, path, slash, token)

    def test_the_document_is_read_before_the_id_is_missed(self, shop: Shop) -> None:
        """A bad document is answered 400, although the id is missing, too (3.3)."""
        taking = [path for method, path in WITHOUT_ID if method == "PATCH"]
        for path, slash in rows(shop, taking, ["", "/"]):
            assert errors(shop.ask("PATCH", path + slash, b"{")) == INVALID, (path, slash)

    def test_slashes_at_the_end_do_not_count(self, shop: Shop) -> None:
        """And no link ends with one (2.1, 2.4)."""
        for path in ("/customers", "/customers/"):
            body = document("customers", **person(email=shop.new_email()))
            data = shop.ask("POST", path, body).json()["data"]
            assert data["links"] == {"self": f"{BASE}/customers/{data['id']}"}


class TestHeaders:
    def test_every_accept_gets_json_api(self, shop: Shop, own: Member) -> None:
        """Success and error alike are exactly application/vnd.api+json (2.2, 2.3)."""
        accepts = ["application/vnd.api+json", "application/json", "*/*", "text/html", "", "image/png;q=0.1"]
        for accept, path in rows(shop, accepts, [own.path, "/nothing"]):
            response = shop.ask("GET", path, token=own.access_token, accept=accept)
            assert response.status_code == (404 if path == "/nothing" else 200)
            assert response.headers["content-type"] == "application/vnd.api+json", (accept, path)

    @pytest.mark.parametrize("path", ["/customers", "/nothing"])
    def test_other_formats_of_the_family_are_not_spoken(self, shop: Shop, path: str) -> None:
        """415 in plain text, before the route is looked at (2.2, 3.3)."""
        response = shop.ask("GET", path, accept="application/vnd.api+xml")
        assert (response.status_code, response.text) == (415, "Unsupported Media Type")

    @pytest.mark.parametrize("content_type", ["application/json", "application/vnd.api+json", None, "x/y"])
    def test_content_types_are_equivalent(self, shop: Shop, content_type: str | None) -> None:
        """A missing one is accepted (2.2)."""
        headers = {} if content_type is None else {"content_type": content_type}
        body = document("customer-forgotten-password", email="never@spryker.com")
        assert shop.ask("POST", "/customer-forgotten-password", body, **headers).status_code == 204

    def test_a_blank_content_type_is_refused(self, shop: Shop) -> None:
        """415 in plain text, before the document is read (2.2, 3.3)."""
        for ((method, path),) in rows(shop, TAKING):
            response = shop.ask(method, path, b"{", content_type=" ")
            assert (response.status_code, response.text) == (415, "Unsupported media type."), (method, path)

    def test_undecodable_formats_are_invalid(self, shop: Shop) -> None:
        """A document as a format of the family that is not read, and a form, are answered 400 (2.2)."""
        xml, form = "application/vnd.api+xml", "application/x-www-form-urlencoded"
        for (method, path), content_type in rows(shop, TAKING, [xml, form]):
            body = _empty(path) if content_type == xml else b"a=b"
            response = shop.ask(method, path, body, content_type=content_type)
            assert errors(response) == INVALID, (method, path, content_type)

    def test_versions_find_no_route(self, shop: Shop) -> None:
        """None of the resources is versioned: a version in the content type is answered 404 (2.2)."""
        for ((method, path),) in rows(shop, TAKING):
            response = shop.ask(method, path, _empty(path), content_type="application/vnd.api+json; version=1.0")
            assert errors(response) == NOT_FOUND, (method, path)

    def test_a_bad_authorization_is_refused_everywhere(self, shop: Shop) -> None:
        """A bad token is answered 401 by public endpoints, too (2.2)."""
        endpoints = sorted({*TAKING, *PROTECTED, ("GET", "/access-tokens")})
        authorizations = ["Bearer", "Bearer x", "Basic eDp4", "x", "", "Bearer x y"]
        for (method, path), authorization in rows(shop, endpoints, authorizations):
            response = shop.ask(method, path, _empty(path), authorization=authorization)
            assert errors(response) == BAD_TOKEN, (method, path, authorization)

    def test_scheme_and_token_are_split_on_white_space(self, shop: Shop, own: Member) -> None:
        """The scheme's case and the kind of space do not count, for reading as for changing (2.2)."""
        forms = ["Bearer {}", "bearer {}", "BEARER  {}", "Bearer\t{}"]
        for form, method in rows(shop, forms, ["GET", "PATCH"]):
            body = document("customers", firstName="Sonia") if method == "PATCH" else None
            response = shop.ask(method, own.path, body, authorization=form.format(own.access_token))
            assert response.status_code == 200, (form, method)

    def test_a_missing_token_is_403(self, shop: Shop) -> None:
        """A protected endpoint answers 403 with code 002 where no token is sent (2.2, 14)."""
        for ((method, path),) in rows(shop, PROTECTED):
            assert errors(shop.ask(method, path, _empty(path))) == NO_TOKEN, (method, path)

    def test_two_identities_are_refused(self, shop: Shop, own: Member) -> None:
        """A token and a guest's header together are refused before the token is looked at (2.2, 3.3)."""
        tokens = {"good": own.access_token, "bad": "bad"}
        for (method, path), token in rows(shop, sorted({*TAKING, *PROTECTED}), [*tokens]):
            guest = {"x_anonymous_customer_unique_id": "guest"}
            response = shop.ask(method, path, _empty(path), token=tokens[token], **guest)
            assert errors(response) == TWO_IDENTITIES, (method, path, token)

    @pytest.mark.parametrize(("language", "locale"), [("de", "de_DE"), ("de-AT, en;q=0.5", "de_DE"), ("fi", "en_US")])
    def test_language_is_negotiated(self, shop: Shop, language: str, locale: str) -> None:
        """In every answer, errors in English all the same (2.2)."""
        response = shop.ask("POST", "/access-tokens", document("access-tokens"), accept_language=language)
        assert response.headers["content-language"] == locale
        assert errors(response)[0] == (422, "901", "username => This field is missing.")


class TestQuery:
    def test_fields_are_chosen(self, shop: Shop, own: Member) -> None:
        """For reading and for changing; where no field is left, attributes are an empty list (2.5)."""
        fields: list[tuple[str, set[str]]] = [
            ("fields[customers]=email,firstName", {"email", "firstName"}),
            ("fields%5Bcustomers%5D=email,nothing", {"email"}),
            ("fields[customers]=nothing", set()),
            ("fields[customers]=", set()),
        ]
        for (query, attributes), method in rows(shop, fields, ["GET", "PATCH"]):
            body = document("customers") if method == "PATCH" else None
            response = shop.ask(method, f"{own.path}?{query}", body, token=own.access_token)
            shown = response.json()["data"]["attributes"]
            assert set(shown) == attributes, (query, method)
            assert shown != {}

    @pytest.mark.parametrize("query", ["include=addresses,wishlists", "include=", "sort=-x&filter[a.b]=c", "page=x"])
    def test_other_parameters_change_nothing_but_the_link(self, shop: Shop, own: Member, query: str) -> None:
        """Relations are out of scope, so all names are unknown; the query is appended to links (2.4, 2.5)."""
        document = shop.ask("GET", f"/customers?{query}", token=own.access_token).json()
        assert document.keys() == {"data", "links"}
        assert document["data"][0].keys() == {"type", "id", "attributes", "links"}
        assert document["links"]["self"] == f"{BASE}/customers?{query}"

    def test_bad_pages_are_refused(self, shop: Shop) -> None:
        """400 in plain text, before the route is looked at (2.5, 3.3)."""
        pages = ["page[limit]=0", "page[limit]=x", "page[offset]=1.5", "page%5Blimit%5D=-1"]
        for query, path in rows(shop, pages, ["/customers", "/nothing"]):
            response = shop.ask("GET", f"{path}?{query}")
            assert (response.status_code, response.text) == (400, "Pagination parameters are invalid."), (query, path)


DOCUMENTS: list[tuple[bytes, list[Told]]] = [
    (b"", INVALID),
    (b"{", INVALID),
    (b"[]", INVALID),
    (b"{}", INVALID),
    (b"null", INVALID),
    (b'"x"', INVALID),
    (b'{"data":null}', INVALID),
    (b'{"data":[]}', INVALID),
    (b'{"data":{}}', INVALID),
    (b'{"data":{"type":"TYPE"}}', INVALID),
    (b'{"data":{"attributes":{}}}', INVALID),
    (b'{"data":{"type":null,"attributes":{}}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":null}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":"x"}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":["x"]}}', INVALID),
    (b'{"data":{"type":"","attributes":{}}}', INVALID_TYPE),
    (b'{"data":{"type":"wrong","attributes":{}}}', INVALID_TYPE),
    (b'{"data":{"type":["TYPE"],"attributes":{}}}', INVALID_TYPE),
    (b'{"data":{"type":"wrong"}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":{"\xff":1}}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":{"a":"\\ud800"}}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":{"a":1,"a":2}}}', INVALID),
    (b'{"data":{"type":"TYPE","attributes":{"a":NaN}}}', INVALID),
    (b"[" * 10_000, INVALID),
    (b" " * 70_000, [(413, None, "The request body is larger than 65536 bytes.")]),
]


ANY_JSON: list[object] = [
    *(None, True, False, 0, 1, -1.5, "", " ", "x", "\u0000", "ü" * 300, [], ["x"], {}, {"x": 1}),
]


class TestDocuments:
    def test_bad_documents_are_refused_before_all_else(self, shop: Shop) -> None:
        """A bad document is answered 400 by every endpoint that takes one, before the token is looked at (2.6, 3.3)."""
        for (method, path), (body, told), token in rows(shop, TAKING, DOCUMENTS, [None, "bad"]):
            response = shop.ask(method, path, body.replace(b"TYPE", _type(path).encode()), token=token)
            assert errors(response) == told, (method, path, body[:60], token)

    @pytest.mark.parametrize(("method", "path"), TAKING)
    @pytest.mark.parametrize("empty", [{}, []])
    def test_empty_attributes_go_on_to_the_rules(
        self, shop: Shop, own: Member, method: str, path: str, empty: object
    ) -> None:
        """`{}` is a document, as is PHP's `[]`: 422 for what is missing, and 200 for a PATCH of the profile (2.6)."""
        body = {"data": {"type": _type(path), "attributes": empty}}
        response = shop.ask(method, path.replace("DE--1", own.reference), body, token=own.access_token)
        if (method, path) == ("PATCH", "/customers/DE--1"):
            assert response.status_code == 200
        else:
            assert {error[:2] for error in errors(response)} == {(422, "901")}
            assert {error[2].partition(" => ")[2] for error in errors(response)} == {"This field is missing."}

    def test_an_id_in_the_body_counts_for_nothing(self, shop: Shop, own: Member) -> None:
        """The path's is the only one (2.6)."""
        body = document("customers", firstName="Sonia")
        body["data"]["id"] = "DE--999"
        answer = shop.ask("PATCH", own.path, body, token=own.access_token)
        assert answer.json()["data"]["id"] == own.reference

    def test_bodies_of_get_and_delete_are_ignored(self, shop: Shop) -> None:
        """GET and DELETE ignore a body, even one that is no JSON (2.6)."""
        member = shop.member()
        assert shop.ask("GET", "/customers", b"{", token=member.access_token).status_code == 200
        assert shop.ask("DELETE", "/refresh-tokens/mine", b"{", token=member.access_token).status_code == 204


class TestPreflight:
    @pytest.mark.parametrize("missing", ["access_control_request_method", "access_control_request_headers", "origin"])
    def test_all_three_headers_are_needed(self, shop: Shop, missing: str) -> None:
        """A preflight without one of its three headers is answered 501 in plain text (2.7)."""
        response = shop.preflight("/customers", **{missing: ""})
        assert response.status_code == 501
        assert response.text == (
            "One or more of the required headers (access-control-request-method, access-control-request-headers,"
            " origin) for the options method are missing."
        )

    def test_what_is_served_is_allowed(self, shop: Shop) -> None:
        """A preflight allows the methods of the resource and OPTIONS, but no origin by default (2.3, 2.7)."""
        response = shop.preflight("/customers/DE--1")
        assert response.status_code == 200
        assert response.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE, OPTIONS"
        assert {"accept", "content-type", "content-language", "accept-language", "authorization"} <= set(
            response.headers["access-control-allow-headers"].split(", ")
        )
        assert "access-control-allow-origin" not in response.headers

    @pytest.mark.parametrize(
        "changed", [{"access_control_request_method": "PUT"}, {"access_control_request_headers": "x-other"}]
    )
    def test_anything_else_is_not(self, shop: Shop, changed: dict[str, str]) -> None:
        """A preflight for another method or header is answered 403 in plain text (2.7)."""
        response = shop.preflight("/customers", **changed)
        assert (response.status_code, response.text) == (403, "Not allowed.")


def test_attributes_are_any_json(shop: Shop) -> None:
    """Each attribute of each endpoint with each kind of JSON is refused or taken, and is no fault (3.4, issue 3)."""
    member = shop.member()
    attributes = [(*endpoint, name) for endpoint in TAKING for name in _attributes(shop, *endpoint)]
    for (method, path, name), value in rows(shop, attributes, ANY_JSON):
        body = document(_type(path), **{name: value})
        response = shop.ask(method, path.replace("DE--1", member.reference), body, token=member.access_token)
        assert response.status_code in {200, 204, 400, 401, 422}, (method, path, name, value)


def _attributes(shop: Shop, method: str, path: str) -> Iterator[str]:
    """The names that the description has for the document of an endpoint."""
    template = path.replace("DE--1", "{customerReference}").replace("/1", "/{id}")
    content = shop.description["paths"][template][method.lower()]["requestBody"]["content"]
    data = content["application/vnd.api+json"]["schema"]["properties"]["data"]["properties"]
    return iter(data["attributes"]["properties"])
