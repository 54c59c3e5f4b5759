"""registrationPolicy: all that a sign-up form needs to know before it is sent."""

from enum import Enum
from typing import Annotated

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import items
from graphql_api.types.form_field import FormField, form_fields
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.rules import address
from registration.rules.password import SPECIALS
from registration.rules.person import NAME_MAX_LENGTH
from registration.signing_up.confirmation import RESEND_LIMITS


@strawberry.enum(description="Whether answers tell that an address is registered.")
class Disclosure(Enum):
    REVEAL = strawberry.enum_value("REVEAL", description="A taken address is answered with EmailTakenError.")
    CONCEAL = strawberry.enum_value("CONCEAL", description="Every valid sign-up is answered with RegistrationAccepted.")


@strawberry.type(description="The rules of a new password; lengths in characters.")
class PasswordRules:
    min_length: int = strawberry.field(description="The least number of characters.")
    max_length: int = strawberry.field(description="The largest number of characters.")
    needs_all_character_classes: bool = strawberry.field(
        description="Whether a capital, a small letter, a digit and a special character are needed, and nothing else."
    )
    special_characters: str = strawberry.field(description="The special characters that count for that rule.")
    refuses_repeats: bool = strawberry.field(description="Whether three equal characters in a row are refused.")
    refuses_common: bool = strawberry.field(description="Whether the commonest passwords are refused.")
    refuses_breached: bool = strawberry.field(description="Whether passwords known from data breaches are refused.")
    min_strength: int = strawberry.field(
        description="The least strength, from 0 (not asked for) to 4, as zxcvbn counts it. A form shows it with zxcvbn "
        "in the browser, without sending the password."
    )


@strawberry.type(description="All that a sign-up form needs.")
class RegistrationPolicy:
    fields: list[FormField] = strawberry.field(
        description="What a person fills in, in the order of a form: each is a field of CreateCustomerInput.",
        metadata=items(10),
    )
    password: PasswordRules = strawberry.field(description="The rules of a new password.")
    salutations: list[Salutation] = strawberry.field(
        description="The choices for salutation.", metadata=items(len(Salutation))
    )
    genders: list[Gender] = strawberry.field(description="The choices for gender.", metadata=items(len(Gender)))
    name_max_length: int = strawberry.field(description="The largest number of characters of a name.")
    email_max_length: int = strawberry.field(description="The largest number of characters of an address.")
    confirmation_required: bool = strawberry.field(description="Whether a new customer must confirm the address.")
    disclosure: Disclosure = strawberry.field(description="Whether answers tell that an address is registered.")
    languages: list[Language] = strawberry.field(
        description="Those of mails, pages, messages and labels.", metadata=items(len(Language))
    )
    resend_pause_seconds: int = strawberry.field(
        description="How long resendConfirmation refuses another mail to the same address."
    )
    terms_version: str | None = strawberry.field(
        description="The version of the terms that a person accepts; null where the shop names none."
    )


def registration_policy(
    info: Info,
    language: Annotated[
        Language | None,
        strawberry.argument(description="Of labels; without it, that of Accept-Language, as of messages."),
    ] = strawberry.UNSET,
) -> RegistrationPolicy:
    services = info.context.services
    policy = services.policy
    return RegistrationPolicy(
        fields=form_fields(services, language or info.context.language),
        password=PasswordRules(
            min_length=policy.min_length,
            max_length=policy.max_length,
            needs_all_character_classes=policy.character_rule,
            special_characters=SPECIALS,
            refuses_repeats=policy.repeats_rule,
            refuses_common=bool(policy.deny_list),
            refuses_breached=policy.breaches is not None,
            min_strength=policy.min_strength,
        ),
        salutations=list(Salutation),
        genders=list(services.of_person.genders),
        name_max_length=NAME_MAX_LENGTH,
        email_max_length=address.MAX_LENGTH,
        confirmation_required=services.confirmation is not None,
        disclosure=Disclosure.CONCEAL if services.conceal else Disclosure.REVEAL,
        languages=list(Language),
        resend_pause_seconds=RESEND_LIMITS[0].seconds,
        terms_version=services.terms_version or None,
    )
