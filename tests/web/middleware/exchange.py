"""One request against an ASGI application, without a server and without the test client."""

import asyncio
import atexit
from collections.abc import Iterable
from typing import Any

from portico.asgi import ASGIApp, Message, Receive, Scope, Send

Fields = list[tuple[bytes, bytes]]

RUNNER = asyncio.Runner()  # one loop for all: making it costs more than most requests here
atexit.register(RUNNER.close)


class Answer:
    """The messages that an application sent."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages

    @property
    def status(self) -> int:
        return self._start["status"]

    @property
    def fields(self) -> Fields:
        return list(self._start.get("headers", ()))

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages if m["type"].endswith("http.response.body"))

    @property
    def _start(self) -> Message:
        return next(m for m in self.messages if m["type"].endswith("http.response.start"))

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.fields if key == name.encode()]

    def get(self, name: str) -> str | None:
        """The only value of a field; None where there is none."""
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))


def fields_of(headers: dict[str, str] | Fields) -> Fields:
    if isinstance(headers, list):
        return headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def make_scope(
    method: str = "GET", path: str = "/", headers: dict[str, str] | Fields | None = None, **more: Any
) -> Scope:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": fields_of(headers or {}),
        "client": ("192.0.2.1", 4711),
        "server": ("testserver", 80),
        "extensions": {},
        **more,
    }
    if scope["type"] == "websocket":
        del scope["method"]
    return scope


def ask(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | Fields | None = None,
    body: bytes | Iterable[bytes] = b"",
    scope: Scope | None = None,
    **more: Any,
) -> Answer:
    """Let the application answer one request, its body in the pieces that are given."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    return RUNNER.run(exchange(app, make_scope(method, path, headers, **more) if scope is None else scope, pieces))


async def exchange(app: ASGIApp, scope: Scope, pieces: list[bytes]) -> Answer:
    sent: list[Message] = []
    waiting = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Answer(sent)


def page(body: bytes | list[bytes] = b"page", headers: dict[str, str] | None = None, status: int = 200) -> ASGIApp:
    """An application with one answer; its messages are the same objects every time."""
    pieces = [body] if isinstance(body, bytes) else body
    start = {"type": "http.response.start", "status": status, "headers": tuple(fields_of(headers or {}))}
    bodies = [
        {"type": "http.response.body", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        for message in bodies:
            await send(message)

    return app


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body, read to its end."""
    body = b""
    more = True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
