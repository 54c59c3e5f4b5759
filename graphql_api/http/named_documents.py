"""Documents that requests name by their SHA-256: those that the operator trusts, and those that clients sent before."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cachetools import LRUCache

from graphql_api.http.strict_json import Json
from registration.environment import SettingsError

KEPT_DOCUMENTS = 256
KEPT_CHARACTERS = 256 * 1024
"""Of documents that clients sent, in all: a dozen front ends; a process keeps them until it ends."""

LONGEST_KEPT = 8 * 1024

SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NotFound:
    """No document of this name is known: the client may send it with its hash."""


@dataclass(frozen=True, slots=True)
class NotTrusted:
    """The operator trusts other documents only."""


@dataclass(frozen=True, slots=True)
class WrongHash:
    """The document has another SHA-256 than the request says."""


class NamedDocuments:
    """`trusted` has documents by their hash in lower case; with `only` every other document is refused."""

    def __init__(self, trusted: Mapping[str, str], *, only: bool) -> None:
        self._trusted = trusted
        self._only = only
        self._sent: LRUCache[str, str] = LRUCache(KEPT_CHARACTERS, _size)

    def text(self, sent: str | None, digest: str | None) -> str | NotFound | NotTrusted | WrongHash:
        """The document of a request that has sent it, or its hash, or both; both together make it known."""
        if digest is None and not self._only:
            return sent or ""
        if sent:
            return self._sent_with(sent, digest)
        found = self._trusted.get(digest or "") or self._sent.get(digest or "")
        return found or (NotTrusted() if self._only else NotFound())

    def _sent_with(self, sent: str, digest: str | None) -> str | NotTrusted | WrongHash:
        actual = sha256(sent.encode()).hexdigest()
        if digest not in {None, actual}:
            return WrongHash()
        if self._only:
            return sent if actual in self._trusted else NotTrusted()
        # A string literal may be a password, so such a document must not outlive its request.
        if len(sent) <= LONGEST_KEPT and '"' not in sent:
            self._sent[actual] = sent
        return sent


def _size(text: str) -> int:
    """The length of a document. A short one counts for so much that at most KEPT_DOCUMENTS are kept."""
    return max(len(text), KEPT_CHARACTERS // KEPT_DOCUMENTS)


def document_hash(parameters: Mapping[str, Json]) -> str | WrongHash | None:
    """The SHA-256 in `documentId` (with or without "sha256:") or in `extensions.persistedQuery`, in lower case."""
    named = parameters.get("documentId")
    extensions = parameters.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if named is None and persisted is not None:
        named = (persisted.get("sha256Hash") if isinstance(persisted, dict) else None) or ""
    if named is None:
        return None
    digest = str(named).removeprefix("sha256:").lower()
    return digest if SHA256.fullmatch(digest) else WrongHash()


def is_named(parameters: Mapping[str, Json]) -> bool:
    """Whether a request has the hash of a document, and not the document."""
    return not parameters.get("query") and isinstance(document_hash(parameters), str)


def read_manifest(path: str) -> Mapping[str, str]:
    """The documents of a manifest by their hash; none for an empty path. Raises SettingsError for a file that is none.

    The file is what `documents build` prints, or Apollo's generate-persisted-query-manifest, whose form it is.
    """
    if not path:
        return {}
    try:
        operations = json.loads(Path(path).read_text("utf-8"))["operations"]
        documents = {str(each["id"]): str(each["body"]) for each in operations}
    except OSError as error:
        raise SettingsError(f"GATEWAY_DOCUMENTS: {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError("GATEWAY_DOCUMENTS names no manifest of `registration-gateway documents build`") from None
    for digest, text in documents.items():
        if sha256(text.encode()).hexdigest() != digest:
            raise SettingsError(f"GATEWAY_DOCUMENTS: the document {digest!r} has another SHA-256")
    return documents
