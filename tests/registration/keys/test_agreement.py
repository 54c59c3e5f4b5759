"""Nodes of one installation have the same keys; one that differs is told apart from one that is a step behind."""

from functools import partial

import pytest

from registration.keys.agreement import NodeKeys, adopt, disagreement, keys_of_node, state
from registration.keys.secret import Secret
from registration.storage.database import Database
from tests.in_process import signing_keys

FIRST, SECOND, OTHER = "1-00000000000000aa", "2-00000000000000bb", "1-00000000000000cc"
KEYS = NodeKeys(("fingerprint",), (FIRST,))
MEND = "; copy the keys of the other nodes, or, where these are the right ones, run: registration-gateway keys adopt"


def stated(database: Database, *nodes: NodeKeys) -> None:
    for keys in nodes:
        database.write(partial(state, keys=keys))


def difference(database: Database, keys: NodeKeys) -> str | None:
    return database.read(lambda connection: disagreement(connection, keys))


def test_a_new_installation_agrees_with_every_node(database: Database) -> None:
    """As long as no node has stated its keys, none differs."""
    assert difference(database, KEYS) is None


def test_a_node_with_another_secret_differs(database: Database) -> None:
    """The first node that states its keys decides about the secret."""
    stated(database, KEYS)
    assert difference(database, KEYS) is None
    other = NodeKeys(("another",), (FIRST,))
    assert difference(database, other) == f"secret.key is not that of the other nodes{MEND}"


@pytest.mark.parametrize(
    ("signing_keys", "agrees"),
    [((FIRST,), True), ((SECOND, FIRST), True), ((SECOND,), True), ((OTHER,), False), ((OTHER, FIRST), True)],
)
def test_signing_keys_may_be_exchanged_step_by_step(
    database: Database, signing_keys: tuple[str, ...], agrees: bool
) -> None:
    """A node agrees that shares a signing key with the others, or has one that was made after theirs."""
    stated(database, KEYS)
    assert (difference(database, NodeKeys(("fingerprint",), signing_keys)) is None) is agrees


def test_newer_signing_keys_are_stated(database: Database) -> None:
    """After a step of an exchange the next begins from there: a node two steps behind differs, one a step does not."""
    stated(
        database, KEYS, NodeKeys(("fingerprint",), (SECOND, FIRST)), KEYS, NodeKeys(("fingerprint",), ("3-00", SECOND))
    )
    assert difference(database, NodeKeys(("fingerprint",), (SECOND, FIRST))) is None
    assert difference(database, KEYS) == f"no signing key is one of the other nodes{MEND}"


def test_adopted_keys_replace_all(database: Database) -> None:
    """After an operator has said which keys are right, the others differ."""
    stated(database, KEYS)
    other = NodeKeys(("another",), (OTHER,))
    database.write(lambda connection: adopt(connection, other))
    assert difference(database, other) is None
    assert difference(database, KEYS) == f"secret.key is not that of the other nodes{MEND}"


OLD, NEW = ("old",), ("new",)
BOTH = ("new", "old")


def agreeing(database: Database) -> list[tuple[str, ...]]:
    return [each for each in (OLD, BOTH, NEW) if difference(database, NodeKeys(each, (FIRST,))) is None]


@pytest.mark.parametrize("first", [OLD, BOTH])
def test_the_secret_may_be_rotated_step_by_step(database: Database, first: tuple[str, ...]) -> None:
    """From the first node with both secrets on, a node agrees with either; after the end, only with the new one."""
    stated(database, NodeKeys(first, (FIRST,)))
    assert OLD in agreeing(database)
    stated(database, NodeKeys(BOTH, (FIRST,)))
    assert agreeing(database) == [OLD, BOTH, NEW]
    # A node that is a step behind in secrets and ahead in signing keys states those only.
    stated(database, NodeKeys(OLD, (SECOND, FIRST)), NodeKeys(NEW, (FIRST,)))
    assert agreeing(database) == [OLD, BOTH, NEW]
    database.write(lambda connection: adopt(connection, NodeKeys(NEW, (FIRST,))))
    stated(database, NodeKeys(BOTH, (FIRST,)))
    assert agreeing(database) == [BOTH, NEW]


def test_a_second_rotation_leaves_the_first_secret_behind(database: Database) -> None:
    """Each step of two rotations agrees with what is stated; after both the first secret opens nothing any more."""
    for secrets in (OLD, BOTH, NEW, ("newest", "new")):
        assert difference(database, NodeKeys(secrets, (FIRST,))) is None
        stated(database, NodeKeys(secrets, (FIRST,)))
    assert agreeing(database) == [BOTH, NEW]


def test_of_two_nodes_that_made_a_secret_each_one_differs(database: Database) -> None:
    """The former secret in common is not enough: the new one that is stated first is that of the installation."""
    stated(database, NodeKeys(OLD, (FIRST,)), NodeKeys(BOTH, (FIRST,)))
    other = NodeKeys(("another", "old"), (FIRST,))
    assert difference(database, other) == f"secret.key is not that of the other nodes{MEND}"
    assert agreeing(database) == [OLD, BOTH, NEW]


def test_the_fingerprints_fit_the_column(database: Database) -> None:
    """Two secrets are stated in a column that PostgreSQL bounds."""
    keys = keys_of_node(Secret(b"n" * 32, Secret(b"o" * 32)), signing_keys())
    stated(database, keys)
    assert len(keys.secrets) == 2
    assert difference(database, keys) is None


def test_the_fingerprint_tells_nothing_of_the_secret() -> None:
    """The fingerprint is the same at every start, another for another secret, and no key that anything else uses."""
    one, again, other = (keys_of_node(Secret(bytes([number]) * 32), signing_keys()) for number in (1, 1, 2))
    assert one == again
    assert set(one.secrets).isdisjoint(other.secrets)
    assert [len(each) for each in one.secrets] == [31]
    assert one.signing_keys == (signing_keys().newest().kid,)
