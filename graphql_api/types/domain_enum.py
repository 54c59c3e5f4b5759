"""Registers enums of the domain with the schema, with a description of each value."""

from collections.abc import Mapping
from enum import Enum

import strawberry
from strawberry.types.enum import has_enum_definition


def domain_enum(enum: type[Enum], description: str, values: Mapping[str, str]) -> None:
    """Register the enum with Strawberry; every value, by its name, must have a description."""
    shown = strawberry.enum(enum, description=description)
    assert has_enum_definition(shown)
    for value in shown.__strawberry_definition__.values:
        value.description = values[value.name]
