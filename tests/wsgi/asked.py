"""WSGI applications asked over a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.live import Answer, Live, Wire, live

PLAIN = [("Content-Type", "text/plain")]


def request(method: str = "GET", target: str = "/", fields: str = "", body: bytes = b"", version: str = "1.1") -> bytes:
    """Return a request; a body gets its length."""
    if body:
        fields += f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/{version}\r\nHost: shop.example:8000\r\n{fields}\r\n".encode() + body


@contextmanager
def asking(app: Any, **settings: Any) -> Iterator[Wire]:
    """Serve a WSGI application and connect to it."""
    with live(app, interface="wsgi", **settings) as server, Wire(server.port) as wire:
        yield wire


def ask(app: Any, data: bytes = b"", method: str = "GET", **settings: Any) -> Answer:
    """Return the application's answer to one request."""
    with asking(app, **settings) as wire:
        wire.send(data or request(method))
        return wire.answer(method)


def connect(server: Live) -> Wire:
    return Wire(server.port)
