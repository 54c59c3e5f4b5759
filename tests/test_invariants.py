"""What must hold for the repository as a whole, whatever its parts do."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from graphql_api.settings import GatewaySettings
from registration.mail.rendering import MailKind
from registration.services import Services
from registration.settings import PREFIX
from tests import lockfiles

REPOSITORY = Path(__file__).parent.parent

# Programs, which do their work when they are run.
PROGRAMS = {"graphql_api.__main__", "registration.storage.migrations.env"}

# Run in an interpreter of its own, where an audit hook, which cannot be taken back, does no harm.
IMPORT_EVERYTHING = f"""
import os, pkgutil, sys, threading
from importlib import import_module

FORBIDDEN = {{"socket.connect", "socket.bind", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen", "os.fork"}}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def refuse(event, arguments):
    if event in FORBIDDEN or event == "open" and arguments[2] & WRITES:
        raise SystemExit(f"{{event}} at import: {{arguments}}")

sys.addaudithook(refuse)
for package in ("registration", "graphql_api", "rest_compat"):
    for module in pkgutil.walk_packages(import_module(package).__path__, f"{{package}}."):
        if module.name not in {PROGRAMS}:
            print(import_module(module.name).__name__)
assert threading.active_count() == 1, threading.enumerate()
"""


def import_everything(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-c", IMPORT_EVERYTHING]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.parametrize(
    "environment",
    [{}, {f"{PREFIX}{name.upper()}": "nonsense" for name in GatewaySettings.model_fields}],
    ids=["empty", "all settings wrong"],
)
def test_importing_does_nothing(environment: dict[str, str]) -> None:
    """Any module can be imported without settings: no file is written, nothing is connected, no thread starts."""
    done = import_everything(environment)
    assert done.returncode == 0, done.stderr
    assert {"registration.settings", "graphql_api.app", "rest_compat.customers"} <= set(done.stdout.split())


@pytest.mark.parametrize("package", ["registration", "graphql_api", "rest_compat"])
def test_every_room_has_its_place_in_the_architecture(package: str) -> None:
    """The tables of docs/architecture.md name the rooms and the modules beside them, and nothing else."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition(f"| {package} | |\n")[2].partition("\n\n")[0]
    named = re.findall("`([a-z_0-9]+)`", " ".join(row.split("|")[1] for row in table.splitlines()))
    modules = {path.stem for path in (REPOSITORY / package).glob("*.py")} - {"__init__", "__main__"}
    packages = {path.parent.name for path in (REPOSITORY / package).glob("*/__init__.py")}
    assert sorted(named) == sorted(modules | packages)


def test_the_rest_door_may_import_values_of_the_domain_only() -> None:
    """The import rule of the REST door forbids every module of the domain but these five."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [forbidden] = [each["forbidden_modules"] for each in contracts if each.get("source_modules") == ["rest_compat"]]
    paths = (REPOSITORY / "registration").iterdir()
    rooms = {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").exists()}
    allowed = rooms - {name.removeprefix("registration.") for name in forbidden} - {"__init__"}
    assert allowed == {"rules", "outcomes", "customer", "language", "notes"}


def modules() -> list[Path]:
    packages = ("registration", "graphql_api", "rest_compat")
    found = [path for package in packages for path in (REPOSITORY / package).rglob("*.py")]
    return [path for path in found if "versions" not in path.parts and "node_modules" not in path.parts]


def test_no_folder_is_crowded() -> None:
    """A newcomer finds a module from the file tree: at most 16 in a room, 24 in the shim."""
    sizes = Counter(path.parent for path in modules() if path.name != "__init__.py")
    crowded = {
        folder.name: size for folder, size in sizes.items() if size > (24 if folder.name == "rest_compat" else 16)
    }
    assert crowded == {}


def test_no_module_and_no_function_is_long() -> None:
    """At most 250 lines in a module, 45 in a function."""
    long_modules = [path.name for path in modules() if len(path.read_text("utf-8").splitlines()) > 250]
    assert long_modules == []
    functions = [
        (path.name, node.name, node.end_lineno - node.lineno + 1)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert [found for found in functions if found[2] > 45] == []


def test_every_setting_is_read() -> None:
    """Each setting is read by a module of the product, at least by another setting."""
    assert GatewaySettings.model_fields.keys() - _read_from("settings") == set()


def test_every_service_is_read() -> None:
    """Each field of Services is read by a module of the product."""
    assert {each.name for each in fields(Services)} - _read_from("services") == set()


def test_every_kind_of_mail_is_enqueued() -> None:
    """Each kind of mail is named by a module outside the folder of mails, which renders and sends them."""
    others = "".join(path.read_text("utf-8") for path in modules() if path.parent.name != "mail")
    assert {kind.name for kind in MailKind} - set(re.findall(r"\bMailKind\.(\w+)", others)) == set()


def _read_from(holder: str) -> set[str]:
    """The attributes that modules read from what they call `holder`; a module whose name ends so calls it `self`."""
    names: set[str] = set()
    for path in modules():
        name = "self" if path.stem.endswith(holder) else holder
        names.update(re.findall(rf"\b{name}\.(\w+)", path.read_text("utf-8")))
    return names


def test_no_key_is_in_the_repository() -> None:
    """A command that an operator tries in a clone leaves its keys beside the packages; none of them is committed."""
    command = ["git", "ls-files", "*.pem", "*.key", "keys/*"]
    kept = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    assert kept == []


def test_lock_files_are_complete_and_name_no_host() -> None:
    """Any registry serves an installation, and what it serves is checked by hash."""
    assert lockfiles.problems() == []


class TestLockfiles:
    @pytest.mark.parametrize(
        "line", ["--index-url https://example.com/simple", "-f --find-links /wheels", "a @ https://e"]
    )
    def test_sees_hosts(self, line: str) -> None:
        """A line that says where to download is found."""
        assert lockfiles.lines_with_hosts(f"a==1\n{line}\n") == [line]

    def test_sees_what_is_not_locked(self) -> None:
        """A requirement counts as locked with a version and a hash only, however its name is spelt."""
        manifest = {
            "project": {"dependencies": ["Zope.Interface>=1", "psycopg[binary]>=3.3", "b"]},
            "dependency-groups": {"dev": ["c; python_version > '3'"]},
            "build-system": {"requires": ["d~=1"]},
        }
        lock = "zope-interface==7 \\\n    --hash=sha256:00\npsycopg==3.3 ; os \\\n    --hash=sha256:00\nb==1\n# d==1\n"
        assert lockfiles.asked(manifest) - lockfiles.locked(lock) == {"b", "c", "d"}

    def test_sees_where_npm_downloaded(self) -> None:
        """An entry with `resolved` names the registry of the machine that made the lock, or a folder beside."""
        assert lockfiles.resolved('{"packages": {"": {}, "a": {"resolved": "https://example.com/a.tgz"}}}') == [
            "a has `resolved`"
        ]
        assert lockfiles.resolved('{"packages": {"a": {"resolved": "../../clients/a", "link": true}}}') == []
