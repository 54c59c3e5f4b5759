"""The commonest passwords, which no customer may choose."""

from pathlib import Path

from registration.rules.password import prepare


class PasswordListError(Exception):
    """A deny list that cannot be read; the text is one line for the operator."""


def read_deny_list(choice: str) -> frozenset[str]:
    """Read `builtin`, `off` or a file with one password a line; entries are prepared and in lower case.

    Raises PasswordListError.
    """
    if choice == "off":
        return frozenset()
    path = Path(__file__).with_name("common_passwords.txt") if choice == "builtin" else Path(choice)
    try:
        return frozenset(prepare(path.read_text("utf-8-sig").lower()).split("\n")) - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordListError(f"{choice}: cannot be read ({type(error).__name__})") from None
