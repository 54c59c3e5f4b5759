"""A real SMTP server on a free loopback port that keeps the messages it receives."""

from collections import deque
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from harness.ports import HOST, free_port


class SmtpServer:
    """Keeps `messages` in order of arrival; while there are `answers`, the next message gets one and is not kept."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"smtp://{HOST}:{self.port}"
        self.messages: list[EmailMessage] = []
        self.answers: deque[str] = deque()
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._controller:
            self.stop()

    def start(self) -> None:
        self._controller = Controller(self, hostname=HOST, port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Close the port; `start` opens the same port again."""
        assert self._controller
        self._controller.stop()
        self._controller = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by aiosmtpd for each message."""
        if self.answers:
            return self.answers.popleft()
        assert envelope.original_content is not None
        self.messages.append(message_from_bytes(envelope.original_content, EmailMessage, policy=policy.SMTP))
        return "250 OK"
