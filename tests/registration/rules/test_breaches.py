"""A breach list on disk: what is on it is found, what is not is not, and what is no list is refused."""

from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_api.settings import GatewaySettings
from registration.outcomes import ViolationCode
from registration.rules.breaches import Breaches, BreachFileError
from registration.rules.password import PasswordPolicy
from registration.settings import SettingsError
from registration.wiring import password_policy
from tests.registration.forms import form
from tests.registration.violations import sign_up_violations

FORMS = ["{hash}\n", "{hash}:{count}\n", "{hash}:{count}\r\n"]


def hash_of(password: str) -> str:
    return sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()


def written(path: Path, passwords: set[str], line: str = FORMS[1]) -> Path:
    hashes = sorted(map(hash_of, passwords))
    lines = (line.format(hash=each, count=number**5) for number, each in enumerate(hashes))
    path.write_bytes("".join(lines).encode())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "breached"


@given(st.sets(st.text(), min_size=1, max_size=50), st.sets(st.text(), max_size=20), st.sampled_from(FORMS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_what_is_listed_is_found(path: Path, listed: set[str], others: set[str], line: str) -> None:
    """At any place of a list of any length, in each of the forms that lists come in."""
    breaches = Breaches(written(path, listed, line))
    assert {password for password in listed | others if breaches.hold(password)} == listed


def test_a_long_list(path: Path) -> None:
    """Every entry of ten thousand is found, and none of ten thousand others."""
    breaches = Breaches(written(path, {f"password {number}" for number in range(10_000)}))
    assert all(breaches.hold(f"password {number}") for number in range(10_000))
    assert not any(breaches.hold(f"password {number}") for number in range(10_000, 20_000))


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_list_in_small_letters_of_one_line(path: Path, end: str) -> None:
    """With or without an end of the line."""
    path.write_text(hash_of("secret").lower() + end)
    assert Breaches(path).hold("secret")
    assert not Breaches(path).hold("other")


@pytest.mark.parametrize("password", ["\ud800", "", "\x00", "p" * 100_000])
def test_any_password_can_be_looked_up(path: Path, password: str) -> None:
    """Whatever it is made of."""
    assert not Breaches(written(path, {"secret"})).hold(password)
    assert Breaches(written(path, {password})).hold(password)


@pytest.mark.parametrize(
    "content",
    [
        "password\n123456\n",
        f"{'0' * 40}\npassword\n",
        f"{'0' * 40}\n{'f' * 39}\n",
        f"{'0' * 40}:x\n",
        "0" * 100,
        f"{'0' * 40}\n{'1' * 200}",
        "\n",
    ],
)
def test_what_is_no_list_stops_the_start(path: Path, content: str) -> None:
    """As far as the first and the last line show it."""
    path.write_text(content)
    with pytest.raises(BreachFileError, match=r"breached: is no list of SHA-1 hashes in hex, one a line$"):
        Breaches(path)


def test_a_list_that_is_not_sorted_stops_the_start(path: Path) -> None:
    """A binary search would find nothing in it."""
    path.write_text(f"{'F' * 40}:1\n{'0' * 40}:1\n")
    with pytest.raises(BreachFileError, match=r"breached: is not sorted by hash$"):
        Breaches(path)


def test_a_list_that_cannot_be_read_stops_the_start(path: Path) -> None:
    """Because it is empty, is not there, or is a directory."""
    path.touch()
    for unreadable in (path, path.with_name("absent"), path.parent):
        with pytest.raises(BreachFileError, match=r": cannot be read \(\w+\)$"):
            Breaches(unreadable)


def test_a_list_is_replaced_by_renaming(path: Path) -> None:
    """A running process keeps the one that it has opened."""
    breaches = Breaches(written(path, {"old"}))
    written(path.with_name("new"), {"new"}).rename(path)
    assert breaches.hold("old")
    assert Breaches(path).hold("new")


def test_the_operator_names_it(path: Path) -> None:
    """One that cannot be used stops the start with one line, which names the setting."""
    assert password_policy(GatewaySettings()).breaches is None
    policy = password_policy(GatewaySettings(breach_file=str(written(path, {"secret"})), password_min_strength=2))
    assert policy.breaches is not None
    assert policy.breaches.hold("secret")
    assert policy.min_strength == 2
    with pytest.raises(SettingsError, match=r"^GATEWAY_BREACH_FILE /absent: cannot be read \(FileNotFoundError\)$"):
        password_policy(GatewaySettings(breach_file="/absent"))


def test_the_policy_refuses_what_is_listed(path: Path) -> None:
    """Of a new password only, after the rules of length and characters."""
    policy = PasswordPolicy(min_length=12, breaches=Breaches(written(path, {"change123"})))
    violations = sign_up_violations(form(password="change123", confirmPassword="change123"), policy)
    assert [(found.attribute, found.code) for found in violations] == [
        ("password", ViolationCode.TOO_SHORT),
        ("password", ViolationCode.PASSWORD_BREACHED),
        ("confirmPassword", ViolationCode.TOO_SHORT),
    ]
