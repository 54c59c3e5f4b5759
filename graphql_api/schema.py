"""The schema: every operation by name."""

from collections.abc import AsyncGenerator
from datetime import date, datetime

import strawberry
from graphql.utilities.print_schema import print_schema_definition
from strawberry.schema.config import StrawberryConfig

from graphql_api.engine.costs import items
from graphql_api.operations.anonymize_customer import AnonymizeCustomerResult, anonymize_customer
from graphql_api.operations.change_password import ChangePasswordResult, change_password
from graphql_api.operations.confirm_customer import ConfirmCustomerResult, confirm_customer
from graphql_api.operations.confirm_email_change import ConfirmEmailChangeResult, confirm_email_change
from graphql_api.operations.create_access_token import CreateAccessTokenResult, create_access_token
from graphql_api.operations.create_customer import CreateCustomerResult, create_customer
from graphql_api.operations.devices.end_session import EndSessionResult, end_session
from graphql_api.operations.devices.secure_account import SecureAccountResult, secure_account
from graphql_api.operations.devices.sessions import Session, sessions
from graphql_api.operations.export_my_data import ExportMyDataResult, export_my_data
from graphql_api.operations.me import me, node
from graphql_api.operations.refresh_access_token import RefreshAccessTokenResult, refresh_access_token
from graphql_api.operations.registration_policy import RegistrationPolicy, registration_policy
from graphql_api.operations.request_password_reset import RequestPasswordResetResult, request_password_reset
from graphql_api.operations.resend_confirmation import ResendConfirmationResult, resend_confirmation
from graphql_api.operations.reset_password import ResetPasswordResult, reset_password
from graphql_api.operations.revoke_refresh_token import RevokeRefreshTokenResult, revoke_refresh_token
from graphql_api.operations.update_customer import UpdateCustomerResult, update_customer
from graphql_api.streams.registration import Registration, registration, registration_changes
from graphql_api.types.customer import Customer, Node
from graphql_api.types.scalars import DATE, DATE_TIME
from registration.sessions.listing import MOST


@strawberry.type(description="What can be read.")
class Query:
    me: Customer | None = strawberry.field(
        resolver=me, description="The customer of the access token; without a good one, an error UNAUTHENTICATED."
    )
    node: Node | None = strawberry.field(
        resolver=node,
        description="The customer of the access token, if it has this id, and null for every other id; without a good "
        "token, an error UNAUTHENTICATED.",
    )
    sessions: list[Session] | None = strawberry.field(
        resolver=sessions,
        description="Where the customer of the access token is signed in: first the session of this request, then the "
        f"device used last; at most {MOST}.",
        metadata=items(MOST),
    )
    registration_policy: RegistrationPolicy = strawberry.field(
        resolver=registration_policy, description="All that a sign-up form needs to know before it is sent."
    )
    registration: Registration | None = strawberry.field(
        resolver=registration,
        description="The state of a sign-up, for the page that waits; null for an unknown handle.",
    )


@strawberry.type(description="What can be followed, over server-sent events (Accept: text/event-stream).")
class Subscription:
    registration: AsyncGenerator[Registration | None, None] = strawberry.subscription(
        resolver=registration_changes,
        description="The state of a sign-up, and the next one when it comes; then the stream is complete.",
    )


@strawberry.type(description="What can be done.")
class Mutation:
    create_customer: CreateCustomerResult = strawberry.field(
        resolver=create_customer,
        description="Register a customer. Reports every violation at once, and sends a mail with a confirmation link.",
    )
    confirm_customer: ConfirmCustomerResult = strawberry.field(
        resolver=confirm_customer, description="Confirm an address with the token or the code of the mail; works once."
    )
    resend_confirmation: ResendConfirmationResult = strawberry.field(
        resolver=resend_confirmation,
        description="Ask for the confirmation mail again. The answer is the same whether or not the address is known.",
    )
    create_access_token: CreateAccessTokenResult = strawberry.field(
        resolver=create_access_token,
        description="Sign in. After too many failures for an address, its sign-ins from there are blocked for a while.",
    )
    refresh_access_token: RefreshAccessTokenResult = strawberry.field(
        resolver=refresh_access_token, description="Stay signed in: a refresh token for a new pair."
    )
    revoke_refresh_token: RevokeRefreshTokenResult = strawberry.field(
        resolver=revoke_refresh_token,
        description="Sign out. Needs an access token; the answer is the same whether or not a session was ended.",
    )
    end_session: EndSessionResult = strawberry.field(
        resolver=end_session, description="Sign out one device of the list `sessions`. Needs an access token."
    )
    request_password_reset: RequestPasswordResetResult = strawberry.field(
        resolver=request_password_reset,
        description="Ask for a link to a new password. The answer is the same whether or not the address is known.",
    )
    reset_password: ResetPasswordResult = strawberry.field(
        resolver=reset_password, description="Choose a new password with the token of the mail; works once."
    )
    change_password: ChangePasswordResult = strawberry.field(
        resolver=change_password, description="Replace the password. Needs an access token."
    )
    secure_account: SecureAccountResult = strawberry.field(
        resolver=secure_account,
        description='Say "this was not me" with the token of a mail about the security of the account; works once.',
    )
    update_customer: UpdateCustomerResult = strawberry.field(
        resolver=update_customer, description="Change the profile: all that is sent, or nothing. Needs an access token."
    )
    confirm_email_change: ConfirmEmailChangeResult = strawberry.field(
        resolver=confirm_email_change, description="Prove a new address with the token of the mail; works once."
    )
    export_my_data: ExportMyDataResult = strawberry.field(
        resolver=export_my_data,
        description="Ask for a copy of all data about the customer of the access token, as JSON, by a link in a mail.",
    )
    anonymize_customer: AnonymizeCustomerResult = strawberry.field(
        resolver=anonymize_customer, description="Erase the customer of the access token, for ever."
    )


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map={date: DATE, datetime: DATE_TIME}),
)
# Strawberry has no way to describe a schema, and does not print a description.
schema._schema.description = (
    "Customers register, confirm their address, sign in and look after their account. A mutation takes one input and "
    "answers with a union: a success, or an error that implements UserError and has a code. Errors at the top level "
    "are about the request, not about what it asks for."
)


def print_schema() -> str:
    """The published contract: the text of schema.graphql."""
    return f"{print_schema_definition(schema._schema)}\n\n{schema.as_str()}\n"
