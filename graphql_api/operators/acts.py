"""What an operator changes for a customer: the mutations, which are named as the commands `customers …`."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, TypeAlias

import strawberry

import graphql_api.types.customer  # noqa: F401 - registers the enums of a customer
from graphql_api.operators.context import Info, needs
from graphql_api.operators.errors import (
    BlockedAlreadyError,
    ConfirmationOffError,
    ConfirmedAlreadyError,
    CustomerErasedError,
    CustomerNotFoundError,
    InvalidInputError,
    NotAllowedError,
    NotBlockedError,
    invalid_input,
    operator_error,
)
from graphql_api.types.input import attributes_of
from registration.customer import Gender, Salutation
from registration.records.audit import AuditKind
from registration.support import actions
from registration.support.actions import Action, ActionOutcome
from registration.support.tokens import Scope


@strawberry.input(description="For whom.")
class ActInput:
    reference: str = strawberry.field(description="Of the customer, for example DE--25.")


@strawberry.input(
    description="What is to be corrected; what is not sent stays. A new address only the customer proves."
)
class CorrectInput:
    reference: str = strawberry.field(description="Of the customer, for example DE--25.")
    salutation: Salutation | None = strawberry.field(description="How to address.", default=strawberry.UNSET)
    first_name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    last_name: str | None = strawberry.field(description="1 to 100 characters.", default=strawberry.UNSET)
    gender: Gender | None = strawberry.field(description="The gender.", default=strawberry.UNSET)
    date_of_birth: date | None = strawberry.field(description="YYYY-MM-DD.", default=strawberry.UNSET)


@strawberry.type(description="It is done.")
class ActSuccess:
    reference: str = strawberry.field(description="Of the customer.")


ActResult = Annotated[
    ActSuccess
    | CustomerNotFoundError
    | CustomerErasedError
    | ConfirmedAlreadyError
    | ConfirmationOffError
    | BlockedAlreadyError
    | NotBlockedError
    | NotAllowedError,
    strawberry.union("ActResult", description="What came of an act."),
]
CorrectResult = Annotated[
    ActSuccess | CustomerNotFoundError | CustomerErasedError | InvalidInputError | NotAllowedError,
    strawberry.union("CorrectResult", description="What came of correct."),
]
For = Annotated[ActInput, strawberry.argument(description="For whom.")]
Act: TypeAlias = Callable[[Info, ActInput], Awaitable[ActResult]]


def _act(kind: AuditKind, action: Action) -> Act:
    @needs(Scope.SUPPORT)
    async def act(info: Info, input: For) -> ActResult:
        return _result(await info.context.run(actions.act, input.reference, kind, action), input.reference)

    return act


confirm = _act(AuditKind.OPERATOR_CONFIRM, actions.confirm)
resend = _act(AuditKind.OPERATOR_RESEND, actions.resend)
block = _act(AuditKind.BLOCK, actions.block)
unblock = _act(AuditKind.UNBLOCK, actions.unblock)
end_sessions = _act(AuditKind.OPERATOR_SIGN_OUT, actions.sign_out)


@needs(Scope.SUPPORT)
async def unlock(info: Info, input: For) -> ActResult:
    return _result(await info.context.run(actions.unlock, input.reference), input.reference)


@needs(Scope.ERASE)
async def erase(info: Info, input: For) -> ActResult:
    return _result(await info.context.run(actions.erase, input.reference), input.reference)


@needs(Scope.SUPPORT)
async def correct(
    info: Info, input: Annotated[CorrectInput, strawberry.argument(description="What is to be corrected.")]
) -> CorrectResult:
    attributes = {name: value for name, value in attributes_of(input).items() if name != "reference"}
    answer = await info.context.run(actions.correct, input.reference, attributes)
    return invalid_input(answer) if isinstance(answer, list) else _result(answer, input.reference)  # type: ignore[return-value]


def _result(answer: ActionOutcome, reference: str) -> ActResult:
    return ActSuccess(reference=reference) if answer is ActionOutcome.DONE else operator_error(answer)  # type: ignore[return-value]
