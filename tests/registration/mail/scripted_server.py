"""A mail server that answers as a script says."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from socket import create_server, socket
from threading import Event, Thread
from typing import BinaryIO, ClassVar, Self

from harness.ports import HOST
from tests.waiting import PATIENCE

Reply = str | Event | None
Replies = Mapping[str, Reply | Sequence[Reply]]
OneScript = dict[str, Reply | list[Reply]]


class Script:
    """A scripted server: each connection follows the next of the scripts, and the last one from then on.

    A script has a reply for each verb, or a list with one for each time it comes; GREET greets, "." ends the content.
    At None the server hangs up; where there is an event, it waits for that, and then goes on politely.
    """

    POLITE: ClassVar[dict[str, str]] = {
        "GREET": "220 hello",
        "EHLO": "250 hello",
        "MAIL": "250 ok",
        "RCPT": "250 ok",
        "DATA": "354 go on",
        ".": "250 kept",
        "RSET": "250 ok",
        "QUIT": "221 bye",
    }

    def __init__(self, *scripts: Replies) -> None:
        self.scripts: list[OneScript] = [{**self.POLITE, **_copied(script)} for script in scripts]
        self.connections = 0
        self.heard: list[str] = []  # every command
        self.contents: list[bytes] = []  # every mail that came as a whole
        self.answered = 0  # of those
        self.waiting = Event()  # set when the server waits for an event

    def __enter__(self) -> Self:
        self._socket = create_server((HOST, 0))
        self.url = f"smtp://{HOST}:{self._socket.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scripts.clear()
        with socket() as last:
            last.connect(self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if not self.scripts:
                    return
                self.connections += 1
                self._follow(self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0], connection)

    def _follow(self, script: OneScript, connection: socket) -> None:
        verb = "GREET"
        with connection.makefile("rb") as lines, suppress(ConnectionError):  # a client may hang up, too
            while reply := self._reply(script, verb):
                connection.sendall(f"{reply}\r\n".encode())
                self.answered += verb == "."
                if verb == "QUIT" or reply.startswith("421"):
                    return
                if reply.startswith("354"):
                    self.contents += _content(lines)
                    verb = "."
                else:
                    line = lines.readline().decode().rstrip("\r\n")
                    self.heard.append(line)
                    verb = line[:4].strip().upper()

    def _reply(self, script: OneScript, verb: str) -> str | None:
        found = script.get(verb)
        reply = found.pop(0) if isinstance(found, list) else found
        if isinstance(reply, Event):
            self.waiting.set()
            reply.wait(PATIENCE)
            return self.POLITE[verb]
        return reply


def _copied(script: Replies) -> OneScript:
    """With lists of its own, which are used up."""
    return {
        verb: list(reply) if isinstance(reply, Sequence) and not isinstance(reply, str) else reply
        for verb, reply in script.items()
    }


def _content(lines: BinaryIO) -> list[bytes]:
    """The content that is sent now; nothing where the connection ends before it does."""
    read: list[bytes] = []
    while line := lines.readline():
        if line == b".\r\n":
            return [b"".join(read)]
        read.append(line)
    return []
