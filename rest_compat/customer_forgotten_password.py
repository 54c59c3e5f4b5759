"""The Glue resource `customer-forgotten-password`: asks for a reset mail, always with one answer."""

from functools import partial

from registration.rules.account import EMAIL_MAX_LENGTH, read_reset_request
from registration.rules.form import violations_of
from rest_compat.attributes import ADDRESS, Attribute
from rest_compat.errors import OUTCOMES
from rest_compat.execution import Execute, run
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource

# TooManyAttemptsError is not selected: the contract answers 204 for every well-formed address (6.1).
REQUEST_PASSWORD_RESET = """
mutation RequestPasswordReset($input: RequestPasswordResetInput!) {
  requestPasswordReset(input: $input) {
    ... on InvalidInputError { code violations { path code minimum maximum } }
  }
}
"""


def customer_forgotten_password(execute: Execute) -> Resource:
    request_reset = Operation(
        summary="Ask for a mail with a key to a new password; the answer does not tell whether the address is known",
        answer=partial(_request_reset, execute),
        status=204,
        takes={"email": Attribute({**ADDRESS, "maxLength": EMAIL_MAX_LENGTH})},
        rules=lambda call: violations_of(read_reset_request(call.attributes)),
        errors=OUTCOMES["requestPasswordReset"].errors,
    )
    return Resource("customer-forgotten-password", {"POST": request_reset})


async def _request_reset(execute: Execute, call: Call) -> Answer:
    member = await run(execute, call.request, REQUEST_PASSWORD_RESET, call.attributes, OUTCOMES["requestPasswordReset"])
    return member if isinstance(member, Refused) else Done()
