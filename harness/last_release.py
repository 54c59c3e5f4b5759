"""The code of the last release, taken from the history of this repository."""

import re
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
RELEASE = re.compile(r"^## [0-9][^ ]* - ", re.MULTILINE)
# The old code on the packages of today.
COMMAND = '#!/bin/sh\nPYTHONPATH={code} exec {python} -m graphql_api "$@"\n'


class NoHistoryError(Exception):
    """The repository does not hold the commit of the release; the text says why."""


def check_out(directory: Path) -> Path:
    """Write its code into the directory; the path of a command `registration-gateway` that runs it.

    Raises NoHistoryError.
    """
    with tarfile.open(fileobj=BytesIO(_git("archive", commit_of_last_release()))) as archive:
        archive.extractall(directory, filter="data")
    command = directory / "registration-gateway"
    command.write_text(COMMAND.format(code=directory, python=sys.executable))
    command.chmod(0o755)
    return command


def commit_of_last_release() -> str:
    """The first commit whose CHANGELOG.md has the newest heading with a version. Raises NoHistoryError."""
    heading = RELEASE.search((REPOSITORY / "CHANGELOG.md").read_text("utf-8"))
    assert heading
    # In a shallow clone its oldest commit seems to add every line.
    if _git("rev-parse", "--is-shallow-repository").strip() != b"false":
        raise NoHistoryError("the clone is shallow")
    commits = _git("log", "--format=%H", f"-S{heading[0]}", "--", "CHANGELOG.md").decode().split()
    if not commits:
        raise NoHistoryError(f"no commit adds {heading[0]!r} to CHANGELOG.md")
    return commits[-1]


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistoryError(f"git {arguments[0]} fails: {error}") from None
