"""The input of an operation as the domain reads it: attributes by their public names."""

from collections.abc import Hashable
from dataclasses import fields
from functools import cache
from typing import Any, cast

import strawberry
from strawberry.utils.str_converters import to_camel_case


def attributes_of(form: Any) -> dict[str, object]:
    """What was sent; values keep the types that GraphQL gave them, null is None."""
    names = _names(cast("Hashable", type(form)))
    return {public: value for name, public in names if (value := getattr(form, name)) is not strawberry.UNSET}


@cache
def _names(kind: Hashable) -> list[tuple[str, str]]:
    return [(each.name, to_camel_case(each.name)) for each in fields(cast("Any", kind))]
