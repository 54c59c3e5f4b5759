"""What the tests of clients/typescript run with the tools of its lock."""

from pathlib import Path

from harness.client_package import CLIENT, run_node

ESBUILD = ["--bundle", "--format=iife", "--global-name=client", "--log-level=warning"]


def run_tsc(*arguments: str, cwd: Path = CLIENT) -> str:
    return run_node(str(CLIENT / "node_modules" / "typescript" / "bin" / "tsc"), *arguments, cwd=cwd)


def bundle(entry: str) -> str:
    """The module matrix/<entry>.ts with all that it imports, as one script that defines `client`."""
    return run_node("node_modules/esbuild/bin/esbuild", f"matrix/{entry}.ts", *ESBUILD)
