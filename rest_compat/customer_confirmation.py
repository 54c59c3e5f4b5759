"""The Glue resource `customer-confirmation`: confirms through the mutation confirmCustomer."""

from functools import partial

from registration.rules.account import read_key
from registration.rules.form import violations_of
from rest_compat.attributes import KEY, Attribute
from rest_compat.errors import OUTCOMES
from rest_compat.execution import Execute, run
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource

CONFIRM_CUSTOMER = """
mutation ConfirmCustomer($input: ConfirmCustomerInput!) {
  confirmCustomer(input: $input) {
    ... on UserError { code }
  }
}
"""


def customer_confirmation(execute: Execute) -> Resource:
    confirm = Operation(
        summary="Confirm the e-mail address with the key of the mail; works once",
        answer=partial(_confirm, execute),
        status=204,
        takes={"registrationKey": Attribute(KEY)},
        rules=lambda call: violations_of(read_key(call.attributes, "registrationKey")),
        errors=OUTCOMES["confirmCustomer"].errors,
    )
    return Resource("customer-confirmation", {"POST": confirm})


async def _confirm(execute: Execute, call: Call) -> Answer:
    given = {"token": call.attributes["registrationKey"]}
    member = await run(execute, call.request, CONFIRM_CUSTOMER, given, OUTCOMES["confirmCustomer"])
    return member if isinstance(member, Refused) else Done()
