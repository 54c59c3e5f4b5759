"""Checks that the lock files name no host and lock all that pyproject.toml asks for; it reads files only.

`.venv/bin/python -m tests.lockfiles` prints what is wrong.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
HOSTS = ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host")


def problems() -> list[str]:
    manifest = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = {"requirements.lock": asked(manifest), "native.lock": names(manifest["dependency-groups"]["native"])}
    locks = {file: (REPOSITORY / file).read_text() for file in wanted}
    return [
        *(f"{file} names a host: {line}" for file, lock in locks.items() for line in lines_with_hosts(lock)),
        *(
            f"{file} has no hash of {name}; run: make lock"
            for file, lock in locks.items()
            for name in sorted(wanted[file] - locked(lock))
        ),
        *(f"{path} names a host: {line}" for path in package_locks() for line in resolved(path.read_text())),
    ]


def lines_with_hosts(lock: str) -> list[str]:
    return [line for line in lock.splitlines() if any(host in line for host in HOSTS)]


def asked(manifest: dict[str, Any]) -> set[str]:
    """The names of the project's own requirements, for running, building and testing."""
    return names(
        [
            *manifest["project"]["dependencies"],
            *(each for extra in manifest["project"].get("optional-dependencies", {}).values() for each in extra),
            *manifest["dependency-groups"]["dev"],
            *manifest["build-system"]["requires"],
        ]
    )


def names(wanted: list[str]) -> set[str]:
    return {normalised(re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]) for requirement in wanted}


def locked(lock: str) -> set[str]:
    """The names that have a version and a hash."""
    entry = re.compile(r"^([A-Za-z0-9._-]+)==[^\\\n]+\\\n    --hash=sha256:", re.MULTILINE)
    return {normalised(name) for name in entry.findall(lock)}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def package_locks() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*package-lock.json"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / name for name in listed.stdout.splitlines()]


def resolved(lock: str) -> list[str]:
    """Where npm says it downloaded a package; a link is a folder of this repository."""
    packages: dict[str, dict[str, Any]] = json.loads(lock)["packages"]
    downloaded = [name for name, package in packages.items() if "resolved" in package and not package.get("link")]
    return [f"{name} has `resolved`" for name in downloaded]


if __name__ == "__main__":
    found = problems()
    print("\n".join(found) or "The lock files are complete and name no host.")
    sys.exit(bool(found))
