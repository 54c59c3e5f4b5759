"""A client of both doors that sends what a test gives it, and checks nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from httpx2 import Client, Response

PASSWORD = "change123"
FORM: dict[str, object] = {
    "salutation": "Ms",
    "firstName": "Ada",
    "lastName": "Beispiel",
    "email": "ada@example.org",
    "gender": "Female",
    "password": PASSWORD,
    "confirmPassword": PASSWORD,
    "acceptedTerms": True,
}
"""The attributes of a sign-up through the REST door."""
INPUT: dict[str, object] = FORM | {"salutation": "MS", "gender": "FEMALE"}
"""The same for GraphQL."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client, signed in if there is a token."""

    client: Client
    reference: str = ""
    token: str | None = field(default=None, repr=False)

    def graphql(self, query: str, given: Mapping[str, object] | None = None) -> Response:
        """Send an operation with this `input`."""
        body = {"query": query, "variables": {"input": given}}
        return self._ask("POST", "/graphql", body, {"content-type": "application/json"})

    def glue(self, method: str, path: str, attributes: Mapping[str, object] | None = None, **headers: str) -> Response:
        """Send a document of the path's type; `headers` have underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"data": {"type": path.split("/")[1], "attributes": attributes or {}}}
        return self._ask(method, path, body, {"content-type": "application/vnd.api+json"} | named)

    def _ask(self, method: str, path: str, body: object, headers: dict[str, str]) -> Response:
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return self.client.request(method, path, content=json.dumps(body).encode(), headers=headers)
