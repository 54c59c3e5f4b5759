"""Builds argon2-cffi's bindings for this host from the source that requirements.lock names; it changes nothing else.

`python -m native.build` puts the build in place of the portable wheel, which hashes about three times more slowly.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

from registration.hashing.argon2id import built_for

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = "argon2-cffi-bindings"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes"]
# In a process of its own: this one has loaded the module that was replaced. The hash is argon2-cffi's own test vector.
CHECK = """
from argon2.low_level import Type, hash_secret
assert hash_secret(b"password", b"somesalt", 2, 65536, 1, 32, Type.ID).endswith(
    b"$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)
"""


class BuildError(Exception):
    """Why there is no build; one line for people."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="native.build", description=__doc__)
    arguments.add_argument("--march", default="native", help="as the compiler's -march; empty leaves the wheel")
    arguments.add_argument("--if-possible", action="store_true", help="keep what is there when a build is impossible")
    given = arguments.parse_args()
    if given.if_possible and (not given.march or built_for()):
        return 0
    try:
        build(given.march)
    except BuildError as error:
        consequence = (
            "hashing with the portable wheel, about 3 times slower" if given.if_possible else "nothing changed"
        )
        print(f"Argon2 for this host: {error}; {consequence} (docs/speed.md).", file=sys.stderr)
        return 0 if given.if_possible else 1
    print(f"Argon2 is built with -march={given.march}.")
    return 0


def build(march: str) -> None:
    """Raises BuildError; the wheel is then in place."""
    if missing := missing_tools():
        raise BuildError(f"no {' and no '.join(missing)} here")
    print("Building Argon2 for this host: about 20 seconds ...", flush=True)
    with TemporaryDirectory() as directory:
        tools, entry = Path(directory, "tools"), Path(directory, "entry")
        entry.write_text(locked_entry())
        run(PIP, "--target", tools, "-r", REPOSITORY / "native.lock")
        # pip's cache does not know the flags: a wheel of it may be for another machine.
        source = ["--no-cache-dir", "--no-binary", PACKAGE, "--no-build-isolation"]
        replace = [*PIP, "--force-reinstall", "--no-deps", "-r", str(entry)]
        run(replace, *source, PYTHONPATH=str(tools), CFLAGS=flags(march))
        try:
            run([sys.executable, "-c", CHECK])
        except BuildError:
            run(replace, "--only-binary", PACKAGE)
            raise


def missing_tools() -> list[str]:
    compilers = [os.environ["CC"].split()[0]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    found = {
        "C compiler": any(map(shutil.which, compilers)),
        "Python headers": Path(sysconfig.get_path("include"), "Python.h").exists(),
    }
    return [name for name, there in found.items() if not there]


def flags(march: str) -> str:
    """The last one writes the flags into the module, where `registration-gateway calibrate` reads them.

    A compiler that is older than the processor schedules for one it knows: that costs 5 to 9 % (gcc 12 on Zen 4).
    """
    record = ["-frecord-gcc-switches"] if sys.platform == "linux" else []
    return " ".join(["-O3", f"-march={march}", "-mtune=generic", *record])


def locked_entry() -> str:
    """The lines of the lock about the package: its version and the hashes of its source and wheels."""
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{PACKAGE}=="))
    last = next(number for number in range(first, len(lines)) if not lines[number].endswith("\\"))
    return "\n".join(lines[first : last + 1]) + "\n"


def run(command: list[str], *arguments: str | Path, **environment: str) -> None:
    done = subprocess.run(
        [*command, *map(str, arguments)], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise BuildError(f"the command above ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
