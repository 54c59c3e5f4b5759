"""Four gateways and two relays whose mail server refuses, delays, hangs up and takes its time."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import update

from harness.gateway import Gateway
from harness.ports import HOST, free_port
from registration.mail.outbox import LEASE
from registration.storage.database import Database
from registration.storage.tables import customer, mail
from tests.conftest import Serve
from tests.faults.load import assert_all_stored, load
from tests.faults.test_killed_relay import relay
from tests.registration.mail.test_attempts import hang_up
from tests.registration.stored import rows
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

DEFERS, REFUSES, HANGS_UP, IS_SLOW, TAKES = range(5)
SLOW_MAILS, SLOW_SECONDS = 3, 30


def trouble_of(address: str) -> int:
    """What the server does with the mails to an address of `load`, which begins with a number."""
    return int(address.partition("@")[0]) % 5


class Troubled:
    """A handler of aiosmtpd; it defers and hangs up at the first mail to an address, and takes the second."""

    def __init__(self) -> None:
        self.offered: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.slow = self.slow_and_done = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.offered[address] += 1
        match trouble_of(address):
            case trouble if trouble == DEFERS and self.offered[address] == 1:
                return "451 4.2.1 later"
            case trouble if trouble == REFUSES:
                return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        [address] = envelope.rcpt_tos
        if trouble_of(address) == HANGS_UP and self.offered[address] == 1:
            hang_up(server)
            return ""
        if trouble_of(address) == IS_SLOW and self.slow < SLOW_MAILS:
            self.slow += 1
            await asyncio.sleep(SLOW_SECONDS)
            self.slow_and_done += 1
        self.kept[address] += 1
        return "250 OK"


@pytest.fixture
def server() -> Iterator[tuple[str, Troubled]]:
    """Its URL and its handler."""
    handler = Troubled()
    controller = Controller(handler, hostname=HOST, port=free_port())
    controller.start()
    yield f"smtp://{HOST}:{controller.port}", handler
    controller.stop()


def hasten(database: Database) -> None:
    """Let mails that failed wait no longer, but those that are under way again."""
    now = datetime.now(UTC)
    is_under_no_lease = (mail.c.attempts == 1) | (mail.c.due_at > now + LEASE + timedelta(seconds=1))
    failed = (mail.c.status == "waiting") & mail.c.reason.is_not(None) & is_under_no_lease
    database.write(lambda connection: connection.execute(update(mail).where(failed).values(due_at=now)).close())


def test_mails_have_their_ends(
    serve: Serve, database: Database, database_url: str, keys_directory: Path, server: tuple[str, Troubled]
) -> None:
    """Every sign-up is registered; its mail is kept once, or parked where the server refuses the mailbox."""
    url, handler = server
    settings = {"GATEWAY_DATABASE_URL": database_url, "GATEWAY_KEYS_DIR": str(keys_directory), "GATEWAY_RELAY": "off"}
    gateways: list[Gateway] = [serve(**settings) for _ in range(4)]
    with ExitStack() as relays:
        for _ in range(2):
            relays.enter_context(relay(database_url, keys_directory, url, connections=8))
        with load(gateways, clients=1) as clients:
            clients.wait_for_success(15)
        assert {each.answer.verdict if each.answer else None for each in clients.sign_ups} == {"registered"}
        assert_all_stored(database, clients.sign_ups)
        references = [row["reference"] for row in rows(database, customer)]
        assert len(set(references)) == len(references) == len(clients.sign_ups)

        def those_that_wait() -> int:
            hasten(database)
            return sum(row["status"] == "waiting" for row in rows(database, mail))

        # A relay whose server has hung up at three mails in a row gives it the next when the slow ones are done.
        eventually(lambda: those_that_wait() == 0 or handler.slow_and_done == SLOW_MAILS)
        eventually(lambda: those_that_wait() == 0)
    addresses = {each.address for each in clients.sign_ups}
    refused = {address for address in addresses if trouble_of(address) == REFUSES}
    assert handler.kept == dict.fromkeys(addresses - refused, 1)
    twice = {address for address in addresses if trouble_of(address) in {DEFERS, HANGS_UP}}
    assert handler.offered == {address: 2 if address in twice else 1 for address in addresses}
    assert handler.slow == SLOW_MAILS
    assert Counter(row["status"] for row in rows(database, mail)) == {
        "sent": len(addresses - refused),
        "parked": len(refused),
    }
