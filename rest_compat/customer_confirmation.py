"""The Glue resource `customer-confirmation`: confirms through the mutation confirmCustomer; it never tells why not."""

from functools import partial

from registration.rules import text_violations
from rest_compat.errors import CANNOT_CONFIRM, outcome_error, violation_errors
from rest_compat.execution import Execute, run
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource

CONFIRM_CUSTOMER = """
mutation ConfirmCustomer($input: ConfirmCustomerInput!) {
  confirmCustomer(input: $input) { __typename }
}
"""


def customer_confirmation(execute: Execute) -> Resource:
    return Resource("customer-confirmation", {"POST": Operation(partial(_confirm, execute))})


async def _confirm(execute: Execute, call: Call) -> Answer:
    if violations := text_violations(call.attributes, "registrationKey"):
        return Refused(violation_errors(violations))
    token = call.attributes["registrationKey"]
    member = await run(execute, call.request, CONFIRM_CUSTOMER, {"token": token}, CANNOT_CONFIRM)
    if isinstance(member, Refused):
        return member
    if member["__typename"] == "ConfirmCustomerSuccess":
        return Done()
    return Refused((outcome_error(member, CANNOT_CONFIRM),))
