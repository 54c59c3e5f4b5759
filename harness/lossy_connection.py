"""A TCP proxy that can drop the response to a COMMIT, as a network can that breaks at the worst moment."""

from contextlib import suppress
from socket import SHUT_RDWR, create_connection, create_server, socket
from threading import Event, Thread
from typing import Self

from harness.ports import HOST


class Proxy:
    """Forwards to a port of this machine; `lose_next_commit` breaks one connection after its COMMIT was forwarded."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = create_server((HOST, 0))
        self._armed = Event()
        self.lost = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(SHUT_RDWR)
        self._listener.close()

    def lose_next_commit(self) -> None:
        self._armed.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, client: socket) -> None:
        try:
            server = create_connection((HOST, self._target))
        except OSError:  # the target is down, and may come back
            client.close()
            return
        is_losing = Event()
        Thread(target=self._questions, args=(client, server, is_losing), daemon=True).start()
        Thread(target=self._answers, args=(server, client, is_losing), daemon=True).start()

    def _questions(self, client: socket, server: socket, is_losing: Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self._armed.is_set() and b"COMMIT\0" in data:
                    self._armed.clear()
                    is_losing.set()
                server.sendall(data)
        _close(server, client)

    def _answers(self, server: socket, client: socket, is_losing: Event) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and not is_losing.is_set():
                client.sendall(data)
        self.lost += is_losing.is_set()
        _close(server, client)


def _close(*sockets: socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(SHUT_RDWR)
        each.close()
