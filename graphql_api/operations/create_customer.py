"""createCustomer: input, results and resolver on one page; the rules and the work are the domain's."""

from datetime import date
from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.types.customer import Customer, PendingConfirmation, customer_type, pending_confirmation
from graphql_api.types.input import attributes_of
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.messages import ACCEPTED, MESSAGE
from graphql_api.types.user_errors import (
    EmailTakenError,
    IdempotencyConflictError,
    TooManyAttemptsError,
    user_error,
)
from registration import outcomes
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.limits.budgets import Cost
from registration.signing_up.sign_up import SignUpRequest

IF_ASKED = "Whether it must be sent stands in registrationPolicy; null is as if it was not sent."


@strawberry.input(description="What a person fills in to register.")
class CreateCustomerInput:
    salutation: Salutation | None = strawberry.field(
        description=f"How to address the customer. {IF_ASKED}", default=strawberry.UNSET
    )
    first_name: str | None = strawberry.field(
        description=f"1 to 100 characters, no control characters. {IF_ASKED}", default=strawberry.UNSET
    )
    last_name: str | None = strawberry.field(
        description=f"1 to 100 characters, no control characters. {IF_ASKED}", default=strawberry.UNSET
    )
    email: str = strawberry.field(description="An e-mail address of up to 100 characters.")
    gender: Gender | None = strawberry.field(
        description=f"The gender of the customer. {IF_ASKED}", default=strawberry.UNSET
    )
    password: str = strawberry.field(description="See registrationPolicy for its rules.")
    confirm_password: str = strawberry.field(description="The password once more.")
    accepted_terms: bool = strawberry.field(description="Must be true.")
    date_of_birth: date | None = strawberry.field(
        description=f"YYYY-MM-DD, not in the future. {IF_ASKED}", default=strawberry.UNSET
    )
    language: Language | None = strawberry.field(
        description="Optional: the language of mails to the customer; without it, that of Accept-Language.",
        default=strawberry.UNSET,
    )
    idempotency_key: str | None = strawberry.field(
        description="Optional, 16 to 255 characters, made by the client: the same key with the same input has one "
        "outcome within 24 hours, however often it is sent.",
        default=strawberry.UNSET,
    )


@strawberry.type(description="The customer is registered.")
class CreateCustomerSuccess:
    customer: Customer = strawberry.field(description="The new customer.")
    confirmation: PendingConfirmation | None = strawberry.field(description="Null when no confirmation is asked for.")


@strawberry.type(description="Privacy mode: a mail is on its way to the owner of the address; nothing else is told.")
class RegistrationAccepted:
    message: str = strawberry.field(description=MESSAGE)


CreateCustomerResult = Annotated[
    CreateCustomerSuccess
    | RegistrationAccepted
    | InvalidInputError
    | EmailTakenError
    | TooManyAttemptsError
    | IdempotencyConflictError,
    strawberry.union("CreateCustomerResult", description="What came of createCustomer."),
]


@costs(Cost.SIGN_UP, Cost.HASH, Cost.MAIL)
async def create_customer(
    info: Info, input: Annotated[CreateCustomerInput, strawberry.argument(description="The registration form.")]
) -> CreateCustomerResult:
    context = info.context
    sent = {name: value for name, value in attributes_of(input).items() if value is not None}
    outcome = await context.sign_up(SignUpRequest(sent, context.language, context.client_ip))
    return _result(outcome, context.language)


def _result(outcome: outcomes.SignUpOutcome, language: Language) -> CreateCustomerResult:
    match outcome:
        case outcomes.Registered(customer, confirm_before):
            return CreateCustomerSuccess(
                customer=customer_type(customer), confirmation=pending_confirmation(customer.email, confirm_before)
            )
        case outcomes.Accepted():
            return RegistrationAccepted(message=ACCEPTED[language])
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
        case outcomes.EmailTaken():
            return user_error(EmailTakenError, language)
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
        case outcomes.IdempotencyConflict():
            return user_error(IdempotencyConflictError, language)
    assert_never(outcome)
