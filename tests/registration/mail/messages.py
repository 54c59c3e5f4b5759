"""Messages as senders get them, and as mail programs read them."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from registration.mail.message import Message


def parsed(message: Message) -> EmailMessage:
    """The message as it arrives, read by the standard library."""
    return message_from_bytes(message.content, EmailMessage, policy=default)


def short_message(recipient: str = "ada@example.org") -> Message:
    """A message whose lines a server must not take for its end."""
    head = f"From: Shop <shop@example.org>\r\nTo: {recipient}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n"
    content = f"{head}The key is secret-key.\r\n.\r\n..\r\n.end\r\nThe end.\r\n"
    return Message("shop@example.org", recipient, content.encode())
