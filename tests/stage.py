"""A served application that tells the test, through a queue, what it sees and how it fails."""

import asyncio
import queue
import socket
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.live import Live, live
from tests.websocket import Client
from websockets.sync.client import ClientConnection, connect

from portico.asgi import Message, Receive, Scope, Send

ANSWER_S = 10


class Notes(queue.Queue[Any]):
    """What an application notes; it may wait for `go`, which the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()


App = Callable[[Scope, Receive, Send, Notes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server and what its application notes."""

    server: Live
    notes: Notes

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self.server.port

    def note(self) -> Any:
        """Block for the next note."""
        return self.notes.get(timeout=ANSWER_S)

    def go(self) -> None:
        """Let the application go on that waits for it."""
        self.server.loop.call_soon_threadsafe(self.notes.go.set)


@contextmanager
def stage(app: App, **settings: Any) -> Iterator[Stage]:
    """Serve an application that gets a queue as its fourth argument; an exception it ends with is noted too."""
    notes = Notes()

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] != "lifespan", "lifespan is not supported here"
        try:
            await app(scope, receive, send, notes)
        except BaseException as failure:
            notes.put(failure)
            raise

    with live(wrapped, **settings) as server:
        yield Stage(server, notes)


def dial(port: int, path: str = "/", **options: Any) -> ClientConnection:
    """Return a WebSocket that the library `websockets` has opened; without a proxy from the environment."""
    return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **options)


def narrow() -> int:
    """Return the descriptor of a listening socket, of whose connections the kernel buffers little."""
    listener = socket.socket()
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, 16384)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener.detach()


@contextmanager
def peak() -> Iterator[Callable[[], int]]:
    """Yield what tells how many bytes Python's objects have taken at most since the block was entered."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def blocked_after(client: Client, data: bytes, most: int) -> int:
    """Send `data` again and again, until nothing is taken for half a second; return how many bytes were taken."""
    taken = 0
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)  # let the kernel hold little
    client.socket.settimeout(0.5)
    try:
        while taken < most:
            taken += client.socket.send(data[taken % len(data) :])
    except TimeoutError:
        pass
    client.socket.settimeout(5)
    return taken


def finish(client: Client, data: bytes, taken: int) -> int:
    """Send the rest of the last `data`; return how many there were."""
    client.send(data[taken % len(data) :] if taken % len(data) else b"")
    return -(-taken // len(data))


# --- applications the suites share --------------------------------------------------------------------


async def until(receive: Receive, kind: str) -> Message:
    """Return the next event of this type; others are dropped."""
    while (event := await receive())["type"] != kind:
        pass
    return event


async def idle(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Accept, and note how it ends."""
    await send({"type": "websocket.accept"})
    event = await until(receive, "websocket.disconnect")
    notes.put((event["code"], event["reason"]))
