"""A live server in a background thread, a blunt socket client, and a strict reader of HTTP/1.1 answers.

The suites speak bytes: what a test sends is written out in full, and whatever comes back must be
well-formed to the octet, or the reader raises `Malformed`. Synchronisation is by blocking reads only.
"""

import ast
import asyncio
import queue
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.server.config import Config
from portico.server.server import Server

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if find_spec("uvloop"):
    LOOPS["uvloop"] = import_module("uvloop").new_event_loop
FASTEST = list(LOOPS)[-1]
Pairs = tuple[tuple[bytes, bytes], ...]
Notes = queue.Queue[Any]
CLOSING = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


# --- the server ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Live:
    """A running server, seen from another thread."""

    port: int
    server: Server
    loop: asyncio.AbstractEventLoop


@contextmanager
def live(app: ASGIApp | Any, *, on: str = FASTEST, cells: memoryview | None = None, **settings: Any) -> Iterator[Live]:
    """Serve `app` from a background thread; leaving the block stops the server gracefully."""
    settings = {"port": 0, "access_log": False, "timeout_graceful_shutdown": 2.0} | settings
    started = threading.Event()
    running: list[Live] = []
    failures: list[BaseException] = []
    leave: list[asyncio.Event] = []

    async def serve() -> None:
        leave.append(asyncio.Event())
        async with Server(Config(app=app, **settings), cells=cells) as server:
            port = int(server.url.rsplit(":", 1)[1].rstrip("/")) if not settings.get("uds") else 0
            running.append(Live(port, server, asyncio.get_running_loop()))
            started.set()
            await leave[0].wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=LOOPS[on]) as runner:
                runner.run(serve())
        except BaseException as failure:
            failures.append(failure)
        finally:
            started.set()

    thread = threading.Thread(target=work, name="portico", daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        if running:
            yield running[0]
    finally:
        if running and thread.is_alive():
            running[0].loop.call_soon_threadsafe(leave[0].set)
        thread.join(15)
    assert not thread.is_alive(), "the server did not stop"
    if failures:
        raise failures[0]


# --- the client ---------------------------------------------------------------------------------


class Wire:
    """One client connection: bytes out, whole answers in."""

    def __init__(self, port: int, *, timeout: float = 5.0, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""
        self.at_end = False

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, data: bytes, pieces: Iterable[bytes] | None = None) -> None:
        """Send; a peer that has already closed is not an error: what it said is still to be read."""
        try:
            for piece in (data,) if pieces is None else pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def half_close(self) -> None:
        """Say that nothing more will be sent, and go on reading."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # the peer was faster
            pass

    def abort(self) -> None:
        """Vanish with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()

    def fill(self) -> bool:
        """Block for more bytes; False at the end of the stream. Raises TimeoutError."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.held += data
        self.at_end = not data
        return bool(data)

    def until(self, mark: bytes) -> bytes:
        """Return everything up to and including `mark`."""
        while mark not in self.held:
            assert self.fill(), f"closed before {mark!r}; got {self.held!r}"
        head, _, self.held = self.held.partition(mark)
        return head + mark

    def rest(self) -> bytes:
        """Return all bytes up to the end of the stream; raises TimeoutError if it does not end."""
        while self.fill():
            pass
        data, self.held = self.held, b""
        return data

    def answer(self, method: str = "GET") -> "Answer":
        """Block for the next answer (an interim one counts) and return it."""
        while True:
            parsed = parse(self.held, method, at_end=self.at_end)
            if parsed is not None:
                answer, self.held = parsed
                return answer
            self.fill()


def raw(
    port: int, data: bytes, *, pieces: Iterable[bytes] | None = None, half_close: bool = False, timeout: float = 5
) -> bytes:
    """Send `data` (or its `pieces`, one write each) and return what comes until the end or until `timeout`."""
    with Wire(port, timeout=timeout) as wire:
        wire.send(data, pieces)
        if half_close:
            wire.half_close()
        try:
            return wire.rest()
        except TimeoutError:
            return wire.held


def finished(port: int, data: bytes, *, pieces: Iterable[bytes] | None = None, timeout: float = 5) -> bytes:
    """As `raw`, but the server must close by itself: TimeoutError otherwise."""
    with Wire(port, timeout=timeout) as wire:
        wire.send(data, pieces)
        return wire.rest()


def one_by_one(data: bytes) -> list[bytes]:
    """Return the bytes of `data`, each by itself."""
    return [data[i : i + 1] for i in range(len(data))]


# --- the reader ---------------------------------------------------------------------------------


class Malformed(AssertionError):
    """The server sent octets that are not an HTTP/1.1 response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came; `complete` is False when the connection ended inside its body."""

    status: int
    headers: Pairs
    body: bytes
    trailers: Pairs = ()
    complete: bool = True
    chunked: bool = False

    def fields(self, name: bytes) -> list[bytes]:
        """Return the values of every field line called `name`."""
        return [value for key, value in self.headers if key.lower() == name]

    def field(self, name: bytes) -> bytes | None:
        """Return the value of the one field called `name`, or None."""
        values = self.fields(name)
        if len(values) > 1:
            raise Malformed(f"{name!r} came {len(values)} times")
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        """Tell whether the answer announces the end of its connection."""
        return b"close" in (self.field(b"connection") or b"").lower()


STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)\Z")
FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*"
    rb"((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\Z"
)
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\Z")


def answers(data: bytes, method: str | Sequence[str] = "GET", *, at_end: bool = True) -> list[Answer]:
    """Return every response in `data`; `method` names the requests' methods, in order (one: it is the same for all)."""
    found: list[Answer] = []
    final = 0
    while data:
        asked = method if isinstance(method, str) else method[min(final, len(method) - 1)]
        parsed = parse(data, asked, at_end=at_end)
        if parsed is None:
            raise Malformed(f"an unfinished head: {data!r}")
        answer, data = parsed
        found.append(answer)
        final += answer.status >= 200
    return found


def parse(data: bytes, method: str, *, at_end: bool) -> tuple[Answer, bytes] | None:
    """Return the first response in `data` and what follows it, or None while more bytes are needed."""
    head, mark, rest = data.partition(b"\r\n\r\n")
    if not mark:
        if at_end:
            raise Malformed(f"the stream ended in a head: {data!r}")
        return None
    first, *lines = head.split(b"\r\n")
    match = STATUS_LINE.match(first)
    if match is None:
        raise Malformed(f"status line {first!r}")
    status = int(match[1])
    headers = tuple(map(split_field, lines))
    answer = Answer(status, headers, b"")
    codings, length = answer.fields(b"transfer-encoding"), answer.field(b"content-length")
    if codings and length is not None:
        raise Malformed("both Content-Length and Transfer-Encoding")
    if (codings or length is not None) and (status < 200 or status == 204):
        raise Malformed(f"framing fields in a {status}")  # RFC 9110 §8.6, RFC 9112 §6.1
    if status < 200 or status in (204, 304) or method == "HEAD" or (method == "CONNECT" and status < 300):
        return answer, rest
    if codings:
        if codings != [b"chunked"]:
            raise Malformed(f"Transfer-Encoding {codings!r}")
        return read_chunks(status, headers, rest, at_end=at_end)
    if length is not None:
        if not re.fullmatch(rb"[0-9]+", length):
            raise Malformed(f"Content-Length {length!r}")
        size = int(length)
        if len(rest) < size and not at_end:
            return None
        return Answer(status, headers, rest[:size], complete=len(rest) >= size), rest[size:]
    return (Answer(status, headers, rest), b"") if at_end else None


def split_field(line: bytes) -> tuple[bytes, bytes]:
    """Return the name and the value of a field line."""
    match = FIELD_LINE.match(line)
    if match is None:
        raise Malformed(f"field line {line!r}")
    return match[1], match[2]


def read_chunks(status: int, headers: Pairs, data: bytes, *, at_end: bool) -> tuple[Answer, bytes] | None:
    """Decode a chunked body and its trailers."""
    body = b""
    while True:
        line, mark, rest = data.partition(b"\r\n")
        if not mark:
            break
        match = CHUNK_LINE.match(line)
        if match is None:
            raise Malformed(f"chunk size {line!r}")
        size = int(match[1], 16)
        if not size:
            section, mark, after = (b"\r\n" + rest).partition(b"\r\n\r\n")
            if not mark:
                break
            trailers = tuple(split_field(field) for field in section.split(b"\r\n") if field)
            return Answer(status, headers, body, trailers, chunked=True), after
        if len(rest) < size + 2:
            body += rest[:size]
            break
        if rest[size : size + 2] != b"\r\n":
            raise Malformed(f"{rest[size : size + 2]!r} after a chunk")
        body, data = body + rest[:size], rest[size + 2 :]
    return (Answer(status, headers, body, complete=False, chunked=True), b"") if at_end else None


# --- applications the suites share --------------------------------------------------------------


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole request body, or None when the client went away."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def reply(
    send: Send, body: bytes = b"ok", status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with one body message."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


class Echo:
    """Answers with what it saw (`seen` reads it back) and keeps the path of every request it was called for."""

    KEYS = ("method", "path", "raw_path", "query_string", "http_version", "scheme", "headers")

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "lifespan is not supported here"
        self.calls.append(scope["path"])
        body = await read_body(receive)
        if body is None:
            return
        view = {key: scope[key] for key in self.KEYS} | {"body": body}
        view["headers"] = [(bytes(name), bytes(value)) for name, value in view["headers"]]
        await reply(send, repr(view).encode())


def seen(answer: Answer) -> dict[str, Any]:
    """Return what `Echo` saw."""
    assert answer.status == 200, answer
    view: dict[str, Any] = ast.literal_eval(answer.body.decode())
    return view


def http_only(app: ASGIApp) -> ASGIApp:
    """Return `app` without lifespan support."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return wrapped


def noted(app: Callable[[Scope, Receive, Send, Notes], Awaitable[None]]) -> tuple[ASGIApp, Notes]:
    """Return `app` with a queue that carries what it notes, its failures included, to the test."""
    notes: Notes = queue.Queue()

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        try:
            await app(scope, receive, send, notes)
        except BaseException as failure:
            notes.put(failure)
            raise

    return wrapped, notes


def answer_of(app: ASGIApp, data: bytes = CLOSING, method: str = "GET", **settings: Any) -> Answer:
    """Return the only answer that `app` gives to `data`."""
    with live(http_only(app), **settings) as server:
        (answer,) = answers(finished(server.port, data), method)
    return answer
