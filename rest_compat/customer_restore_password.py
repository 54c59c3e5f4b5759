"""The Glue resource `customer-restore-password`: sets a new password with the key of a mail."""

from functools import partial

from registration.outcomes import Stage
from registration.rules.account import read_reset
from registration.rules.form import violations_of
from registration.rules.password import PasswordPolicy
from rest_compat.attributes import KEY, Attribute, new_password
from rest_compat.errors import OUTCOMES, stage_errors
from rest_compat.execution import Execute, run
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource

RESET_PASSWORD = """
mutation ResetPassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) {
    ... on UserError { code }
    ... on InvalidInputError { violations { path code minimum maximum } }
    ... on ResetTokenError { reason }
  }
}
"""


def customer_restore_password(execute: Execute, policy: PasswordPolicy) -> Resource:
    password = new_password(policy)
    restore = Operation(
        summary="Set a new password with the key of the mail; the id in the path is ignored",
        answer=partial(_restore, execute),
        status=204,
        takes={
            "restorePasswordKey": Attribute(KEY),
            "password": Attribute(password),
            "confirmPassword": Attribute(password),
        },
        rules=lambda call: violations_of(read_reset(call.attributes, policy, "restorePasswordKey")),
        errors=[*stage_errors(Stage.AGREEMENT, Stage.PASSWORD), *OUTCOMES["resetPassword"].errors],
    )
    return Resource("customer-restore-password", single={"PATCH": restore})


async def _restore(execute: Execute, call: Call) -> Answer:
    given = {
        "token": call.attributes["restorePasswordKey"],
        "password": call.attributes["password"],
        "confirmPassword": call.attributes["confirmPassword"],
    }
    member = await run(execute, call.request, RESET_PASSWORD, given, OUTCOMES["resetPassword"])
    return member if isinstance(member, Refused) else Done()
