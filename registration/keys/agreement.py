"""Whether all nodes of an installation have the same keys: the first states its own in the database.

A node with another secret makes links that no node knows, and parks the mails of the others. One with other signing
keys refuses their access tokens, and they refuse its own.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys, age
from registration.storage.tables import installation

MEND = "; copy the keys of the other nodes, or, where these are the right ones, run: registration-gateway keys adopt"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node says of its keys: a fingerprint of its secret, and the ids of its signing keys, the newest first."""

    secret: str
    signing_keys: tuple[str, ...]


def keys_of_node(secret: Secret, signing_keys: SigningKeys) -> NodeKeys:
    return NodeKeys(secret.derive("fingerprint"), tuple(key.kid for key in signing_keys.all()))


def disagreement(connection: Connection, keys: NodeKeys) -> str | None:
    """In one line what an operator has to mend; None where the keys agree, or none are stated yet."""
    stated = _stated(connection)
    if stated is None:
        return None
    if stated.secret != keys.secret:
        return f"secret.key is not that of the other nodes{MEND}"
    if set(stated.signing_keys).isdisjoint(keys.signing_keys) and not _is_newer(keys, stated):
        return f"no signing key is one of the other nodes{MEND}"
    return None


def state(connection: Connection, keys: NodeKeys) -> None:
    """State the keys where none are, or where a signing key of this node is newer than those that are.

    The keys must agree, see `disagreement`.
    """
    stated = _stated(connection)
    if stated is None or _is_newer(keys, stated):
        adopt(connection, keys)


def adopt(connection: Connection, keys: NodeKeys) -> None:
    """Let these be the keys of the installation."""
    connection.execute(update(installation).values(secret=keys.secret, signing_keys=" ".join(keys.signing_keys)))


def _stated(connection: Connection) -> NodeKeys | None:
    secret, signing_keys = connection.execute(select(installation.c.secret, installation.c.signing_keys)).one()
    return None if secret is None else NodeKeys(secret, tuple(signing_keys.split()))


def _is_newer(keys: NodeKeys, stated: NodeKeys) -> bool:
    """Whether the newest signing key was made after the stated ones, by a node that had them."""
    return age(keys.signing_keys[0])[0] > age(stated.signing_keys[0])[0]
