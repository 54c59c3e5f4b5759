"""A mail server that takes every mail after a given time, in a process of its own, whose CPU is not measured.

`python -m benchmarks.mail_sink SECONDS` prints its port, and at each line that it reads what it has taken since the
last one, as JSON: a time by Message-ID.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.gateway import DIES_WITH_US
from harness.ports import HOST

MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]+)", re.IGNORECASE | re.MULTILINE)
END = b"\r\n.\r\n"
REPLIES = {b"EHLO": b"250-sink\r\n250 SMTPUTF8\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


class Sink:
    """The mail server at `url`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = f"smtp://{HOST}:{self._read()}"

    def taken(self) -> dict[str, float]:
        """The mails since the last call: the moment of the 250 in seconds (`time.time`), by mail id."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._read()))

    def _read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@contextmanager
def sink(seconds: float) -> Iterator[Sink]:
    """A mail server that takes so many seconds for a mail."""
    command = [*DIES_WITH_US, sys.executable, "-m", "benchmarks.mail_sink", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Sink(process)
        finally:
            process.terminate()


class Conversation(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, seconds: float, taken: dict[str, float]) -> None:
        self._seconds = seconds
        self._taken = taken
        self._received = b""
        self._is_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = END if self._is_content else b"\r\n"
        if not self._received.endswith(end):  # a client waits for each reply before it goes on
            return
        received, self._received = self._received, b""
        if self._is_content:
            asyncio.get_running_loop().call_later(self._seconds, self._take, received)
            self._is_content = False
            return
        verb = received[:4].upper()
        self._is_content = verb == b"DATA"
        self.transport.write(REPLIES.get(verb, b"250 ok\r\n"))
        if verb == b"QUIT":
            self.transport.close()

    def _take(self, content: bytes) -> None:
        found = MESSAGE_ID.search(content)
        self._taken[found[1].decode() if found else ""] = time.time()
        self.transport.write(b"250 kept\r\n")


async def serve(seconds: float) -> None:
    """Serve until standard input ends."""
    taken: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(seconds, taken), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        print(json.dumps(taken), flush=True)
        taken.clear()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
