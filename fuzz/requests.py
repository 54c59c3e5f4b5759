"""Requests as bytes: GraphQL, JSON:API, forms, tokens, plain HTTP with faults, and changed requests of the corpus."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from urllib.parse import quote, urlencode

from graphql import GraphQLSchema

from fuzz import documents, texts

PAGES = ("/register/confirm", "/register/confirm-email", "/password/restore", "/", "/mailbox", "/graphiql/x/main.js")
PROBES = ("/healthz", "/readyz", "/.well-known/jwks.json", "/openapi.json")
JSON_API = "application/vnd.api+json"
FORM = "application/x-www-form-urlencoded"
METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW")
CONTENT_TYPES = (
    "application/json",
    JSON_API,
    FORM,
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data",
    "x",
)
LENGTH = re.compile(rb"content-length: \d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Known:
    """What the requests are made from: the schema, the shim's paths with their attributes, and a customer's tokens."""

    schema: GraphQLSchema
    paths: Mapping[str, Sequence[str]]
    reference: str
    tokens: Sequence[str] = field(repr=False)
    corpus: Sequence[bytes] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Request:
    """`is_http` says that a server has to answer it; others it may hang up on."""

    kind: str
    content: bytes = field(repr=False)
    is_http: bool = True

    @property
    def is_head(self) -> bool:
        return self.content.startswith(b"HEAD ")


def make(random: Random, known: Known) -> Request:
    kind = random.choices(list(KINDS), weights=[weight for weight, _ in KINDS.values()])[0]
    return KINDS[kind][1](random, known)


def http(random: Random, known: Known, line: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One request with the headers of its kind and some that any request may have. `line`: "GET /healthz"."""
    named = {"Host": "127.0.0.1", **headers, **_any_headers(random, known)}
    if body or line.startswith("P"):
        named["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body


def _any_headers(random: Random, known: Known) -> dict[str, str]:
    token = random.choice(known.tokens)
    offered = {
        "Authorization": random.choice(
            (f"Bearer {token}", f"bearer {token[:-2]}", "Basic eDp5", f"Bearer {token}.x", "Bearer")
        ),
        "Accept": random.choice(("*/*", "text/html", JSON_API, "application/graphql-response+json", "x/y;q=2", ",;q=")),
        "Accept-Language": random.choice(("de", "en;q=0.1, de", "*", "xx-" * 40, ";;q=a")),
        "X-Forwarded-For": random.choice(("203.0.113.5:50001", "[2001:db8::1]:443,", ", ,", "unknown", "1" * 3000)),
        "Forwarded": random.choice(('for="[2001:db8::1]:4711"', "for=_hidden;proto=x", "for", ";;;=")),
        "Origin": random.choice(("http://localhost:3000", "null", "https://evil.example", "x")),
        "Idempotency-Key": texts.CANARY + "k" * random.choice((1, 16, 255, 300)),
        "Content-Encoding": random.choice(("gzip", "identity", "x")),
        "Expect": "100-continue",
        "Upgrade": "h2c",
        "Cookie": f"{texts.CANARY}=1",
    }
    often = {"Authorization": 0.4, "Accept": 0.1, "Accept-Language": 0.2}
    return {name: value for name, value in offered.items() if random.random() < often.get(name, 0.03)}


def graphql(random: Random, known: Known) -> Request:
    sent: object = documents.operation(random, known.schema)
    if random.random() < 0.05:
        sent = random.choice(
            ([sent], texts.value(random), {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}})
        )
    if isinstance(sent, dict) and random.random() < 0.1:
        query = urlencode({name: str(value) for name, value in sent.items()}, errors="replace")
        return Request("graphql", http(random, known, f"GET /graphql?{query}", {}))
    headers = {"Content-Type": "application/json" if random.random() < 0.97 else random.choice(CONTENT_TYPES)}
    return Request("graphql", http(random, known, "POST /graphql", headers, texts.encoded(random, sent)))


