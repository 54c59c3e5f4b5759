"""clients/typescript: what a front end gets that installs the package."""

import json
import shutil
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    build_client_schema,
    build_schema,
    is_abstract_type,
    parse,
    print_schema,
    validate,
)

from graphql_api.engine.costs import FieldCosts
from graphql_api.engine.documents import Documents
from graphql_api.schema import schema
from harness.client_package import CLIENT, NPM, REPOSITORY, built, packed, run_node, run_npm
from tests.clients.package import run_tsc

PROGRAM = """
import introspection from "registration-gateway-client/introspection.json" with { type: "json" };
import { execute, MeDocument, possibleTypes, RequestFailed, signUp } from "registration-gateway-client";
import { UserErrorCode, ViolationCode } from "registration-gateway-client";
import type { FieldErrors } from "registration-gateway-client";

const violations = [
  { path: ["input", "password"], code: "TOO_SHORT", message: "Short.", minimum: 8, maximum: null },
  { path: ["input", "password"], code: "COMMON", message: "Common.", minimum: null, maximum: null },
];
const answer = {
  data: { createCustomer: { __typename: "InvalidInputError", code: "INVALID_INPUT", message: "No.", violations } },
};
globalThis.fetch = async () => new Response(JSON.stringify(answer));
const { result, fields } = await signUp(execute("http://gateway/graphql"), {
  salutation: "MS", firstName: "Ada", lastName: "Byron", gender: "FEMALE", email: "ada@example.org",
  password: "x", confirmPassword: "x", acceptedTerms: true,
});
const errors: FieldErrors = fields;
const refused: boolean = result.__typename === "InvalidInputError" && result.code === UserErrorCode.INVALID_INPUT;
const headers = { "Retry-After": "5" };
globalThis.fetch = async () => new Response("<h1>502</h1>", { status: 502, statusText: "Bad Gateway", headers });
const failed = await execute("http://gateway/graphql")(MeDocument, {}).catch((error: unknown) =>
  error instanceof RequestFailed ? error.errors : String(error),
);
const short: ViolationCode = ViolationCode.TOO_SHORT;
// @ts-expect-error: no member of the union has this name.
result.__typename === "Nonsense";
const types = introspection.__schema.types.length;
console.log(JSON.stringify({ errors, failed, refused, short, possibleTypes, types }));
"""
TSC = ["--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", "--resolveJsonModule"]

pytestmark = pytest.mark.long


def test_the_package_works_in_an_empty_project(tmp_path: Path) -> None:
    """`npm pack` makes what npm installs, tsc compiles and Node runs; signUp() answers with errors by field.

    An answer that is no JSON, as that of a proxy, is RequestFailed with the status and the seconds to wait.
    """
    package = packed(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "shop", "private": true, "type": "module"}')
    run_npm("install", *NPM, "--prefer-offline", f"./{package.name}", cwd=tmp_path)
    (tmp_path / "program.ts").write_text(PROGRAM)
    run_tsc(*TSC, "program.ts", cwd=tmp_path)
    shown = json.loads(run_node("program.js", cwd=tmp_path))
    assert shown["errors"] == {
        "password": [
            {"code": "TOO_SHORT", "message": "Short.", "params": {"minimum": 8}},
            {"code": "COMMON", "message": "Common.", "params": {}},
        ]
    }
    extensions = {"code": "502", "retryAfterSeconds": 5}
    assert shown["failed"] == [
        {"message": "The answer has no result of GraphQL: 502 Bad Gateway", "extensions": extensions}
    ]
    assert (shown["refused"], shown["short"]) == (True, "TOO_SHORT")
    abstract = {name for name, each in schema._schema.type_map.items() if is_abstract_type(each)}
    assert shown["possibleTypes"].keys() == abstract
    assert shown["types"] == len(json.loads((CLIENT / "dist" / "introspection.json").read_text())["__schema"]["types"])


def test_the_package_has_the_whole_contract() -> None:
    """Schema and introspection are the published ones, and each field of the roots has a document that is served."""
    dist = built() / "dist"
    published = build_schema((REPOSITORY / "schema.graphql").read_text("utf-8"))
    assert (dist / "schema.graphql").read_text("utf-8") == (REPOSITORY / "schema.graphql").read_text("utf-8")
    introspection = json.loads((dist / "introspection.json").read_text("utf-8"))
    assert print_schema(build_client_schema(introspection)) == print_schema(published)
    documents = (dist / "operations.graphql").read_text("utf-8")
    assert validate(published, parse(documents)) == []
    roots = {"": published.query_type, " ": published.mutation_type, "Follow": published.subscription_type}
    fields = {
        f"{before.strip()}{name[0].upper()}{name[1:]}" for before, root in roots.items() if root for name in root.fields
    }
    served = Documents(schema._schema, costs=FieldCosts(), introspection=False, suggestions=False)
    single = [each for each in documents.split("\n\n") if each.strip()]
    assert [each for each in single if isinstance(served.prepare(each), list)] == []
    assert {each.split()[1].partition("(")[0] for each in single} == fields
    codes = published.type_map["UserErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    script = (dist / "generated.js").read_text("utf-8")
    assert [code for code in codes.values if f"{code}: '{code}'" not in script] == []


def test_scripts_of_packages_need_no_node_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm's scripts find the Node of the wheel: `make demo` works where none is installed."""
    (tmp_path / "package.json").write_text('{"scripts": {"show": "node --version"}}')
    (tmp_path / "sh").symlink_to(str(shutil.which("sh")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_npm("run", "--silent", "show", cwd=tmp_path) == run_node("--version")
