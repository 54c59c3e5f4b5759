"""A breach list on disk: listed passwords are found, others are not, and a file that is no list is refused."""

from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_api.settings import GatewaySettings
from registration.environment import SettingsError
from registration.outcomes import ViolationCode
from registration.rules.breaches import Breaches, BreachFileError
from registration.rules.password import PasswordPolicy
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
    """Exactly the listed passwords are found, in a list of any length and of each published form."""
    breaches = Breaches(written(path, listed, line))
    assert {password for password in listed | others if breaches.hold(password)} == listed


def test_a_long_list_is_searched(path: Path) -> None:
    """Each of ten thousand entries is found, and none of ten thousand other passwords."""
    breaches = Breaches(written(path, {f"password {number}" for number in range(10_000)}))
    assert all(breaches.hold(f"password {number}") for number in range(10_000))
    assert not any(breaches.hold(f"password {number}") for number in range(10_000, 20_000))


@pytest.mark.parametrize("end", ["", "\n"])
def test_one_line_in_lower_case_is_a_list(path: Path, end: str) -> None:
    """A list of one line in lower case is searched, with or without an end of the line."""
    path.write_text(hash_of("secret").lower() + end)
    assert Breaches(path).hold("secret")
    assert not Breaches(path).hold("other")


@pytest.mark.seconds(10)
def test_a_last_line_needs_no_end(path: Path) -> None:
    """Where the last line has no end, its password is found, and those after it in the order of hashes are not."""
    [low, middle, high] = sorted(("a", "b", "c"), key=hash_of)
    path.write_text(f"{hash_of(low)}\n{hash_of(middle)}")
    breaches = Breaches(path)
    assert [breaches.hold(password) for password in (low, middle, high)] == [True, True, False]


@pytest.mark.parametrize("password", ["\ud800", "", "\x00", "p" * 100_000])
def test_any_password_can_be_looked_up(path: Path, password: str) -> None:
    """A password of any text can be looked up."""
    assert not Breaches(written(path, {"secret"})).hold(password)
    assert Breaches(written(path, {password})).hold(password)


@pytest.mark.parametrize(
    "content",
    [
        "password\n123456\n",
        f"{'0' * 40}\npassword\n",
        f"12345\n{'f' * 40}\n",
        f"{'0' * 40}\n{'f' * 39}\n",
        f"{'0' * 40}:x\n",
        "0" * 100,
        f"{'0' * 40}\n{'1' * 200}",
        "\n",
    ],
)
def test_a_file_that_is_no_list_is_refused(path: Path, content: str) -> None:
    """A file whose first or last line is no hash is refused with one line."""
    path.write_text(content)
    with pytest.raises(BreachFileError, match=r"breached: is no list of SHA-1 hashes in hex, one a line$"):
        Breaches(path)


def test_an_unsorted_list_is_refused(path: Path) -> None:
    """A list that is not sorted is refused, because a binary search would find nothing in it."""
    path.write_text(f"{'F' * 40}:1\n{'0' * 40}:1\n")
    with pytest.raises(BreachFileError, match=r"breached: is not sorted by hash$"):
        Breaches(path)


def test_an_unreadable_list_is_refused(path: Path) -> None:
    """A list that is empty, missing or a directory is refused with one line."""
    path.touch()
    for unreadable in (path, path.with_name("absent"), path.parent):
        with pytest.raises(BreachFileError, match=r": cannot be read \(\w+\)$"):
            Breaches(unreadable)


def test_a_list_is_replaced_by_renaming(path: Path) -> None:
    """When a file is renamed over the list, a running process searches the one that it has opened."""
    breaches = Breaches(written(path, {"old"}))
    written(path.with_name("new"), {"new"}).rename(path)
    assert breaches.hold("old")
    assert Breaches(path).hold("new")


def test_a_setting_names_the_list(path: Path) -> None:
    """A setting names the list; for one that cannot be used SettingsError has one line with the setting's name."""
    assert password_policy(GatewaySettings()).breaches is None
    policy = password_policy(GatewaySettings(breach_file=str(written(path, {"secret"})), password_min_strength=2))
    assert policy.breaches is not None
    assert policy.breaches.hold("secret")
    assert policy.min_strength == 2
    with pytest.raises(SettingsError, match=r"^GATEWAY_BREACH_FILE /absent: cannot be read \(FileNotFoundError\)$"):
        password_policy(GatewaySettings(breach_file="/absent"))


def test_the_policy_refuses_a_listed_password(path: Path) -> None:
    """A policy with a list refuses a listed new password, after the rules of length and characters."""
    policy = PasswordPolicy(min_length=12, breaches=Breaches(written(path, {"change123"})))
    violations = sign_up_violations(form(password="change123", confirmPassword="change123"), policy)
    assert [(found.attribute, found.code) for found in violations] == [
        ("password", ViolationCode.TOO_SHORT),
        ("password", ViolationCode.PASSWORD_BREACHED),
        ("confirmPassword", ViolationCode.TOO_SHORT),
    ]
