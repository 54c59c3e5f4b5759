"""The code of a mail confirms in the tab that has the handle; wrong codes end it, but not the link."""

import re
from dataclasses import replace
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from registration.addresses.pending import CODE_ATTEMPTS
from registration.keys.handles import LENGTH
from registration.mail import outbox
from registration.mail.composition import Composer, look_up
from registration.mail.message import Message
from registration.outcomes import CodeRefused, Confirmed, Invalid, Registered, SignUpAccepted, ViolationCode
from registration.rules.account import Code
from registration.services import Services
from registration.signing_up.code import confirm_by_code, confirm_by_proof
from registration.signing_up.confirmation import confirm, resend_confirmation
from registration.storage.tables import audit, confirmation_token, customer, mail
from tests.clock import Clock
from tests.registration.forms import request
from tests.registration.mail.messages import parsed
from tests.registration.members import CLIENT, confirmed
from tests.registration.post import Deliver, deliver, key_in, text_of
from tests.registration.signing import sign_up
from tests.registration.stored import rows

ADA = "ada@example.org"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def arrived(services: Services, tmp_path: Path) -> Deliver:
    """Sends the mails that are due; returns the messages that arrived since the last call."""
    return lambda: deliver(services, tmp_path / "mail")


@pytest.fixture
def handle(services: Services) -> str:
    """The handle of a customer that just signed up."""
    return handle_of_sign_up(services)


def handle_of_sign_up(services: Services, **changes: object) -> str:
    outcome = sign_up(services, request(**changes))
    assert isinstance(outcome, Registered | SignUpAccepted)
    return outcome.handle


