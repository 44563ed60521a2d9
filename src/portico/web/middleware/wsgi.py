"""WSGI applications (PEP 3333) in a thread each request, their bodies streamed both ways.

Each occupies a thread of the pool for as long as its client takes, so this is for what is left of an old program. Where
all of it is WSGI, a server should run it without ASGI in between.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from portico.asgi import Message, PorticoError, Receive, Scope, Send
from portico.web.concurrency import run_in_threadpool

T = TypeVar("T")
WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# As CGI variables these two would be taken for the process's proxy settings, and for another field's (`-` and `_`
# become one character there).
UNSAFE_NAME = b"proxy"
DASHES = str.maketrans("-", "_")


class WSGIProtocolError(PorticoError, RuntimeError):
    """The WSGI application did something that PEP 3333 forbids."""


def build_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request whose body is there as a whole."""
    root = _wsgi_text(scope.get("root_path", ""))
    path = _wsgi_text(scope["path"])
    if path == root or path.startswith(root.rstrip("/") + "/"):
        path = path[len(root) :]
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": 80 if port is None else port,  # a Unix socket has none
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stdout,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"] = scope["client"][0]
    for name, value in scope.get("headers", ()):
        if b"_" in name or name == UNSAFE_NAME:
            continue
        key = name.decode("latin-1").upper().translate(DASHES)
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = "HTTP_" + key
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _wsgi_text(text: str) -> str:
    """Return text as WSGI has it: bytes that look like latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


class WSGIMiddleware:
    """Run a WSGI application as an ASGI one: `Mount("/old", WSGIMiddleware(app))`.

    Args:
        app: The WSGI application.
    """

    def __init__(self, app: WSGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise WSGIProtocolError(f"a WSGI application handles HTTP requests, got a scope of type {scope['type']!r}")
        await WSGIResponder(self.app, scope)(receive, send)


class WSGIResponder:
    """One request of a WSGI application: it runs in a thread, what it sends and receives in the event loop.

    The thread waits for each message, so that no more than one of them is in memory.
    """

    def __init__(self, app: WSGIApp, scope: Scope) -> None:
        self.app = app
        self.scope = scope
        self.loop = asyncio.get_running_loop()
        self.start: Message | None = None
        self.started = False
        self.error: BaseException | None = None

    async def __call__(self, receive: Receive, send: Send) -> None:
        self.send = send
        environ = build_environ(self.scope, b"")
        environ["wsgi.input"] = io.BufferedReader(_Input(self, receive))
        # Nothing but the end of the stream says where a body without a length ends; it is safe to read up to there.
        environ["wsgi.input_terminated"] = True
        await run_in_threadpool(self.wsgi, environ, self.start_response)
        if self.error is not None:
            raise self.error

    def start_response(
        self, status: str, response_headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take the start of the response, which is sent with the first part of the body."""
        if exc_info is not None:
            self.error = exc_info[1].with_traceback(exc_info[2])
            if self.started:
                raise self.error
        elif self.start is not None:
            raise WSGIProtocolError("start_response() was called twice, and without exc_info")
        self.start = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                (name.strip().lower().encode("latin-1"), value.strip().encode("latin-1"))
                for name, value in response_headers
            ],
        }
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        self.begin()
        self.in_loop(_sent(self.send, {"type": "http.response.body", "body": data, "more_body": True}))

    def begin(self) -> None:
        """Send the start of the response, once."""
        if self.started:
            return
        if self.start is None:
            raise WSGIProtocolError("the WSGI application did not call start_response() before it gave the body")
        self.started = True
        self.in_loop(_sent(self.send, self.start))

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> None:
        """Call the application and send what it returns. Runs in the thread."""
        parts = self.app(environ, start_response)
        try:
            for part in parts:
                if part:
                    self.write(part)
            self.begin()
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        self.in_loop(_sent(self.send, {"type": "http.response.body", "body": b"", "more_body": False}))

    def in_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop and wait for it here in the thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()


async def _sent(send: Send, message: Message) -> None:
    await send(message)


async def _received(receive: Receive) -> Message:
    return await receive()


class _Input(io.RawIOBase):
    """The body as a file that is read as it comes."""

    def __init__(self, responder: WSGIResponder, receive: Receive) -> None:
        self.responder = responder
        self.receive = receive
        self.rest = memoryview(b"")
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest and not self.ended:
            message = self.responder.in_loop(_received(self.receive))
            if message["type"] == "http.disconnect":
                self.ended = True
                raise ConnectionResetError("the client has gone before its request was read to the end")
            self.rest = memoryview(message.get("body", b""))
            self.ended = not message.get("more_body", False)
        size = min(len(buffer), len(self.rest))
        buffer[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size
