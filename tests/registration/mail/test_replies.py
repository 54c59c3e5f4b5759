"""What replies of mail servers say: each line is a reply that servers in use give at that step."""

import pytest

from registration.mail.replies import Step, judge
from registration.mail.transport import AboutUs, Deferred, Refused

MAIL, RCPT, DATA, END = Step.MAIL, Step.RCPT, Step.DATA, Step.END


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        (RCPT, 550, "5.1.1 no such user"),
        (RCPT, 550, "5.1.2 no such domain"),
        (RCPT, 556, "5.1.10 null MX"),
        (RCPT, 550, "5.2.1 mailbox disabled"),
        (RCPT, 552, "5.2.2 mailbox full"),
        (RCPT, 550, "5.4.4 no route to the domain"),
        (RCPT, 550, "5.7.17 mailbox has a new owner"),
        (RCPT, 550, "no such user here"),
        (RCPT, 551, "user not local"),
        (RCPT, 552, "mailbox full"),
        (RCPT, 553, "mailbox name not allowed"),
        (RCPT, 550, "5.0.0 rejected"),
        (RCPT, 550, "#5.1.0 address rejected"),
        (MAIL, 550, "5.6.7 non-ASCII addresses not permitted"),
        (RCPT, 553, "5.6.7 non-ASCII addresses not permitted"),
        (DATA, 550, "5.1.1 no such user"),
        (END, 550, "5.1.1 no such user"),
        (END, 552, "5.2.2 mailbox full"),
        (END, 552, "mailbox full"),
        (END, 554, "5.6.9 cannot be downgraded"),
    ],
)
def test_what_is_about_the_recipient_for_good(step: Step, code: int, text: str) -> None:
    """Replies about an address, a mailbox, or letters that the recipient's server lacks park the mail."""
    assert isinstance(judge(step, code, text), Refused)


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        (RCPT, 450, "4.2.0 greylisted"),
        (RCPT, 450, "4.1.1 unverified recipient"),
        (RCPT, 452, "4.2.2 mailbox full"),
        (RCPT, 450, "mailbox busy"),
        (RCPT, 451, "try later"),
        (RCPT, 452, "no storage"),
        (DATA, 451, "try later"),
        (END, 450, "mailbox busy"),
        (END, 451, "try later"),
        (END, 452, "4.2.2 mailbox full"),
    ],
)
def test_what_is_about_the_recipient_for_now(step: Step, code: int, text: str) -> None:
    """The same with a 4xx code defer the mail."""
    assert isinstance(judge(step, code, text), Deferred)


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        (Step.CONNECT, 554, "5.7.1 blocked by a list"),
        (Step.CONNECT, 550, "5.1.1 what?"),
        (Step.EHLO, 550, "invalid name"),
        (Step.STARTTLS, 554, "5.7.3 no TLS"),
        (Step.AUTH, 535, "5.7.8 wrong password"),
        (MAIL, 553, "5.7.1 sender not owned by user"),
        (MAIL, 550, "5.1.8 sender's domain unknown"),
        (MAIL, 550, "5.1.1 no such sender"),
        (MAIL, 550, "5.4.5 daily quota exceeded"),
        (MAIL, 550, "no"),
        (MAIL, 530, "5.7.0 sign in first"),
        (RCPT, 530, "5.7.0 sign in first"),
        (END, 535, "5.1.1 sign in first"),
    ],
)
def test_what_is_about_us_and_all_mails(step: Step, code: int, text: str) -> None:
    """Replies before the recipient is named, and those about credentials, are the same for every mail of ours."""
    assert judge(step, code, text) == AboutUs(_reason(step, code, text), is_for_all=True, is_lasting=True)


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        (RCPT, 550, "5.7.1 relaying denied"),
        (RCPT, 554, "5.7.1 relay access denied"),
        (RCPT, 550, "5.4.5 daily quota exceeded"),
        (RCPT, 550, "5.4.1 relay access denied"),
        (RCPT, 553, "5.7.1 sender not owned by user"),
        (RCPT, 550, "5.1.0 sender address rejected"),
        (RCPT, 553, "5.1.7 sender badly written"),
        (RCPT, 550, "5.1.8 sender's domain unknown"),
        (RCPT, 552, "5.3.4 mail too big"),
        (RCPT, 503, "5.5.1 bad sequence"),
        (RCPT, 554, "no"),
        (DATA, 554, "no valid recipients"),
        (END, 554, "5.7.1 spam"),
        (END, 550, "5.7.26 unauthenticated sender"),
        (END, 550, "5.4.5 daily quota exceeded"),
        (END, 550, "policy"),
        (END, 554, "message rejected: address is not verified"),
        (END, 550, "5.9.9 unheard of"),
    ],
)
def test_what_is_about_us_and_perhaps_one_mail(step: Step, code: int, text: str) -> None:
    """Replies about policy, quotas, content, system and protocol make a mail wait, and say nothing about the next."""
    assert judge(step, code, text) == AboutUs(_reason(step, code, text), is_for_all=False, is_lasting=True)


@pytest.mark.parametrize(
    ("step", "code", "text", "is_for_all"),
    [
        (Step.AUTH, 454, "4.7.0 try later", True),
        (MAIL, 451, "4.3.0 try later", True),
        (MAIL, 450, "4.2.0 what?", True),
        (RCPT, 452, "4.3.1 disk full", False),
        (RCPT, 450, "4.7.1 too many mails", False),
        (RCPT, 450, "4.1.8 sender's domain unknown", False),
        (END, 451, "4.3.0 queue file cannot be written", False),
        (END, 421, "4.7.28 too many mails", True),
    ],
)
def test_what_is_about_us_for_now(step: Step, code: int, text: str, is_for_all: bool) -> None:
    """The same with a 4xx code may pass without an operator."""
    assert judge(step, code, text) == AboutUs(_reason(step, code, text), is_for_all=is_for_all, is_lasting=False)


def _reason(step: Step, code: int, text: str) -> str:
    """The reason that names step and codes, and nothing of the server's text."""
    enhanced = text.split(maxsplit=1)[0]
    return f"{step} refused: {code}" + (f" {enhanced}" if enhanced[0] in "45" else "")
