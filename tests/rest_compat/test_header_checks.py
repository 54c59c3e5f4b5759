import pytest

from tests.rest_compat.asking import Headers, ask
from tests.rest_compat.executing import NOTHING_RUNS, application

APPLICATION = application(NOTHING_RUNS)
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
    "origin": "https://shop.example.com",
}
MISSING = (
    "One or more of the required headers (access-control-request-method, access-control-request-headers, origin)"
    " for the options method are missing."
)
PAGINATION = "Pagination parameters are invalid."


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "text"),
    [
        ("OPTIONS", "/customers", {}, 501, MISSING),
        ("OPTIONS", "/nothing", {}, 501, MISSING),
        *(
            ("OPTIONS", "/customers", {k: v for k, v in PREFLIGHT.items() if k != name}, 501, MISSING)
            for name in PREFLIGHT
        ),
        ("OPTIONS", "/customers?page[limit]=0", {}, 501, MISSING),
        ("OPTIONS", "/customers", PREFLIGHT | {"access-control-request-method": "PUT"}, 403, "Not allowed."),
        ("OPTIONS", "/customers", PREFLIGHT | {"access-control-request-method": "post"}, 403, "Not allowed."),
        ("OPTIONS", "/customers", PREFLIGHT | {"access-control-request-headers": "accept, x-y"}, 403, "Not allowed."),
        ("POST", "/customers?page[limit]=0", {}, 400, PAGINATION),
        ("POST", "/customers?page[limit]=-1", {}, 400, PAGINATION),
        ("POST", "/customers?page[limit]=a", {}, 400, PAGINATION),
        ("POST", "/customers?page[limit]=", {}, 400, PAGINATION),
        ("POST", "/customers?page%5Blimit%5D=1.5", {}, 400, PAGINATION),
        ("POST", "/customers?page[offset]=x", {}, 400, PAGINATION),
        ("POST", "/customers?page[offset]=%D9%A1", {}, 400, PAGINATION),
        ("POST", "/customers?page[limit]=" + "9" * 5000, {}, 400, PAGINATION),
        ("POST", "/customers?page[limit]=0", {"accept": "application/vnd.api+xml"}, 400, PAGINATION),
        ("GET", "/nothing?page[limit]=0", {}, 400, PAGINATION),
        ("POST", "/customers", {"accept": "application/vnd.api+xml"}, 415, "Unsupported Media Type"),
        ("POST", "/customers", {"accept": "Application/vnd.api+xml; q=0.5"}, 415, "Unsupported Media Type"),
        (
            "POST",
            "/customers",
            {"accept": "application/vnd.api+xml", "content-type": ""},
            415,
            "Unsupported Media Type",
        ),
        ("GET", "/nothing", {"accept": "application/vnd.api+xml"}, 415, "Unsupported Media Type"),
        ("POST", "/customers", {"content-type": ""}, 415, "Unsupported media type."),
        ("POST", "/customers", {"content-type": "  "}, 415, "Unsupported media type."),
        ("GET", "/nothing", {"content-type": ""}, 415, "Unsupported media type."),
    ],
)
def test_header_checks_answer_in_plain_text(method: str, target: str, headers: Headers, status: int, text: str) -> None:
    """CORS, pagination, Accept and Content-Type are checked first, in this order (2.2, 2.5, 2.7, 3.3)."""
    response = ask(APPLICATION, method, target, headers, b"{")
    assert (response.status, response.body.decode()) == (status, text)
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/customers", {}),
        ("/customers", {"accept": ""}),
        ("/customers", {"accept": "*/*"}),
        ("/customers", {"accept": "text/html"}),
        ("/customers", {"accept": "application/json"}),
        ("/customers", {"accept": "application/vnd.api+json;q=0.9"}),
        ("/customers", {"accept": "application/vnd.api+xml, application/vnd.api+json"}),
        ("/customers?page[limit]=1&page[offset]=-1", {}),
        ("/customers?page[limit]=%2B10&page=x&sort=-a&filter[a]=b", {}),
    ],
)
def test_other_headers_and_parameters_pass(target: str, headers: Headers) -> None:
    """A missing Accept and accepted types besides JSON:API pass (2.2)."""
    assert ask(APPLICATION, "POST", target, headers, b"{").errors == [(400, None, "Post data is invalid.")]


ALL = "GET, POST, PATCH, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("path", "methods", "headers"),
    [
        ("/customers", ALL, PREFLIGHT),
        ("/customers/", ALL, PREFLIGHT | {"access-control-request-headers": ""}),
        ("/customers/DE--1", ALL, PREFLIGHT | {"access-control-request-method": "PATCH"}),
        ("/customers", ALL, PREFLIGHT | {"access-control-request-method": "OPTIONS"}),
        (
            "/customer-confirmation",
            "POST, OPTIONS",
            PREFLIGHT | {"access-control-request-headers": "Content-Type,Accept , Authorization"},
        ),
        ("/refresh-tokens/mine", "GET, POST, DELETE, OPTIONS", PREFLIGHT),
        ("/token", "POST, OPTIONS", PREFLIGHT),
        ("/token/", "POST, OPTIONS", PREFLIGHT),
    ],
)
def test_preflight_names_what_is_allowed(path: str, methods: str, headers: Headers) -> None:
    """A complete OPTIONS request is answered with the methods and headers of the resource (2.7)."""
    response = ask(APPLICATION, "OPTIONS", path, headers)
    assert (response.status, response.body) == (200, b"")
    assert response.headers["access-control-allow-methods"] == methods
    assert response.headers["access-control-allow-headers"] == (
        "accept, content-type, content-language, accept-language, authorization, x-anonymous-customer-unique-id,"
        " idempotency-key"
    )
    assert "access-control-allow-origin" not in response.headers


def test_preflight_of_an_unknown_path_is_not_found() -> None:
    """OPTIONS for an unknown path is 404."""
    assert ask(APPLICATION, "OPTIONS", "/nothing", PREFLIGHT).errors == [(404, None, "Not Found")]
