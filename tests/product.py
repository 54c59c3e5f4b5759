"""The code of the product, for tests that read it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("registration", "graphql_api", "rest_compat")


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """The syntax tree of every module, after its path."""
    paths = (path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py")))
    return [(str(path.relative_to(REPOSITORY)), ast.parse(path.read_text("utf-8"))) for path in paths]


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of what is imported: `hashlib.sha256` for `from hashlib import sha256`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call after what is called: `subprocess.run`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
