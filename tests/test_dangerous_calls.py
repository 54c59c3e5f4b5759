"""Parts of Python and of libraries that the product does not use, or in named modules only."""

import ast
from pathlib import Path

import pytest

from tests.product import calls, imports, trees

Used = set[tuple[str, str]]
"""Modules of ours, and what each uses."""


def imported(*libraries: str) -> Used:
    """Where one of these libraries, or a part of it, is imported."""
    found = ((module, name) for module, tree in trees() for name in imports(tree))
    return {(module, name) for module, name in found if any(f"{name}.".startswith(f"{each}.") for each in libraries)}


def called(*names: str) -> Used:
    """Where something with one of these last names is called: `system` for `os.system(...)`."""
    found = ((module, name.rpartition(".")[2]) for module, tree in trees() for name, _ in calls(tree))
    return {each for each in found if each[1] in names}


def test_no_text_becomes_code() -> None:
    """Nothing is evaluated, compiled to code of Python, or imported by a name that is not written in the code."""
    found = called("eval", "exec", "__import__", "import_module", "run_path", "run_module", "from_string")
    assert found == set()
    # A file of zxcvbn, by its constant name.
    assert called("exec_module") == {("registration/rules/deny_list.py", "exec_module")}
    assert imported("runpy", "code", "codeop") == set()


def test_no_program_is_started() -> None:
    """Nothing starts a program, and nothing uses a shell."""
    assert imported("subprocess", "pty", "multiprocessing") == set()
    assert called("system", "popen", "Popen", "execv", "execve", "execvp", "spawnv", "posix_spawn", "fork") == set()


def test_no_format_makes_objects() -> None:
    """What is read is JSON, forms or text: no format that names types, and no XML."""
    assert imported("pickle", "marshal", "shelve", "copyreg", "yaml", "xml", "lxml", "jsonpickle", "dill") == set()


def test_hash_functions_are_approved() -> None:
    """SHA-2 is used, and SHA-1 to find a password in the published list of breaches, which is sorted by it."""
    assert imported("hashlib", "Crypto", "cryptography.hazmat.primitives.hashes") == {
        ("graphql_api/cli/documents.py", "hashlib.sha256"),
        ("graphql_api/http/named_documents.py", "hashlib.sha256"),
        ("registration/hashing/foreign_hashes.py", "hashlib.sha512"),
        ("registration/keys/link_keys.py", "hashlib.sha256"),
        ("registration/keys/secret.py", "hashlib.sha256"),
        ("registration/rules/breaches.py", "hashlib.sha1"),
        ("registration/storage/migrations/copying.py", "hashlib.sha256"),
    }


def test_only_jitter_is_pseudorandom() -> None:
    """What must not be guessed comes from the system; the module `random` only spreads retries in time."""
    rooms = {str(Path(module).parent) for module, _ in imported("random")}
    assert rooms == {"registration", "registration/mail", "registration/storage"}


def test_only_these_rooms_reach_other_systems() -> None:
    """The database, the mail server and Valkey, each named by a setting; only the doctor asks a web server, our own."""
    clients = ("psycopg", "sqlite3", "sqlalchemy.create_engine", "smtplib", "redis", "valkey", "asyncpg", "aiosmtplib")
    web_clients = ("http.client", "urllib.request.urlopen", "urllib3", "requests", "httpx", "httpx2", "aiohttp")
    rooms = {str(Path(module).parent) for module, _ in imported("socket", "ftplib", *clients, *web_clients)}
    # The server listens, and the others are clients.
    assert rooms == {
        "graphql_api/server",
        "registration/diagnosis",
        "registration/limits",
        "registration/mail",
        "registration/storage",
    }


@pytest.mark.parametrize(
    ("code", "name"),
    [("import pickle", "pickle"), ("from xml.etree import X", "xml.etree.X"), ("import os.path", "os.path")],
)
def test_imports_are_found(code: str, name: str) -> None:
    """Each form of an import is seen."""
    assert list(imports(ast.parse(code))) == [name]


def test_calls_are_found() -> None:
    """A call is seen with what it is called on."""
    assert [name for name, _ in calls(ast.parse("eval(x); os.system(y); a[0](z)"))] == ["eval", "os.system", "a[0]"]
