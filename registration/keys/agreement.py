"""Whether all nodes of an installation have the same keys: the first states its own in the database.

A node with another secret cannot send the mails of the others, and counts apart from them. One with other signing
keys refuses their access tokens, and they refuse its own. While the secret is rotated both secrets are stated: a
node must have one of them as its current one, or the stated current one as its former one. Two nodes that have made a
secret each share only the former one, and differ.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from registration.keys.secret import Secret
from registration.keys.signing_keys import SigningKeys, age
from registration.storage.tables import installation

FINGERPRINT = 31
"""Hex characters of a secret's fingerprint: two of them, and a space, fit into the column."""
MEND = "; copy the keys of the other nodes, or, where these are the right ones, run: registration-gateway keys adopt"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What a node says of its keys: fingerprints of its secrets, and the ids of its signing keys, the newest first."""

    secrets: tuple[str, ...]
    signing_keys: tuple[str, ...]


def keys_of_node(secret: Secret, signing_keys: SigningKeys) -> NodeKeys:
    return NodeKeys(tuple(map(_fingerprint, secret.versions())), tuple(key.kid for key in signing_keys.all()))


def _fingerprint(secret: Secret) -> str:
    return secret.derive("fingerprint")[:FINGERPRINT]


def disagreement(connection: Connection, keys: NodeKeys) -> str | None:
    """In one line what an operator has to mend; None where the keys agree, or none are stated yet."""
    stated = _stated(connection)
    if stated is None:
        return None
    if keys.secrets[0] not in stated.secrets and stated.secrets[0] not in keys.secrets:
        return f"secret.key is not that of the other nodes{MEND}"
    if set(stated.signing_keys).isdisjoint(keys.signing_keys) and not _is_newer(keys, stated):
        return f"no signing key is one of the other nodes{MEND}"
    return None


def state(connection: Connection, keys: NodeKeys) -> None:
    """State the keys where none are, and those of this node that are newer than the ones that are.

    The keys must agree, see `disagreement`: a secret that is not stated has come after one that is.
    """
    stated = _stated(connection)
    newest = keys if stated is None else _newest(keys, stated)
    if newest != stated:
        adopt(connection, newest)


def adopt(connection: Connection, keys: NodeKeys) -> None:
    """Let these be the keys of the installation."""
    values = {"secret": " ".join(keys.secrets), "signing_keys": " ".join(keys.signing_keys)}
    connection.execute(update(installation).values(values))


def _newest(keys: NodeKeys, stated: NodeKeys) -> NodeKeys:
    return NodeKeys(
        stated.secrets if keys.secrets[0] in stated.secrets else keys.secrets,
        keys.signing_keys if _is_newer(keys, stated) else stated.signing_keys,
    )


def _stated(connection: Connection) -> NodeKeys | None:
    secret, signing_keys = connection.execute(select(installation.c.secret, installation.c.signing_keys)).one()
    if secret is None:
        return None
    return NodeKeys(tuple(each[:FINGERPRINT] for each in secret.split()), tuple(signing_keys.split()))


def _is_newer(keys: NodeKeys, stated: NodeKeys) -> bool:
    """Whether the newest signing key was made after the stated ones, by a node that had them."""
    return age(keys.signing_keys[0])[0] > age(stated.signing_keys[0])[0]
