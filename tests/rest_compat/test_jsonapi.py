import json

import pytest

from graphql_api.http.strict_json import read_json
from rest_compat.jsonapi import (
    INVALID_TYPE,
    POST_DATA_INVALID,
    Error,
    Item,
    Presentation,
    error_document,
    link_base,
    read_attributes,
)

ITEM = Item("DE--25", {"firstName": "Sonia", "email": "sonia@example.org"})
BASE = "https://glue.example.com"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"a=b&c=d",
        b"\xff",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"{}",
        b'{"data":null}',
        b'{"data":[]}',
        b'{"data":"customers"}',
        b'{"data":{}}',
        b'{"data":{"type":"customers"}}',
        b'{"data":{"attributes":{}}}',
        b'{"data":{"type":null,"attributes":{}}}',
        b'{"data":{"type":"customers","attributes":null}}',
        b'{"data":{"type":"carts"}}',
        b'{"data":{"type":"customers","attributes":"x"}}',
        b'{"data":{"type":"customers","attributes":1}}',
        b'{"data":{"type":"customers","attributes":[{"email":"a@example.org"}]}}',
        b'{"data":{"type":"customers","attributes":{"email":NaN}}}',
        b'{"data":{"type":"customers","attributes":{"email":"\\ud800"}}}',
        b'{"data":{"type":"customers","attributes":{"email":"a","email":"b"}}}',
        b"[" * 10_000,
    ],
)
def test_undecodable_and_incomplete_documents_are_refused_alike(content: bytes) -> None:
    """A body that is not strict JSON with data, type and an object of attributes is "Post data is invalid."."""
    assert read_attributes(read_json(content), "customers") == POST_DATA_INVALID


@pytest.mark.parametrize("wrong", ["", "Customers", "customer", "carts", 1, False, ["customers"], {}])
def test_type_is_compared_exactly(wrong: object) -> None:
    """Any type but the resource's own is "Invalid type."."""
    document = {"data": {"type": wrong, "attributes": {}}}
    assert read_attributes(document, "customers") == INVALID_TYPE


def test_attributes_are_raw_and_the_id_is_ignored() -> None:
    """Attributes are raw JSON, and an id in the body is ignored."""
    document = {"data": {"type": "customers", "id": "DE--1", "attributes": {"a": None, "b": [1]}}, "meta": 1}
    assert read_attributes(document, "customers") == {"a": None, "b": [1]}


@pytest.mark.parametrize("empty", [{}, []])
def test_empty_attributes_are_a_document(empty: object) -> None:
    """An empty object of attributes is a document, also as PHP writes it."""
    assert read_attributes({"data": {"type": "customers", "attributes": empty}}, "customers") == {}


def test_single_resource_has_the_documented_shape() -> None:
    """A single resource has type, id, attributes and an absolute self link."""
    assert Presentation(BASE, "customers").single(ITEM) == {
        "data": {
            "type": "customers",
            "id": "DE--25",
            "attributes": {"firstName": "Sonia", "email": "sonia@example.org"},
            "links": {"self": "https://glue.example.com/customers/DE--25"},
        }
    }


def test_resource_without_id_links_to_its_type() -> None:
    """A resource whose id is null links to its type."""
    shown = Presentation(BASE, "access-tokens").single(Item(None, {"a": 1}))
    assert shown["data"] == {
        "type": "access-tokens",
        "id": None,
        "attributes": {"a": 1},
        "links": {"self": "https://glue.example.com/access-tokens"},
    }


def test_collection_links_each_resource_and_itself() -> None:
    """A collection is an array of resources with links, and has a link itself."""
    presentation = Presentation(BASE, "customers")
    assert presentation.collection([ITEM]) == {
        "data": [presentation.single(ITEM)["data"]],
        "links": {"self": "https://glue.example.com/customers"},
    }
    assert presentation.collection([])["data"] == []


def test_accepted_document_has_no_id_member() -> None:
    """A document that does not tell whether a resource exists has no id member."""
    assert Presentation(BASE, "customers").without_id({"email": "a@example.org"}) == {
        "data": {
            "type": "customers",
            "attributes": {"email": "a@example.org"},
            "links": {"self": "https://glue.example.com/customers"},
        }
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"", ""),
        (b"include=addresses", "?include=addresses"),
        (b"fields%5Bcustomers%5D=email", "?fields[customers]=email"),
        (b"a=%22%7D%0A", '?a="}\n'),
        (b"a=%C3%BC", "?a=ü"),
        (b"a=%FF\xff", "?a=��"),
    ],
)
def test_links_carry_the_query_without_percent_encoding(query: bytes, shown: str) -> None:
    """Links end with the decoded query string; broken UTF-8 is replaced."""
    document = Presentation(BASE, "customers", query).single(ITEM)
    link = json.loads(json.dumps(document))["data"]["links"]["self"]
    assert link == f"https://glue.example.com/customers/DE--25{shown}"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (None, {"firstName": "Sonia", "email": "sonia@example.org"}),
        ({"email"}, {"email": "sonia@example.org"}),
        ({"email", "unknown"}, {"email": "sonia@example.org"}),
        ({"unknown"}, []),
        ({""}, []),
        (set(), []),
    ],
)
def test_sparse_fieldsets_keep_what_was_asked_for(fields: set[str] | None, shown: object) -> None:
    """Unknown names are dropped, and no attribute left is an empty list."""
    wanted = None if fields is None else frozenset(fields)
    document = Presentation(BASE, "customers", fields=wanted).single(ITEM)
    assert json.loads(json.dumps(document))["data"]["attributes"] == shown


def test_errors_have_a_code_only_where_there_is_one() -> None:
    """The status is a number, and the code a string or absent."""
    assert error_document([Error(404, "Not Found"), Error(422, "a", "901")]) == {
        "errors": [{"detail": "Not Found", "status": 404}, {"detail": "a", "status": 422, "code": "901"}]
    }


@pytest.mark.parametrize(
    ("configured", "base"),
    [
        ("https://glue.example.com", "https://glue.example.com"),
        ("https://glue.example.com:443", "https://glue.example.com"),
        ("http://glue.example.com:80/", "http://glue.example.com"),
        ("http://glue.example.com:443", "http://glue.example.com:443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://example.com/glue/", "https://example.com/glue"),
    ],
)
def test_links_omit_the_default_port(configured: str, base: str) -> None:
    """Links omit port 80 of http and 443 of https, and a slash at the end."""
    assert link_base(configured) == base
