"""The Glue resource `customer-password`: changes the password of the signed-in customer."""

from functools import partial

from registration.outcomes import Stage, Violation
from registration.rules.account import read_password_change
from registration.rules.form import violations_of
from registration.rules.password import PasswordPolicy
from rest_compat.attributes import TEXT, Attribute, new_password
from rest_compat.errors import OUTCOMES, UNAUTHORIZED, stage_errors
from rest_compat.execution import Execute, run
from rest_compat.resource import Answer, Call, Done, Operation, Refused, Resource

CHANGE_PASSWORD = """
mutation ChangePassword($input: ChangePasswordInput!) {
  changePassword(input: $input) {
    ... on UserError { code }
    ... on InvalidInputError { violations { path code minimum maximum } }
    ... on TooManyAttemptsError { retryAfterSeconds }
  }
}
"""


def customer_password(execute: Execute, policy: PasswordPolicy) -> Resource:
    password = new_password(policy)
    change = Operation(
        summary="Change the own password; all other sessions end",
        answer=partial(_change, execute),
        status=204,
        takes={
            "password": Attribute({**TEXT, "format": "password"}),
            "newPassword": Attribute(password),
            "confirmPassword": Attribute(password),
        },
        rules=lambda call: _early_violations(call, policy),
        errors=[*stage_errors(Stage.AGREEMENT, Stage.PASSWORD), *OUTCOMES["changePassword"].errors],
        protected=True,
        foreign=UNAUTHORIZED,
        confirms="newPassword",
    )
    return Resource("customer-password", single={"PATCH": change}, id_name="customerReference")


def _early_violations(call: Call, policy: PasswordPolicy) -> list[Violation]:
    """Without violations of the policy: the mutation reports them after checking the current password (contract 7)."""
    violations = violations_of(read_password_change(call.attributes, policy))
    return [violation for violation in violations if violation.stage is not Stage.PASSWORD]


async def _change(execute: Execute, call: Call) -> Answer:
    member = await run(execute, call.request, CHANGE_PASSWORD, call.attributes, OUTCOMES["changePassword"])
    return member if isinstance(member, Refused) else Done()
