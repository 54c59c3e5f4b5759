"""The commands about documents: `build` makes the manifest of those that the operator trusts."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from graphql_api.cli.terminal import one_line_errors, stop

if TYPE_CHECKING:
    from graphql import DocumentNode

AnyNode = TypeVar("AnyNode")

commands = typer.Typer(no_args_is_help=True, help="Documents that clients name by their SHA-256.")


@commands.callback()
def options() -> None:
    """Documents that clients name by their SHA-256."""


@commands.command()
@one_line_errors
def build(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="files of GraphQL operations")]) -> None:
    """Print a manifest for GATEWAY_DOCUMENTS: each operation with the fragments that it uses, its cost and size.

    Fragments may stand in any of the files. The form is that of Apollo's persisted query manifest.
    """
    operations = list(_operations("\n".join(map(_text_of, files))))
    if not operations:
        stop("the files have no operation")
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    print(json.dumps(manifest, indent=2))


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        stop(f"{path} is not UTF-8")


def _operations(text: str) -> Iterator[dict[str, object]]:
    from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse, print_ast  # noqa: PLC0415 - other commands need not wait for it
    from graphql.utilities import separate_operations  # noqa: PLC0415

    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        stop(f"syntax error, in line {error.locations[0].line if error.locations else 1} of all files: {error.message}")
    names = [node.name.value if node.name else "" for node in _nodes(document, OperationDefinitionNode)]
    if "" in names or len(set(names)) < len(names):
        stop("each operation needs a name of its own")
    for name, separate in sorted(separate_operations(document).items()):
        yield {"name": name, **_described(name, print_ast(separate))}


def _described(name: str, body: str) -> dict[str, object]:
    from graphql import FieldNode  # noqa: PLC0415

    from graphql_api.engine.costs import costs_of, field_costs  # noqa: PLC0415
    from graphql_api.engine.documents import Documents  # noqa: PLC0415
    from graphql_api.engine.limits import Limits, measure  # noqa: PLC0415
    from graphql_api.schema import schema  # noqa: PLC0415

    marks = field_costs(schema._schema)
    documents = Documents(schema._schema, costs=marks, introspection=True, suggestions=True)
    prepared = documents.prepare(body)
    if isinstance(prepared, list):
        stop(f"{name}: {prepared[0]['message']}")
    (operation,) = prepared
    sizes = measure(operation.document, Limits(), marks)
    assert isinstance(sizes, list), "a document that was prepared is within the limits"
    of_field = costs_of(schema._schema)
    costs = {cost for field in _nodes(operation.document, FieldNode) for cost in of_field.get(field.name.value, ())}
    return {
        "id": sha256(body.encode()).hexdigest(),
        "type": operation.node.operation.value,
        "body": body,
        "cost": sorted(cost.name for cost in costs),
        "fields": sizes[0][1].fields,
    }


def _nodes(document: "DocumentNode", kind: type[AnyNode]) -> Iterator[AnyNode]:
    """The nodes of one kind, wherever they stand in the document."""
    waiting: list[object] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, kind):
            yield node
        for key in getattr(node, "keys", ()):
            value = getattr(node, key)
            waiting += value if isinstance(value, list | tuple) else [value]
