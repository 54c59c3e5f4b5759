"""GraphQL requests to the whole application in this process, on a database that tests can read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from graphql_api.settings import GatewaySettings
from registration.storage.database import Database
from registration.storage.tables import metadata
from tests import in_process

FORM: dict[str, object] = {
    "salutation": "MS",
    "firstName": "Ada",
    "lastName": "Beispiel",
    "email": "ada@example.org",
    "gender": "FEMALE",
    "password": "correct horse",
    "confirmPassword": "correct horse",
    "acceptedTerms": True,
}
CREATE = """
mutation Register($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess {
      customer {
        id reference email salutation firstName lastName gender dateOfBirth createdAt updatedAt confirmedAt
      }
      confirmation { sentTo expiresAt }
    }
    ... on UserError { code message }
    ... on InvalidInputError { violations { path code message minimum maximum } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""


class Installation(in_process.Installation):
    """A running application. `client` raises what the application raises, so that no test overlooks a fault."""

    def post(self, query: str, variables: object = None, **headers: str) -> httpx2.Response:
        return self.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    def mutate(self, query: str, given: object, **headers: str) -> Any:
        """The member of the result union."""
        (result,) = self.post(query, {"input": given}, **headers).json()["data"].values()
        return result

    def sign_up(self, **changes: object) -> Any:
        return self.mutate(CREATE, {**FORM, **changes})

    def content(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return {table.name: sorted(map(repr, self.rows(table))) for table in metadata.sorted_tables}


@contextmanager
def installed(database: Database, settings: GatewaySettings | None = None, **changes: Any) -> Iterator[Installation]:
    """Start and stop the application; `changes` replace members of its services."""
    with in_process.installation(database, settings or GatewaySettings(), **changes) as running:
        yield Installation(running.client, running.services, running.clock)
