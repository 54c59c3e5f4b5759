"""What the reply of a mail server says about a mail: whether the recipient is the cause, or we are (decision 0034)."""

import re
from enum import Enum, StrEnum

from registration.mail.transport import AboutUs, Deferred, Refused


class Step(StrEnum):
    """The steps of a mail's delivery (RFC 5321), in their order."""

    CONNECT = "connection"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "sign-in"
    MAIL = "sender"
    RCPT = "recipient"
    DATA = "DATA"
    END = "content"


OF_A_MAIL = frozenset({Step.MAIL, Step.RCPT, Step.DATA, Step.END})
# Before the recipient is named, a reply is about the sender, which all mails share.
KNOWS_RECIPIENT = frozenset({Step.RCPT, Step.DATA, Step.END})
# Missing or wrong credentials (RFC 4954), at whatever step the server says so.
SIGN_IN_CODES = frozenset({530, 534, 535, 538})


class Cause(Enum):
    """The cause that a reply names: the recipient, or this installation."""

    RECIPIENT = "recipient"
    US = "us"


# By subject, the second number of an enhanced code (RFC 3463): addresses and mailboxes are the recipient's; system,
# network, protocol, content and policy are the mail server's or ours.
SUBJECTS = {1: Cause.RECIPIENT, 2: Cause.RECIPIENT} | dict.fromkeys(range(3, 8), Cause.US)
# By subject and detail, where that differs (IANA's registry of enhanced status codes).
DETAILS = {
    (1, 0): Cause.US,  # of any address; Postfix says it of the sender
    (1, 7): Cause.US,  # the sender's address is badly written
    (1, 8): Cause.US,  # the sender's domain is unknown
    (4, 4): Cause.RECIPIENT,  # no route to the recipient's domain
    (6, 7): Cause.RECIPIENT,  # no mailbox with such letters there
    (6, 9): Cause.RECIPIENT,  # the same, of a header
    (7, 17): Cause.RECIPIENT,  # the mailbox has a new owner
}
# Codes without an enhanced one that are about the recipient; at the end of the content 550 is policy (RFC 5321, 4.3.2).
BARE = {
    Step.RCPT: frozenset({450, 451, 452, 550, 551, 552, 553, 556}),
    Step.DATA: frozenset({450, 451, 452}),
    Step.END: frozenset({450, 451, 452, 552}),
}


def judge(step: Step, code: int, text: str) -> Refused | Deferred | AboutUs:
    """What a negative reply, of 400 to 599, says at this step; the reason quotes codes only."""
    enhanced = re.match(r"[45]\.(\d{1,3})\.(\d{1,3})\b", text)
    reason = f"{step} refused: {code}{' ' + enhanced[0] if enhanced else ''}"
    is_lasting = code >= 500
    if _cause(step, code, enhanced and (int(enhanced[1]), int(enhanced[2]))) is Cause.RECIPIENT:
        return Refused(reason) if is_lasting else Deferred(reason)
    return AboutUs(reason, step not in KNOWS_RECIPIENT or code in SIGN_IN_CODES | {421}, is_lasting)


def _cause(step: Step, code: int, enhanced: tuple[int, int] | None) -> Cause:
    if code in SIGN_IN_CODES:
        return Cause.US
    if enhanced and (step in KNOWS_RECIPIENT or enhanced in {(6, 7), (6, 9)}):
        known = DETAILS.get(enhanced) or SUBJECTS.get(enhanced[0])
        if known:
            return known
    return Cause.RECIPIENT if code in BARE.get(step, ()) else Cause.US
