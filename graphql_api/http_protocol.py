"""Uvicorn's HTTP protocol with a limit on addresses, which it refuses without a word; it changes nothing else."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# More than httptools can split. Refresh tokens of legacy clients, which stand in paths, have about 3,000 bytes.
ADDRESS_LIMIT = 65_535
TEXT = f"The address of the request is longer than {ADDRESS_LIMIT} bytes.".encode()
RESPONSE = (
    b"HTTP/1.1 414 URI Too Long\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n"
    b"\r\n%s" % (len(TEXT), TEXT)
)


class AddressTooLong(Exception):
    """Ends the parsing of a request."""


class HttpProtocol(HttpToolsProtocol):
    """What is too long is read to its end, so that the client gets to read the answer, but it is not kept."""

    url = b""

    def on_url(self, url: bytes) -> None:
        if not self._is_too_long():
            super().on_url(url)

    def on_headers_complete(self) -> None:
        if self._is_too_long():
            raise AddressTooLong
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._is_too_long():
            super().send_400_response(msg)
            return
        self.transport.write(RESPONSE)
        self.transport.close()

    def _is_too_long(self) -> bool:
        return len(self.url) > ADDRESS_LIMIT
