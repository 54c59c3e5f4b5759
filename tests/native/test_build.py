"""The build for this host, as far as it can be tried without a compiler and without a registry."""

import subprocess
import sys
from pathlib import Path

import pytest

from native.build import REPOSITORY, flags, locked_entry, missing_tools


def build(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "native.build", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


class TestWithoutCompiler:
    def test_fails_and_says_why_in_one_line(self) -> None:
        """`make native` was asked for a build, so nothing else will do."""
        done = build(PATH="/nonexistent")
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("Argon2 for this host: no C compiler")
        assert done.stderr.endswith("here; nothing changed (docs/speed.md).\n")

    def test_is_no_failure_of_the_set_up(self) -> None:
        """`make setup` keeps what is there: a build made before silently, the wheel with one line."""
        done = build("--if-possible", PATH="/nonexistent")
        assert done.returncode == 0
        assert done.stdout == ""
        assert done.stderr.count("\n") <= 1

    def test_is_not_missed_where_the_wheel_is_wanted(self) -> None:
        """`make setup MARCH=` builds nothing and says nothing."""
        done = build("--if-possible", "--march=", PATH="/nonexistent")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["cc", "gcc", "clang"])
def test_any_compiler_will_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build finds cc, gcc or clang in PATH, and takes the compiler of CC before them."""
    (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert "C compiler" not in missing_tools()
    monkeypatch.setenv("CC", "another-cc -m64")
    assert "C compiler" in missing_tools()


def test_source_is_checked_by_its_hash() -> None:
    """pip gets the one entry of the lock, with every hash."""
    first, *hashes = locked_entry().splitlines()
    assert first.startswith("argon2-cffi-bindings==")
    assert len(hashes) > 10
    assert all("--hash=sha256:" in line for line in hashes)


def test_flags_name_the_processors() -> None:
    """The compiler's flags name the processor and ask for -O3."""
    assert flags("x86-64-v3").startswith("-O3 -march=x86-64-v3")
