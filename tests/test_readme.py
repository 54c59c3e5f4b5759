"""What README.md promises a newcomer: its calls work when they are pasted in order, and its links lead to files."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from graphql_api.cli.main import main
from tests.conftest import Serve

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text("utf-8")
# A shell block, and the block of the answer that follows it; the first one only prepares the shell.
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
OPERATIONS = ["createCustomer", "confirmCustomer", "createAccessToken", "me", "refreshAccessToken"]
OPERATIONS += ["requestPasswordReset", "resetPassword"]
RESOURCES = ["customers", "customer-confirmation", "access-tokens", "customers", "refresh-tokens"]
RESOURCES += ["customer-forgotten-password", "customer-restore-password"]
PAGES = sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")})
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)[^)]*\)")
PACKAGES = ("registration", "graphql_api", "rest_compat")
ANSWERED = "\x1e"
PATIENCE = 120  # seconds for all blocks


def bash(script: str, directory: Path) -> list[str]:
    """What each block of a script printed: the script prints ANSWERED after each."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=os.environ | {"no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout.split(ANSWERED)[:-1]


def pattern(answer: str) -> str:
    """The answer as a regular expression: `…` is any text, and how it is broken into lines does not matter."""
    return ".+".join(map(re.escape, "".join(answer.split()).split("…")))


def patient(block: str) -> str:
    """A block that looks for a mail is run until it finds one, at most 300 times: the mail arrives a moment later."""
    again = f"for attempt in {{1..300}}; do\n{block}\n[ $token ] && break\nsleep 0.1\ndone\n"
    return again if "var/mail" in block else block


@pytest.mark.long
def test_calls_of_the_readme_are_answered_as_it_says(unmeasured: None, serve: Serve, tmp_path: Path) -> None:
    """The shell blocks of README.md, pasted in order into one shell, print what stands below each of them."""
    if shutil.which("curl") is None:
        assert "CI" not in os.environ, "curl is required here (CI is set)"
        pytest.skip("README NOT TESTED: no curl is on the PATH (Debian: apt-get install curl)")
    mails = tmp_path / "var" / "mail"
    gateway = serve(
        GATEWAY_MODE="development",
        GATEWAY_MAIL_URL=f"file://{mails}",
        GATEWAY_DATABASE_URL=f"sqlite:///{tmp_path}/var/registration.db",
    )
    blocks = BLOCK.findall(README.replace("http://127.0.0.1:8000", gateway.base_url))
    script = "".join(f"{patient(block)}\nprintf '{ANSWERED}'\n" for block, _ in blocks)
    for (block, answer), printed in zip(blocks, bash(script, tmp_path), strict=True):
        assert re.fullmatch(pattern(answer), "".join(printed.split())), f"{block}\nprinted:\n{printed}"


def test_a_block_that_finds_no_mail_yet_prints_no_error(tmp_path: Path) -> None:
    """Before its mail is there, a block that looks for a token prints an empty line."""
    (tmp_path / "var" / "mail").mkdir(parents=True)
    blocks = [block for block, _ in BLOCK.findall(README) if "var/mail" in block]
    assert blocks
    for block in blocks:
        command = ["bash", "-c", block]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE)
        assert (done.stdout, done.stderr) == ("\n", "")


def test_readme_goes_the_whole_way_through_both_doors() -> None:
    """The calls sign up, confirm, sign in, read the account, refresh, ask for a reset and reset; all have an answer."""
    first, *blocks = BLOCK.findall(README)
    assert first[1] == ""
    assert all(answer for _, answer in blocks)
    calls = "".join(block for block, _ in blocks)
    assert re.findall(r'"query": "(?:mutation [^{]*)?\{ (\w+)', calls) == OPERATIONS
    assert [resource for resource in re.findall(r"\$gateway/([\w-]+)", calls) if resource != "graphql"] == RESOURCES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files(page: Path) -> None:
    """Every relative link of a page leads to a file or folder of the repository."""
    dead = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert dead == []


def test_files_that_the_readme_names_are_links() -> None:
    """A file or folder of the repository stands in README.md as a link, so that it can be clicked."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"(?<!\[)`([\w./-]+)`", prose)
    made_here = {".venv", "var"}  # by `make run`, which a reader may have called before
    found = [name for name in named if (REPOSITORY / name).exists() and Path(name).parts[0] not in made_here]
    assert found == []


def test_readme_tells_what_each_folder_is_for() -> None:
    """README.md lists every folder of the three packages with the docstring of its __init__.py."""
    folders = [folder for package in PACKAGES for folder in (package, *map(str, sorted(subfolders(package))))]
    rows = [f"| [{folder}/]({folder}) | {docstring(REPOSITORY / folder)} |" for folder in folders]
    assert [row for row in rows if row not in README] == []


def subfolders(package: str) -> list[Path]:
    return [path.parent.relative_to(REPOSITORY) for path in (REPOSITORY / package).glob("*/__init__.py")]


def docstring(folder: Path) -> str | None:
    return ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the program by its name, such as `keys new`."""
    program = get_command(main)
    assert isinstance(program, TyperGroup)
    for name, command in program.commands.items():
        if isinstance(command, TyperGroup):
            yield from ((f"{name} {part}", each) for part, each in command.commands.items())
        else:
            yield name, command


def test_readme_lists_every_command_and_no_other() -> None:
    """Each command has its place in the table of commands; the acts of `customers` share a row."""
    table = README.partition("## Commands")[2].partition("## Settings")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    listed = [re.findall(r"`(?:registration-gateway )?([a-z-]+(?: [a-z-]+(?![a-z:-]))?)", first) for first, _ in rows]
    acts = [re.findall(r"`([a-z-]+)`", said) for first, said in rows if "customers …" in first]
    named = [each for row in listed for each in row if each != "customers"] + [f"customers {each}" for each in acts[0]]
    # `documents build FILE…` has its argument in the table.
    assert sorted(named) == sorted(name for name, _ in commands())


def test_readme_says_which_commands_print_json() -> None:
    """The sentence about `--json` names the commands that have it."""
    said = re.search(r"`--json` makes what (.*?) print readable", README, re.DOTALL)
    assert said
    with_json = {name for name, command in commands() if any("--json" in each.opts for each in command.params)}
    assert set(re.findall(r"`([a-z -]+)`", " ".join(said[1].split()))) == with_json
