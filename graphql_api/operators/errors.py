"""The error members of the operator schema's unions. Their messages are English: operators read them, no customer."""

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

import strawberry

from graphql_api.types.domain_enum import domain_enum
from graphql_api.types.invalid_input import Violation
from graphql_api.types.messages import violation_message
from registration import outcomes
from registration.language import Language
from registration.support.actions import ActionOutcome
from registration.support.tokens import Scope

domain_enum(
    Scope,
    "What a token is good for.",
    {
        Scope.READ.name: "To find customers and to look at one.",
        Scope.SUPPORT.name: "To change the state of a customer, and to export all that is known.",
        Scope.ERASE.name: "To erase a customer, for ever.",
    },
)


@strawberry.enum(description="Names the members of unions that are errors. Branch on this, not on the message.")
class OperatorErrorCode(Enum):
    NOT_ALLOWED = strawberry.enum_value("NOT_ALLOWED", description="NotAllowedError: see its scope.")
    CUSTOMER_NOT_FOUND = strawberry.enum_value("CUSTOMER_NOT_FOUND", description="CustomerNotFoundError.")
    CUSTOMER_ERASED = strawberry.enum_value("CUSTOMER_ERASED", description="CustomerErasedError.")
    CONFIRMED_ALREADY = strawberry.enum_value("CONFIRMED_ALREADY", description="ConfirmedAlreadyError.")
    CONFIRMATION_OFF = strawberry.enum_value("CONFIRMATION_OFF", description="ConfirmationOffError.")
    BLOCKED_ALREADY = strawberry.enum_value("BLOCKED_ALREADY", description="BlockedAlreadyError.")
    NOT_BLOCKED = strawberry.enum_value("NOT_BLOCKED", description="NotBlockedError.")
    INVALID_INPUT = strawberry.enum_value("INVALID_INPUT", description="InvalidInputError: see its violations.")


@strawberry.interface(description="An expected failure; nothing was done.")
class OperatorError:
    code: OperatorErrorCode = strawberry.field(description="Which error this is.")
    message: str = strawberry.field(description="A sentence for the operator, in English.")
    CODE: ClassVar[OperatorErrorCode]


@strawberry.type(description="The token is not good for this.")
class NotAllowedError(OperatorError):
    CODE = OperatorErrorCode.NOT_ALLOWED
    scope: Scope = strawberry.field(description="What the token would have to be good for.")


@strawberry.type(description="No customer has the reference.")
class CustomerNotFoundError(OperatorError):
    CODE = OperatorErrorCode.CUSTOMER_NOT_FOUND


@strawberry.type(description="The customer is erased.")
class CustomerErasedError(OperatorError):
    CODE = OperatorErrorCode.CUSTOMER_ERASED


@strawberry.type(description="The address is confirmed already.")
class ConfirmedAlreadyError(OperatorError):
    CODE = OperatorErrorCode.CONFIRMED_ALREADY


@strawberry.type(description="Customers need not confirm here, so there is nothing to send.")
class ConfirmationOffError(OperatorError):
    CODE = OperatorErrorCode.CONFIRMATION_OFF


@strawberry.type(description="The customer is blocked already.")
class BlockedAlreadyError(OperatorError):
    CODE = OperatorErrorCode.BLOCKED_ALREADY


@strawberry.type(description="The customer is not blocked.")
class NotBlockedError(OperatorError):
    CODE = OperatorErrorCode.NOT_BLOCKED


@strawberry.type(description="The input breaks one or more rules.")
class InvalidInputError(OperatorError):
    CODE = OperatorErrorCode.INVALID_INPUT
    violations: list[Violation] = strawberry.field(description="All of them, in the order of the input's fields.")


ERRORS: dict[ActionOutcome, type[OperatorError]] = {
    ActionOutcome.NO_CUSTOMER: CustomerNotFoundError,
    ActionOutcome.ERASED: CustomerErasedError,
    ActionOutcome.CONFIRMED_ALREADY: ConfirmedAlreadyError,
    ActionOutcome.NO_CONFIRMATION: ConfirmationOffError,
    ActionOutcome.BLOCKED_ALREADY: BlockedAlreadyError,
    ActionOutcome.NOT_BLOCKED: NotBlockedError,
}


def operator_error(answer: ActionOutcome) -> OperatorError:
    """The error of an answer that is not DONE."""
    kind = ERRORS[answer]
    return kind(code=kind.CODE, message=f"{answer.value[0].upper()}{answer.value[1:]}.")


def not_allowed(scope: Scope) -> NotAllowedError:
    return NotAllowedError(code=NotAllowedError.CODE, message=f"This needs a token for {scope}.", scope=scope)


def invalid_input(found: Sequence[outcomes.Violation]) -> InvalidInputError:
    violations = [
        Violation(
            path=["input", each.attribute],
            code=each.code,
            message=violation_message(each, Language.EN),
            minimum=each.minimum,
            maximum=each.maximum,
        )
        for each in found
    ]
    return InvalidInputError(
        code=InvalidInputError.CODE, message="Some of the input is not valid.", violations=violations
    )
