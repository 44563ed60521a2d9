"""`wsgi.input`: the body of the request as a file, read as it comes."""

import io
from collections.abc import Callable
from typing import Any

from portico.asgi import ClientDisconnected, Message

READ_AHEAD = 16384


class BodyCut(ClientDisconnected, ConnectionResetError):
    """The client has gone before the body of its request was read to the end."""


def open_input(environ: dict[str, Any], receive: Callable[[], Message]) -> io.BufferedIOBase:
    """Return a file of the body; `receive` waits for the next event and is not called where there can be no body."""
    length = environ.get("CONTENT_LENGTH")
    if length == "0" or (length is None and _is_bare(environ)):
        return io.BytesIO()
    return io.BufferedReader(_Body(receive), READ_AHEAD)


def _is_bare(environ: dict[str, Any]) -> bool:
    """Tell whether a request without Content-Length has no body (RFC 9112 §6.3); HTTP/2 needs neither field."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and "HTTP_TRANSFER_ENCODING" not in environ
        and environ["SERVER_PROTOCOL"].startswith("HTTP/1")
    )


class _Body(io.RawIOBase):
    """The body without a buffer: what has come and was not read yet is the rest of one event."""

    def __init__(self, receive: Callable[[], Message]) -> None:
        self._receive = receive
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._fill()
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def readall(self) -> bytes:
        parts = []
        while self._fill():
            parts.append(self._rest)
            self._rest = self._rest[:0]
        return b"".join(parts)

    def _fill(self) -> bool:
        """Wait until there is something to read; return False at the end of the body."""
        while not self._rest and not self._ended:
            event = self._receive()
            if event["type"] == "http.disconnect":
                raise BodyCut("the client has gone before the body of its request was read to the end")
            self._rest = memoryview(event.get("body", b""))
            self._ended = not event.get("more_body", False)
        return len(self._rest) > 0