def json_api(random: Random, known: Known) -> Request:
    path, names = random.choice(list(known.paths.items()))
    target = re.sub(
        r"\{\w+\}",
        lambda _: quote(random.choice((known.reference, "mine", texts.text(random))), safe="", errors="replace"),
        path,
    )
    if random.random() < 0.1:
        name = random.choice(("include", "fields[customers]", "page[offset]"))
        target += f"?{urlencode({name: texts.text(random)}, errors='replace')}"
    method = random.choice(METHODS[:4] if random.random() < 0.9 else METHODS)
    kind = path.strip("/").partition("/")[0]
    if kind == "token":
        form = {
            "grant_type": random.choice(("password", "refresh_token", "x")),
            "username": texts.address(random),
            "password": texts.password(random),
            "client_id": "frontend",
            "refresh_token": random.choice(known.tokens),
        }
        return Request(
            "json:api",
            http(random, known, f"POST {target}", {"Content-Type": FORM}, urlencode(form, errors="replace").encode()),
        )
    chosen = names if random.random() < 0.7 else random.sample(names, random.randrange(len(names) + 1))
    attributes = {name: texts.value(random) if random.random() < 0.1 else texts.named(random, name) for name in chosen}
    document: object = {
        "data": {"type": kind if random.random() < 0.95 else texts.text(random), "attributes": attributes}
    }
    if random.random() < 0.1:
        document = texts.value(random)
    body = b"" if method in {"GET", "DELETE", "HEAD"} else texts.encoded(random, document)
    return Request("json:api", http(random, known, f"{method} {target}", {"Content-Type": JSON_API}, body))


def form(random: Random, known: Known) -> Request:
    path = random.choice(PAGES + PROBES)
    fields = {
        random.choice(
            ("token", "key", "disown", "resend", "password", "confirmPassword", "email", "_locale", texts.text(random))
        ): texts.named(random, random.choice(("token", "password", "email")))
        for _ in range(random.randrange(5))
    }
    encoded = urlencode(fields, errors="replace")
    if random.random() < 0.5:
        return Request("form", http(random, known, f"{random.choice(METHODS[::5])} {path}?{encoded}", {}))
    return Request(
        "form", http(random, known, f"{random.choice(METHODS)} {path}", {"Content-Type": FORM}, encoded.encode())
    )


def token(random: Random, known: Known) -> Request:
    """A GraphQL request with a token that is damaged a little."""
    damaged = list(random.choice(known.tokens))
    for _ in range(random.randrange(1, 4)):
        damaged[random.randrange(len(damaged))] = random.choice("Aa0_-.=")
    body = texts.encoded(random, {"query": "{ me { reference } }"})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {''.join(damaged)}"}
    return Request("token", http(random, replace(known, tokens=("x",)), "POST /graphql", headers, body))


def damaged(random: Random, known: Known) -> Request:
    """Bytes that are almost HTTP."""
    content = bytearray(random.choice((graphql, json_api, form))(random, known).content)
    for _ in range(random.randrange(1, 4)):
        _damage(random, content)
    extra = random.choice(
        (
            b"",
            b"",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Host: b\r\n",
            b"Content-Length: 5\r\n",
            b"X: " + b"a" * 70_000 + b"\r\n",
            b" folded\r\n",
            b"Transfer-Encoding: chunked\r\n",
        )
    )
    head, separator, body = bytes(content).partition(b"\r\n")
    return Request("damaged", head + separator + extra + body, is_http=False)


def from_corpus(random: Random, known: Known) -> Request:
    """A request that was worth keeping, as it is or with a fault in its body."""
    if not known.corpus:
        return graphql(random, known)
    head, separator, body = random.choice(known.corpus).partition(b"\r\n\r\n")
    changed = bytearray(body)
    if changed and random.random() < 0.8:
        _damage(random, changed)
    head = LENGTH.sub(b"Content-Length: %d" % len(changed), head)
    return Request("corpus", head + separator + bytes(changed), is_http=False)


def _damage(random: Random, content: bytearray) -> None:
    at = random.randrange(len(content))
    match random.randrange(4):
        case 0:
            content[at] = random.randrange(256)
        case 1:
            del content[at : at + random.randrange(1, 9)]
        case 2:
            content[at:at] = content[at : at + random.randrange(1, 200)] * random.randrange(1, 20)
        case _:
            content[at:at] = texts.text(random).encode("utf-8", "surrogatepass")
    if not content:
        content += b"\x00"


KINDS: dict[str, tuple[int, Callable[[Random, Known], Request]]] = {
    "graphql": (35, graphql),
    "json:api": (30, json_api),
    "form": (10, form),
    "token": (5, token),
    "damaged": (10, damaged),
    "corpus": (10, from_corpus),
}
"""Each kind with its weight."""
