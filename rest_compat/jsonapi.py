"""JSON:API documents of the legacy contract, read and written, without HTTP."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

MEDIA_TYPE = "application/vnd.api+json"


@dataclass(frozen=True, slots=True)
class Error:
    """One error object; `code` is that of the legacy contract, or ours where it has none."""

    status: int
    detail: str
    code: str | None = None


POST_DATA_INVALID = Error(400, "Post data is invalid.")
INVALID_TYPE = Error(400, "Invalid type.")


@dataclass(frozen=True, slots=True)
class Item:
    """A resource to show; `id` is null on the wire when None."""

    id: str | None
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the resources of one request are shown: their type, their links, and the attributes asked for.

    `query` is the raw query string; `fields` are the wanted attributes, None for all of them.
    """

    base_url: str
    type: str
    query: bytes = b""
    fields: frozenset[str] | None = None

    def single(self, item: Item) -> dict[str, object]:
        return {"data": self._resource(item)}

    def collection(self, items: Sequence[Item]) -> dict[str, object]:
        return {"data": [self._resource(item) for item in items], "links": self._links(None)}

    def without_id(self, attributes: Mapping[str, object]) -> dict[str, object]:
        """A document that does not tell whether the resource exists."""
        return {"data": {"type": self.type, "attributes": self._wanted(attributes), "links": self._links(None)}}

    def _resource(self, item: Item) -> dict[str, object]:
        return {
            "type": self.type,
            "id": item.id,
            "attributes": self._wanted(item.attributes),
            "links": self._links(item.id),
        }

    def _wanted(self, attributes: Mapping[str, object]) -> object:
        if self.fields is None:
            return dict(attributes)
        # An empty PHP array is written as a list; legacy clients know no other form of "nothing".
        return {name: value for name, value in attributes.items() if name in self.fields} or []

    def _links(self, item_id: str | None) -> dict[str, str]:
        link = "/".join(filter(None, (self.base_url, self.type, item_id)))
        return {"self": f"{link}?{_decoded(self.query)}" if self.query else link}


def error_document(errors: Iterable[Error]) -> dict[str, object]:
    return {"errors": [_error_object(error) for error in errors]}


def read_attributes(document: object, resource_type: str) -> Mapping[str, object] | Error:
    """The attributes of a request document that names the right type; an id in it counts for nothing.

    Anything else is an error.
    """
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict) or data.get("type") is None or data.get("attributes") is None:
        return POST_DATA_INVALID
    if data["type"] != resource_type:
        return INVALID_TYPE
    attributes = data["attributes"]
    if attributes == []:  # how PHP writes an empty object, too (decision 0064)
        return {}
    return attributes if isinstance(attributes, dict) else POST_DATA_INVALID


def link_base(url: str) -> str:
    """The configured address as links show it: without the default port of its scheme, without a slash at the end."""
    parts = urlsplit(url)
    default_port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts._replace(netloc=parts.netloc.removesuffix(default_port)).geturl().rstrip("/")


def _decoded(query: bytes) -> str:
    return unquote_to_bytes(query).decode("utf-8", "replace")


def _error_object(error: Error) -> dict[str, object]:
    members: dict[str, object] = {"detail": error.detail, "status": error.status}
    return members if error.code is None else members | {"code": error.code}
