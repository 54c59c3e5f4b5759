"""The command `documents build`."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from graphql_api.http.named_documents import read_manifest
from tests.graphql_api.cli.commands import complaint, run

OPERATIONS = """
query Me { me { ...Name } }
mutation SignUp($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on UserError { code } } }
"""
FRAGMENT = "fragment Name on Customer { reference firstName }"
ME = """query Me {
  me {
    ...Name
  }
}

fragment Name on Customer {
  reference
  firstName
}"""


def test_a_manifest_has_each_operation_with_its_fragments(empty_directory: Path) -> None:
    """Each operation stands alone, with hash, cost and number of fields, and the gateway reads the manifest."""
    (empty_directory / "operations.graphql").write_text(OPERATIONS)
    (empty_directory / "fragment.graphql").write_text(FRAGMENT)
    printed = run("documents", "build", "operations.graphql", "fragment.graphql")
    me, sign_up = json.loads(printed.stdout)["operations"]
    assert me == {
        "name": "Me",
        "id": sha256(ME.encode()).hexdigest(),
        "type": "query",
        "body": ME,
        "cost": [],
        "fields": 3,
    }
    assert (sign_up["name"], sign_up["type"], sign_up["cost"], sign_up["fields"]) == (
        "SignUp",
        "mutation",
        ["HASH", "MAIL", "SIGN_UP"],
        2,
    )
    (empty_directory / "manifest.json").write_text(printed.stdout)
    assert list(read_manifest("manifest.json")) == [me["id"], sign_up["id"]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("query {", "syntax error, in line 1 of all files: Syntax Error: Expected Name, found <EOF>."),
        (FRAGMENT, "the files have no operation"),
        ("{ me { id } }", "each operation needs a name of its own"),
        ("query A { me { id } } query A { me { id } }", "each operation needs a name of its own"),
        ("query A { you }", "A: Cannot query field 'you' on type 'Query'."),
    ],
)
def test_a_file_that_could_not_be_served_is_refused(empty_directory: Path, text: str, reason: str) -> None:
    """One line says what is wrong, and nothing is printed."""
    (empty_directory / "a.graphql").write_text(text)
    refused = run("documents", "build", "a.graphql")
    assert (complaint(refused), refused.stdout) == (reason, "")


def test_a_file_that_cannot_be_read_is_named(empty_directory: Path) -> None:
    """A file that is missing, or that is not text, ends the command with one line that names it."""
    assert complaint(run("documents", "build", "missing.graphql")) == "missing.graphql: No such file or directory"
    (empty_directory / "latin.graphql").write_bytes("query Größe { me { id } }".encode("latin-1"))
    assert complaint(run("documents", "build", "latin.graphql")) == "latin.graphql is not UTF-8"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.json", "No such file or directory"), ("/proc/self/mem", "Input/output error")],
)
def test_serve_needs_the_manifest_that_a_setting_names(path: str, reason: str) -> None:
    """A manifest that is not there, or cannot be read, stops the start with one line that names it."""
    refused = complaint(run("serve", GATEWAY_MODE="development", GATEWAY_DOCUMENTS=path))
    assert refused == f"GATEWAY_DOCUMENTS: {path}: {reason}"
