"""The mixed load: clients of every kind, each with a pause between two things that it does.

What is counted as failed is what a user would have noticed: no answer, half of one, or another than was expected.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from zlib import crc32

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bench.soak.app import LARGE, PIECE, PIECES
from bench.soak.connection import Answer, Connection, Wrong

PATIENCE_S = 30
GET = b"GET %s HTTP/1.1\r\nHost: soak\r\n\r\n"
CLOSING = b"GET %s HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
BODY = bytes(range(256)) * 256
POST = b"POST /checksum HTTP/1.1\r\nHost: soak\r\nContent-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"POST /checksum HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
GOING_AWAY, SERVICE_RESTART = 1001, 1012
MESSAGES = 25
turn = count()


@dataclass(frozen=True, slots=True)
class Failure:
    moment: float
    """Of the monotonic clock."""
    text: str


@dataclass(slots=True)
class Load:
    """What the clients have seen."""

    port: int
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[Failure] = field(default_factory=list)
    going_away: int = 0
    """WebSockets that the server closed since their worker was replaced."""
    stopping: bool = False

    async def run(self) -> None:
        """Load the server until `stopping`; what is under way then is finished."""
        async with asyncio.TaskGroup() as group:
            for name, (act, clients, pause_s) in KINDS.items():
                for _ in range(clients):
                    group.create_task(self._client(name, act, pause_s))

    async def _client(self, name: str, act: "Act", pause_s: float) -> None:
        connection = Connection(self.port, receive_buffer=8192 if name == "slow reader" else None)
        while not self.stopping:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await act(connection)
                self.answered[name] += 1
            except ConnectionClosed as error:
                if error.rcvd is None or error.rcvd.code not in (GOING_AWAY, SERVICE_RESTART):
                    self._fail(name, error)
                else:
                    self.going_away += 1
            except (OSError, EOFError, TimeoutError, WebSocketException, Wrong) as error:
                self._fail(name, error)
                connection.abort()
            await asyncio.sleep(pause_s)
        connection.abort()

    def _fail(self, name: str, error: Exception) -> None:
        self.failed.append(Failure(time.monotonic(), f"{name}: {type(error).__name__}: {error}"))


def expect(answer: Answer, status: int, body: bytes | None = None) -> None:
    if answer.status != status or (body is not None and answer.body != body):
        raise Wrong(f"{answer.status} with {len(answer.body)} bytes: {answer.body[:100]!r}")


async def keep_alive(connection: Connection) -> None:
    expect(await connection.ask(GET % b"/"), 200, b"Hello, world!")


async def close(connection: Connection) -> None:
    answer = await connection.ask(CLOSING % b"/")
    expect(answer, 200, b"Hello, world!")
    if not answer.closes:
        raise Wrong("the connection is not said to be closed")


async def post(connection: Connection) -> None:
    expect(await connection.ask(POST, BODY), 200, b"%d %d" % (len(BODY), crc32(BODY)))
    sent = await connection.ask(CHUNKED, CHUNK, CHUNK, b"0\r\n\r\n")
    expect(sent, 200, b"%d %d" % (2 * len(BODY), crc32(BODY + BODY)))


async def stream(connection: Connection) -> None:
    expect(await connection.ask(GET % b"/stream"), 200, PIECE * PIECES)


async def slow_reader(connection: Connection) -> None:
    expect(await connection.ask(GET % b"/large", pause_s=0.02), 200, LARGE)


async def websocket(connection: Connection) -> None:
    async with connect(f"ws://127.0.0.1:{connection.port}/", proxy=None, open_timeout=PATIENCE_S) as session:
        for number in range(MESSAGES):
            text = f"{number} " * (1 + number * 20)
            await session.send(text)
            if await session.recv() != text:
                raise Wrong("another message than was sent")
            await asyncio.sleep(0.01)


async def error(connection: Connection) -> None:
    expect(await connection.ask(GET % b"/missing"), 404)
    expect(await connection.ask(GET % b"/fail"), 500)
    connection.abort()
    expect(await connection.ask(b"GET / HTTP/1.1\r\nHost: soak\r\nno field\r\n\r\n"), 400)


async def disconnect(connection: Connection) -> None:
    """Leave in the middle of a request's head, of its body, or of an answer."""
    which = next(turn) % 3
    await connection.send((POST[:20], POST + BODY[:1000], GET % b"/hold")[which])
    if which == 2:
        await connection.read_some()
    connection.abort()


Act = Callable[[Connection], Awaitable[None]]
KINDS: dict[str, tuple[Act, int, float]] = {
    "keep-alive": (keep_alive, 32, 0.02),
    "close": (close, 4, 0.02),
    "post": (post, 4, 0.05),
    "stream": (stream, 4, 0.05),
    "slow reader": (slow_reader, 4, 0.1),
    "websocket": (websocket, 4, 0.05),
    "error": (error, 2, 0.1),
    "disconnect": (disconnect, 2, 0.05),
}
"""What a client does, how many do it, and for how many seconds each pauses."""
