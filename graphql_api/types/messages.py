"""Messages for people, in each language. Codes are the contract; these texts may change at any time."""

from collections.abc import Mapping

from registration.language import Language
from registration.outcomes import Violation, ViolationCode
from registration.texts import Text

MESSAGE = f"A sentence for people, in the language of Accept-Language ({', '.join(Language)})."
"""The description of a field that holds a message."""

ACCEPTED = Text("If this address can be used, a mail is on its way.")

RESET_ACCEPTED = Text("If an account has this address, a mail with a link to a new password is on its way.")

EXPORT_ACCEPTED = Text("A mail with a link to your data is on its way.")

DONE = Text("Done.")

VIOLATIONS: Mapping[ViolationCode, Text] = {
    ViolationCode.MISSING: Text("This value is required."),
    ViolationCode.BLANK: Text("This value must not be empty."),
    ViolationCode.NOT_A_STRING: Text("This value must be a text."),
    ViolationCode.TOO_SHORT: Text("This value needs %(minimum)s characters or more."),
    ViolationCode.TOO_LONG: Text("This value may have %(maximum)s characters at most."),
    ViolationCode.FORBIDDEN_CHARACTER: Text("This value contains a character that is not allowed."),
    ViolationCode.NOT_A_CHOICE: Text("This is not one of the choices."),
    ViolationCode.NOT_AN_EMAIL: Text("This is not an e-mail address."),
    ViolationCode.NOT_TRUE: Text("This must be accepted."),
    ViolationCode.NOT_A_DATE: Text("This is not a date."),
    ViolationCode.DATE_OUT_OF_RANGE: Text("This date is in the future or too long ago."),
    ViolationCode.PASSWORDS_DIFFER: Text("The two passwords differ."),
    ViolationCode.PASSWORD_CHARACTERS: Text(
        "The password needs a capital and a small letter (A to Z), a digit, a special character and nothing else."
    ),
    ViolationCode.PASSWORD_COMMON: Text("This password is one of the most common ones."),
    ViolationCode.PASSWORD_REPEATS: Text("The password repeats a character three times in a row."),
    ViolationCode.PASSWORD_BREACHED: Text("This password is known from a data breach."),
    ViolationCode.PASSWORD_WEAK: Text("This password is too easy to guess."),
}


def violation_message(violation: Violation, language: Language) -> str:
    return VIOLATIONS[violation.code][language] % {"minimum": violation.minimum, "maximum": violation.maximum}
