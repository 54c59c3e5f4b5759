"""Programs of this machine that some tests need: servers, a browser, checkers."""

import os
import shutil

import pytest


def program(*names: str, package: str, variable: str, untested: str) -> str:
    """The path of the first of these programs that is found. Without one the test is skipped, or fails in CI.

    It fails, too, where `variable` is in the environment. `untested` says in a skip what is then not known.
    """
    # Debian has servers where only root looks.
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    path = next(filter(None, (shutil.which(name, path=places) for name in names)), None)
    if path:
        return path
    if "CI" in os.environ or variable in os.environ:
        pytest.fail(f"{names[0]} is required here (CI or {variable} is set), but is not installed")
    pytest.skip(f"{untested}: there is no {names[0]} (Debian: apt-get install {package})")