def code_in(text: str) -> str:
    [code] = re.findall(r"^(\d{6})$", text, re.MULTILINE)
    return str(code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_the_code_confirms_once(services: Services, arrived: Deliver, handle: str) -> None:
    """The code of the mail confirms with the handle, leaves an audit row, and is refused afterwards."""
    [message] = arrived()
    code = code_in(text_of(message))
    outcome = confirm_by_code(services, Code(code, handle), CLIENT)
    assert isinstance(outcome, Confirmed)
    assert outcome.customer.email == ADA
    assert ("confirm", CLIENT) in [(row["kind"], row["client_ip"]) for row in rows(services.database, audit)]
    assert confirm_by_code(services, Code(code, handle), CLIENT) == CodeRefused(0)


def test_five_wrong_codes_end_the_code_and_not_the_link(services: Services, arrived: Deliver, handle: str) -> None:
    """Each wrong code is counted; after the fifth the right one is refused, and the link confirms."""
    [message] = arrived()
    code = code_in(text_of(message))
    left = [confirm_by_code(services, Code(wrong(code), handle)) for _ in range(CODE_ATTEMPTS + 1)]
    assert left == [CodeRefused(number) for number in (4, 3, 2, 1, 0, 0)]
    assert confirm_by_code(services, Code(code, handle)) == CodeRefused(0)
    assert isinstance(confirm(services, key_in(message, "register/confirm")), Confirmed)


def test_a_code_alone_is_worth_nothing(services: Services, arrived: Deliver, handle: str) -> None:
    """The right code is refused with the handle of another sign-up, and with what is no handle of ours."""
    [message] = arrived()
    code = code_in(text_of(message))
    assert confirm_by_code(services, Code(code, handle_of_sign_up(services, email="eve@example.org"))) == CodeRefused(4)
    assert confirm_by_code(services, Code(code, "A" * LENGTH)) == CodeRefused(0)
    assert isinstance(confirm_by_code(services, Code(code, handle)), Confirmed)


def test_a_new_mail_has_a_new_code_for_the_same_handle(
    services: Services, clock: Clock, arrived: Deliver, handle: str
) -> None:
    """A resend ends the code before and its wrong tries; the new code confirms with the handle of the sign-up."""
    [first] = arrived()
    old = code_in(text_of(first))
    for _ in range(CODE_ATTEMPTS):
        confirm_by_code(services, Code(wrong(old), handle))
    clock.move(MINUTE)
    resend_confirmation(services, ADA, CLIENT)
    [second] = arrived()
    new = code_in(text_of(second))
    assert new != old
    assert confirm_by_code(services, Code(old, handle)) == CodeRefused(4)
    assert isinstance(confirm_by_code(services, Code(new, handle)), Confirmed)


def test_a_mail_that_waits_loses_a_code_that_was_replaced(
    services: Services, clock: Clock, arrived: Deliver, handle: str
) -> None:
    """Of two mails that leave together only the newer one has a code, and both links work."""
    clock.move(MINUTE)
    resend_confirmation(services, ADA, CLIENT)
    texts = [text_of(message) for message in arrived()]
    [code] = [code for text in texts for code in re.findall(r"^\d{6}$", text, re.MULTILINE)]
    assert isinstance(confirm_by_code(services, Code(code, handle)), Confirmed)


def test_a_code_expires_with_its_link(services: Services, clock: Clock, arrived: Deliver, handle: str) -> None:
    """After the time of the link the code is refused."""
    code = code_in(text_of(arrived()[0]))
    clock.move(DAY)
    assert confirm_by_code(services, Code(code, handle)) == CodeRefused(0)


def test_an_erased_account_is_not_confirmed(services: Services, clock: Clock, arrived: Deliver, handle: str) -> None:
    """The right code of a row that is emptied, as a decoy is, counts as a wrong one."""
    code = code_in(text_of(arrived()[0]))
    emptied = update(customer).values(anonymized_at=clock())
    services.database.write(lambda connection: connection.execute(emptied))
    assert confirm_by_code(services, Code(code, handle)) == CodeRefused(4)


@pytest.mark.parametrize("with_code", [True, False])
def test_mails_have_a_code_where_it_is_of_use(
    services: Services, clock: Clock, arrived: Deliver, with_code: bool
) -> None:
    """A client that gets no handle has mails without codes, also after a resend, and so has the setting `off`."""
    services = services if with_code else replace(services, codes=False)
    sign_up(services, replace(request(), with_code=False))
    clock.move(MINUTE)
    resend_confirmation(services, ADA, CLIENT)
    sign_up(services, replace(request(email="eve@example.org"), with_code=with_code))
    texts = [text_of(message) for message in arrived()]
    assert len(re.findall(r"^\d{6}$", "\n".join(texts), re.MULTILINE)) == int(with_code)


def test_the_database_keeps_a_digest_under_the_secret(services: Services, arrived: Deliver, handle: str) -> None:
    """No row has the code or the handle, only 64 hex characters that depend on the secret."""
    code = code_in(text_of(arrived()[0]))
    [row] = rows(services.database, confirmation_token)
    assert re.fullmatch("[0-9a-f]{64}", row["code"])
    assert code not in repr(row)
    assert handle not in repr(row)


@pytest.mark.parametrize("conceal", [True, False])
def test_a_replay_has_the_handle_of_the_first_use(services: Services, clock: Clock, conceal: bool) -> None:
    """The same idempotency key is answered the same handle, also where it is that of a decoy."""
    services = replace(services, conceal=conceal)
    if conceal:
        confirmed(services)
    form = request(email=ADA, idempotencyKey="idempotency-key-1")
    first = sign_up(services, form)
    clock.move(MINUTE)
    assert sign_up(services, form) == first
    assert isinstance(first, SignUpAccepted if conceal else Registered)


def test_a_decoy_counts_wrong_codes_like_an_account(services: Services) -> None:
    """In conceal mode the handle of a known address answers wrong codes as that of a new one does."""
    services = replace(services, conceal=True)
    confirmed(services)
    known, new = handle_of_sign_up(services, email=ADA), handle_of_sign_up(services, email="new@example.org")
    for given in (known, new):
        left = [confirm_by_code(services, Code("x", given)) for _ in range(CODE_ATTEMPTS + 1)]
        assert left == [CodeRefused(number) for number in (4, 3, 2, 1, 0, 0)]


@pytest.mark.parametrize(
    ("raw", "missing"),
    [({}, "token"), ({"code": "123456"}, "handle"), ({"handle": "x"}, "code"), ({"token": "x", "code": "1"}, "handle")],
)
def test_an_incomplete_proof_is_named(services: Services, raw: dict[str, object], missing: str) -> None:
    """A code without a handle, a handle without a code, and nothing at all are told what is missing."""
    outcome = confirm_by_proof(services, raw)
    assert isinstance(outcome, Invalid)
    assert [(found.attribute, found.code) for found in outcome.violations] == [(missing, ViolationCode.MISSING)]


def test_a_code_may_be_typed_with_spaces(services: Services, arrived: Deliver, handle: str) -> None:
    """Spaces in a code do not count."""
    code = code_in(text_of(arrived()[0]))
    outcome = confirm_by_proof(services, {"code": f" {code[:3]} {code[3:]}\n", "handle": handle})
    assert isinstance(outcome, Confirmed)


@pytest.mark.parametrize("in_subject", [True, False])
def test_the_subject_can_begin_with_the_code(services: Services, handle: str, in_subject: bool) -> None:
    """Where the setting says so, the subject of the mail begins with the code; without a code it does not."""
    composer = Composer(services.secret, "https://shop.example", Address("", "a", "b.example"), in_subject)

    def composed(connection: Connection) -> EmailMessage:
        [job] = outbox.claim(connection, connection.scalars(select(mail.c.id)).all(), services.clock())
        message = composer.compose(job, look_up(connection, [job])[job.id], services.clock())
        assert isinstance(message, Message)
        return parsed(message)

    message = services.database.write(composed)
    code = code_in(text_of(message))
    subject = "Please confirm your e-mail address"
    assert message["Subject"] == (f"{code}: {subject}" if in_subject else subject)
