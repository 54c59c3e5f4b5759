"""What `make` says before it installs anything."""

import subprocess
import sys
from pathlib import Path

MAKEFILE = Path(__file__).parent.parent / "Makefile"
# Runs the code that `make` gives to Python, as the Python of Ubuntu 22.04 would.
OLD_PYTHON = """\
#!/bin/sh
exec {python} -c "import sys; sys.version_info = (3, 10, 12); exec(sys.argv[1])" "$2"
"""


def test_an_old_python_is_named_before_anything_is_installed(tmp_path: Path) -> None:
    """`make setup` with a Python that is too old ends with one line that says which one is needed."""
    for name in ("requirements.lock", "native.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    old = tmp_path / "python3.10"
    old.write_text(OLD_PYTHON.format(python=sys.executable))
    old.chmod(0o755)
    command = ["make", "--no-print-directory", "--file", str(MAKEFILE), "setup", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{old} is Python 3.10, and 3.11 or newer is needed")
    assert not (tmp_path / ".venv").exists()
