"""The commonest passwords, which no customer may choose."""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path

from registration.rules.password import prepare

BUILTIN_SIZE = 10_000


class PasswordListError(Exception):
    """A deny list that cannot be read; the text is one line for the operator."""


def read_deny_list(choice: str, min_length: int) -> frozenset[str]:
    """Read `builtin`, `off` or a file with one password a line; entries are prepared and in lower case.

    Of the built-in list, only passwords of at least `min_length` characters count among its 10,000, because shorter
    ones are refused anyway. Raises PasswordListError.
    """
    if choice == "off":
        return frozenset()
    if choice == "builtin":
        return _builtin(min_length)
    return _read_file(choice)


@cache
def _builtin(min_length: int) -> frozenset[str]:
    """The commonest passwords that zxcvbn ships (MIT licence), and those that it knows by rule, like 00000000."""
    commonest = (word for word in _shipped_with_zxcvbn() if len(word) >= min_length)
    others = _read_file(str(Path(__file__).with_name("common_passwords.txt")))
    return others.union(islice(commonest, BUILTIN_SIZE))


def _shipped_with_zxcvbn() -> list[str]:
    """The passwords of zxcvbn, the commonest first.

    Its file is run by itself: an import of the package would keep 15 MB in every process, the passwords are 1 MB.
    """
    package = find_spec("zxcvbn")
    assert package is not None
    assert package.origin is not None
    spec = spec_from_file_location("frequency_lists", Path(package.origin).with_name("frequency_lists.py"))
    assert spec is not None
    assert spec.loader is not None
    lists = module_from_spec(spec)
    spec.loader.exec_module(lists)
    passwords: list[str] = lists.FREQUENCY_LISTS["passwords"]
    return passwords


def _read_file(path: str) -> frozenset[str]:
    try:
        return frozenset(prepare(Path(path).read_text("utf-8-sig").lower()).split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordListError(f"{path}: cannot be read ({type(error).__name__})") from None
