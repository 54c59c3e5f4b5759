"""The settings of the sign-up form: what it asks for and what its answers tell. A part of the domain's settings."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from registration.customer import Gender
from registration.rules.person import ATTRIBUTES, LEGACY, PersonPolicy

NOTHING = "none"


class FormSettings(BaseModel):
    """Each field is the variable GATEWAY_<FIELD>, as in `Settings`."""

    required: Annotated[
        str,
        Field(
            description=f"what a customer must tell, for both doors: any of {', '.join(ATTRIBUTES)}, comma-separated;"
            f" or {NOTHING}"
        ),
    ] = "salutation,gender,firstName,lastName"
    gender_other: Annotated[
        Literal["on", "off"], Field(description="a third choice of gender, OTHER; at the REST door `Other`")
    ] = "off"

    terms_version: Annotated[
        str, Field(max_length=100, description="version of the shop's terms, which registrationPolicy tells forms")
    ] = ""
    disclosure: Annotated[
        Literal["reveal", "conceal"], Field(description="whether answers tell that an address is registered")
    ] = "reveal"

    @field_validator("required")
    @classmethod
    def _attributes_are_known(cls, value: str) -> str:
        for name in _names(value):
            if name not in ATTRIBUTES:
                raise ValueError(f"names {name!r}: it takes {', '.join(ATTRIBUTES)}, or {NOTHING}")
        return value

    @property
    def of_person(self) -> PersonPolicy:
        genders = tuple(Gender) if self.gender_other == "on" else LEGACY.genders
        return PersonPolicy(frozenset(_names(self.required)), genders)


def _names(value: str) -> list[str]:
    return [] if value == NOTHING else [name for part in value.split(",") if (name := part.strip())]
