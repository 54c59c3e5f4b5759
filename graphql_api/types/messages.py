"""Messages for people, in each language. Codes are the contract; these texts may change at any time."""

from collections.abc import Mapping

from registration.language import Language
from registration.outcomes import Violation, ViolationCode

Texts = Mapping[Language, str]
EN, DE = Language.EN, Language.DE
MESSAGE = f"A sentence for people, in the language of Accept-Language ({', '.join(Language)})."
"""The description of a field that holds a message."""

ACCEPTED: Texts = {
    EN: "If this address can be used, a mail is on its way.",
    DE: "Wenn diese Adresse verwendet werden kann, ist eine E-Mail unterwegs.",
}

RESET_ACCEPTED: Texts = {
    EN: "If an account has this address, a mail with a link to a new password is on its way.",
    DE: "Wenn ein Konto diese Adresse hat, ist eine E-Mail mit einem Link zu einem neuen Passwort unterwegs.",
}

DONE: Texts = {EN: "Done.", DE: "Erledigt."}

VIOLATIONS: Mapping[ViolationCode, Texts] = {
    ViolationCode.MISSING: {EN: "This value is required.", DE: "Diese Angabe ist erforderlich."},
    ViolationCode.BLANK: {EN: "This value must not be empty.", DE: "Diese Angabe darf nicht leer sein."},
    ViolationCode.NOT_A_STRING: {EN: "This value must be a text.", DE: "Diese Angabe muss ein Text sein."},
    ViolationCode.TOO_SHORT: {
        EN: "This value needs {minimum} characters or more.",
        DE: "Diese Angabe braucht mindestens {minimum} Zeichen.",
    },
    ViolationCode.TOO_LONG: {
        EN: "This value may have {maximum} characters at most.",
        DE: "Diese Angabe darf höchstens {maximum} Zeichen haben.",
    },
    ViolationCode.FORBIDDEN_CHARACTER: {
        EN: "This value contains a character that is not allowed.",
        DE: "Diese Angabe enthält ein Zeichen, das nicht erlaubt ist.",
    },
    ViolationCode.NOT_A_CHOICE: {EN: "This is not one of the choices.", DE: "Dies steht nicht zur Auswahl."},
    ViolationCode.NOT_AN_EMAIL: {EN: "This is not an e-mail address.", DE: "Dies ist keine E-Mail-Adresse."},
    ViolationCode.NOT_TRUE: {EN: "This must be accepted.", DE: "Dies muss akzeptiert werden."},
    ViolationCode.NOT_A_DATE: {EN: "This is not a date.", DE: "Dies ist kein Datum."},
    ViolationCode.DATE_OUT_OF_RANGE: {
        EN: "This date is in the future or too long ago.",
        DE: "Dieses Datum liegt in der Zukunft oder zu lange zurück.",
    },
    ViolationCode.PASSWORDS_DIFFER: {
        EN: "The two passwords differ.",
        DE: "Die beiden Passwörter stimmen nicht überein.",
    },
    ViolationCode.PASSWORD_CHARACTERS: {
        EN: "The password needs a capital and a small letter (A to Z), a digit, a special character and nothing else.",
        DE: "Das Passwort braucht einen Groß- und einen Kleinbuchstaben (A bis Z), eine Ziffer und ein Sonderzeichen, "
        "und nichts anderes.",
    },
    ViolationCode.PASSWORD_COMMON: {
        EN: "This password is one of the most common ones.",
        DE: "Dieses Passwort ist eines der häufigsten.",
    },
    ViolationCode.PASSWORD_REPEATS: {
        EN: "The password repeats a character three times in a row.",
        DE: "Das Passwort wiederholt ein Zeichen dreimal hintereinander.",
    },
    ViolationCode.PASSWORD_BREACHED: {
        EN: "This password is known from a data breach.",
        DE: "Dieses Passwort ist aus einem Datenleck bekannt.",
    },
    ViolationCode.PASSWORD_WEAK: {
        EN: "This password is too easy to guess.",
        DE: "Dieses Passwort ist zu leicht zu erraten.",
    },
}


def violation_message(violation: Violation, language: Language) -> str:
    return VIOLATIONS[violation.code][language].format(minimum=violation.minimum, maximum=violation.maximum)
