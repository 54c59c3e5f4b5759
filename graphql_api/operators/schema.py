"""The operator schema: every operation by name, as the commands `customers …` have them."""

from datetime import date, datetime

import strawberry
from graphql.utilities.print_schema import print_schema_definition
from strawberry.schema.config import StrawberryConfig

from graphql_api.operators import acts, lookups
from graphql_api.operators.acts import ActResult, CorrectResult
from graphql_api.operators.lookups import ExportResult, FindResult, ShowResult
from graphql_api.types.scalars import DATE, DATE_TIME


@strawberry.type(description="What an operator can look at.")
class Query:
    find: FindResult = strawberry.field(resolver=lookups.find, description="Find customers. Scope READ.")
    show: ShowResult = strawberry.field(resolver=lookups.show, description="Look at one customer. Scope READ.")
    export: ExportResult = strawberry.field(
        resolver=lookups.export, description="Everything about a person, who has asked for it. Scope SUPPORT."
    )


@strawberry.type(description="What an operator can do.")
class Mutation:
    confirm: ActResult = strawberry.field(
        resolver=acts.confirm, description="Confirm an address that was proven in another way. Scope SUPPORT."
    )
    resend: ActResult = strawberry.field(
        resolver=acts.resend, description="Send the confirmation mail again. Scope SUPPORT."
    )
    unlock: ActResult = strawberry.field(
        resolver=acts.unlock, description="End the lock-out after failed sign-ins. Scope SUPPORT."
    )
    block: ActResult = strawberry.field(
        resolver=acts.block, description="Refuse sign-ins, and end every session. Scope SUPPORT."
    )
    unblock: ActResult = strawberry.field(resolver=acts.unblock, description="Allow sign-ins again. Scope SUPPORT.")
    end_sessions: ActResult = strawberry.field(
        resolver=acts.end_sessions, description="End every session; a new sign-in is possible. Scope SUPPORT."
    )
    correct: CorrectResult = strawberry.field(
        resolver=acts.correct, description="Correct a name or a date of birth. Scope SUPPORT."
    )
    erase: ActResult = strawberry.field(resolver=acts.erase, description="Erase the customer, for ever. Scope ERASE.")


schema = strawberry.Schema(
    query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map={date: DATE, datetime: DATE_TIME})
)
schema._schema.description = (
    "What operators do for customers. Every request needs a token of `registration-gateway operators new`, every field "
    "one of its scopes, and everything leaves an audit row that names the operator."
)


def print_schema() -> str:
    """The text of operator.graphql."""
    return f"{print_schema_definition(schema._schema)}\n\n{schema.as_str()}\n"
