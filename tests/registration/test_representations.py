"""Representations of dataclasses, which a log or the report of a fault may hold, show no person and no secret."""

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import registration
from registration.storage.personal import personal_columns
from registration.storage.tables import metadata

SECRETS = {"code", "digest", "fingerprint", "handle", "hash", "key", "password", "secret", "token"}
PERSONAL = {column.key for table in metadata.tables.values() for column in personal_columns(table)}
SHOWN = {"Looked.place": "a table or a file", "SigningKey.kid": "the name of a key"}
RUNS_WHEN_IMPORTED = "registration.storage.migrations.env"


def shown_fields() -> Iterator[tuple[str, "Field[Any]"]]:
    """The fields in the representations of all dataclasses of the domain, each with the names of class and field."""
    for found in walk_packages(registration.__path__, "registration."):
        if found.name != RUNS_WHEN_IMPORTED:
            for kind in vars(import_module(found.name)).values():
                if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == found.name:
                    yield from ((f"{kind.__name__}.{each.name}", each) for each in fields(kind) if each.repr)


def tells(field: "Field[Any]") -> bool:
    """Whether it holds a row of a table, or a text that is personal by the marks of the columns, or opens something.

    A field of another type has a representation of its own.
    """
    kind = field.type if isinstance(field.type, str) else str(field.type)
    is_named_so = field.name in PERSONAL or not SECRETS.isdisjoint(field.name.split("_"))
    return "Row[" in kind or (is_named_so and field.type in {str, str | None})


def test_no_representation_tells_of_a_person() -> None:
    """A row, a part of a person, a password, a hash, a token or a key is in the representation of no dataclass."""
    shown = dict(shown_fields())
    assert len(shown) > 100
    assert [name for name, field in shown.items() if tells(field) and name not in SHOWN] == []
