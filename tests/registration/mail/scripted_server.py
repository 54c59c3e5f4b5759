"""A mail server that answers as a script says."""

from collections.abc import Mapping
from contextlib import suppress
from socket import create_server, socket
from threading import Event, Thread
from typing import ClassVar, Self

from harness.ports import HOST
from tests.waiting import PATIENCE

Replies = Mapping[str, str | list[str | None] | Event | None]


class Script:
    """A scripted server: each connection follows the next of the scripts, and the last one from then on.

    A script has a reply for each verb, or a list with one for each time it comes; GREET greets, "." ends the content.
    At None the server hangs up; where there is an event, it waits for that, and then goes on politely.
    """

    POLITE: ClassVar[Replies] = {
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
        self.scripts = [{**self.POLITE, **script} for script in scripts]
        self.connections = 0
        self.heard: list[str] = []  # every command
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

    def _follow(self, script: Replies, connection: socket) -> None:
        verb = "GREET"
        with connection.makefile("rb") as lines, suppress(ConnectionError):  # a client may hang up, too
            while reply := self._reply(script, verb):
                connection.sendall(f"{reply}\r\n".encode())
                if verb == "QUIT" or reply.startswith("421"):
                    return
                if reply.startswith("354"):
                    while lines.readline() not in {b".\r\n", b""}:
                        pass
                    verb = "."
                else:
                    line = lines.readline().decode().rstrip("\r\n")
                    self.heard.append(line)
                    verb = line[:4].strip().upper()

    def _reply(self, script: Replies, verb: str) -> str | None:
        reply = script.get(verb)
        if isinstance(reply, Event):
            self.waiting.set()
            reply.wait(PATIENCE)
            return str(self.POLITE[verb])
        return reply.pop(0) if isinstance(reply, list) else reply
