"""updateCustomer: input, results and resolver on one page. Attributes that are not sent stay as they are."""

from datetime import date
from typing import Annotated, assert_never

import strawberry

from graphql_api.engine.context import Info
from graphql_api.engine.costs import costs
from graphql_api.engine.errors import Unauthenticated
from graphql_api.types.customer import Customer, PendingConfirmation, customer_type, pending_confirmation
from graphql_api.types.input import attributes_of
from graphql_api.types.invalid_input import InvalidInputError, invalid_input_error
from graphql_api.types.user_errors import BadCredentialsError, EmailTakenError, TooManyAttemptsError, user_error
from registration import outcomes
from registration.account.profile import update_profile
from registration.customer import Gender, Salutation
from registration.language import Language
from registration.limits.budgets import Cost


@strawberry.input(
    description="What is to change. What is not sent stays; null is a value, which only that can have that need not be "
    "sent at sign-up (see registrationPolicy)."
)
class UpdateCustomerInput:
    salutation: Salutation | None = strawberry.field(
        description="How to address the customer.", default=strawberry.UNSET
    )
    first_name: str | None = strawberry.field(
        description="1 to 100 characters, no control characters.", default=strawberry.UNSET
    )
    last_name: str | None = strawberry.field(
        description="1 to 100 characters, no control characters.", default=strawberry.UNSET
    )
    gender: Gender | None = strawberry.field(description="The gender of the customer.", default=strawberry.UNSET)
    email: str | None = strawberry.field(
        description="An e-mail address of up to 100 characters. It counts from when the link mailed to it is followed; "
        "the old address gets a notice. Another address needs `password`, unless the sign-in is younger than ten "
        "minutes.",
        default=strawberry.UNSET,
    )
    date_of_birth: date | None = strawberry.field(description="YYYY-MM-DD.", default=strawberry.UNSET)
    password: str | None = strawberry.field(
        description="The current password, for another `email`; nothing else needs it.", default=strawberry.UNSET
    )

    language: Language | None = strawberry.field(
        description="The language of mails to the customer.", default=strawberry.UNSET
    )


@strawberry.type(description="The customer as stored now.")
class UpdateCustomerSuccess:
    customer: Customer = strawberry.field(description="With the old address, if the new one waits.")
    pending_email: PendingConfirmation | None = strawberry.field(
        description="The address that waits for its confirmation, of this request or of an earlier one; else null."
    )


UpdateCustomerResult = Annotated[
    UpdateCustomerSuccess | InvalidInputError | BadCredentialsError | EmailTakenError | TooManyAttemptsError,
    strawberry.union("UpdateCustomerResult", description="What came of updateCustomer."),
]


@costs(Cost.HASH, Cost.GUESS, Cost.MAIL)
async def update_customer(
    info: Info, input: Annotated[UpdateCustomerInput, strawberry.argument(description="What is to change.")]
) -> UpdateCustomerResult:
    context = info.context
    caller = await context.caller()
    attributes = {name: value for name, value in attributes_of(input).items() if name != "password"}
    outcome = await context.threads.run_hashing(
        update_profile,
        context.services,
        caller,
        attributes,
        context.client_ip,
        password=input.password or None,
        token_suffices=context.legacy,
    )
    return _result(outcome, context.language)


def _result(outcome: outcomes.UpdateOutcome, language: Language) -> UpdateCustomerResult:
    match outcome:
        case outcomes.Updated(customer, email, confirm_before):
            return UpdateCustomerSuccess(
                customer=customer_type(customer), pending_email=pending_confirmation(email, confirm_before)
            )
        case outcomes.Invalid():
            return invalid_input_error(outcome, language)
        case outcomes.BadCredentials():
            return user_error(BadCredentialsError, language)
        case outcomes.EmailTaken():
            return user_error(EmailTakenError, language)
        case outcomes.TooManyAttempts(seconds):
            return user_error(TooManyAttemptsError, language, retry_after_seconds=seconds)
        case outcomes.Gone():
            raise Unauthenticated
    assert_never(outcome)
