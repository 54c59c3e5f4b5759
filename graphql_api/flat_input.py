"""Input types without input types inside, built at once from what graphql-core has coerced; it checks nothing."""

from collections.abc import Mapping
from typing import Any, cast

from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case


def build_at_once(input_type: type) -> None:
    """Spare Strawberry its walk over the type for every value: scalars and enums arrive as they are wanted."""
    definition = cast("StrawberryObjectDefinition", vars(input_type)["__strawberry_definition__"])
    names = {to_camel_case(field.python_name): field.python_name for field in definition.fields}

    def build(wanted: type, value: Mapping[str, Any], _context: object) -> Any:
        return wanted(**{names[name]: each for name, each in value.items()})

    definition.from_input = build
