"""The mailbox of all customers: reads the letters that gateways write as files, and takes them away."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from tests.histories.checker.operation import Kind, Operation

LINK = re.compile(rb"/(register/confirm|password/restore|register/confirm-email)\?token=([0-9a-f]{32})")
RECIPIENT = re.compile(rb"^To: (\S+)\r?$", re.MULTILINE)
GREETING = re.compile(rb"^Hello (\S+) ", re.MULTILINE)
USES = {
    b"register/confirm": Kind.CONFIRM,
    b"password/restore": Kind.RESET,
    b"register/confirm-email": Kind.CONFIRM_EMAIL,
}


class Mailbox:
    """`arrived` has the ids of all mails that were ever read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.arrived: set[str] = set()

    def collect(self) -> Iterator[Operation]:
        """The letters with a link that have come since the last call; one mail can come twice."""
        for path in self._directory.glob("*.eml"):
            content = path.read_bytes()
            path.unlink()
            self.arrived.add(path.stem)
            if letter := _read(content):
                yield letter


def _read(content: bytes) -> Operation | None:
    link, recipient, greeting = LINK.search(content), RECIPIENT.search(content), GREETING.search(content)
    if not link or not recipient or not greeting:
        return None
    facts = {"key": link[2], "email": recipient[1], "name": greeting[1]}
    given = {name: fact.decode() for name, fact in facts.items()} | {"use": USES[link[1]].value}
    now = time.monotonic()
    return Operation(Kind.LETTER, given, now, now)
