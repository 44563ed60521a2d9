"""An application for suites that abuse a server: it counts its calls, and what it does hangs on the path.

/            answers with the body that it was sent
/wait        waits for the client to go
/deaf        waits for ever and listens to nobody
/late        answers once `go` is set, having read nothing
/fields      answers with 2000 bytes of fields that no table keeps
/bytes/N     answers with N bytes in pieces of 1000
/whole       answers with LARGE in one message
/endless     sends until that fails
"""

import asyncio
import gc
import queue
import tracemalloc
from collections.abc import Callable

from tests.live import read_body, reply

from portico.asgi import Receive, Scope, Send

PIECE = bytes(1000)
LARGE = bytes(20_000_000)


class Tally:
    """The application.

    Attributes:
        running: Calls that have not ended.
        most: The most calls that ran at a time.
        calls: All calls.
        sent: Bytes that `send` took and has not held back.
        ended: A line for each call that has ended: its path.
    """

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.calls = 0
        self.sent = 0
        self.ended: queue.Queue[str] = queue.Queue()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "lifespan is not supported here"
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.serve(scope["path"], receive, send)
        finally:
            self.running -= 1
            self.ended.put(scope["path"])

    async def serve(self, path: str, receive: Receive, send: Send) -> None:
        if path == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif path == "/deaf":
            await asyncio.Event().wait()
        elif path == "/late":
            await self.go.wait()
            await reply(send)
        elif path == "/fields":
            await reply(send, headers=[(b"set-cookie", b"%d=%s" % (self.calls, b"\xf1" * 2000))])
        elif path.startswith("/bytes/"):
            await self.stream(int(path[7:]), send)
        elif path == "/whole":
            await reply(send, LARGE)
        elif path == "/endless":
            await self.stream(1 << 60, send)
        else:
            body = await read_body(receive)
            if body is not None:
                await reply(send, body)

    async def stream(self, left: int, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while left:
            piece = PIECE[:left]
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": bool(left)})
            self.sent += len(piece)


def peak(work: Callable[[], None]) -> int:
    """Return how many bytes more than before were allocated at a time while `work` was running."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def growth(work: Callable[[], None], *, times: int = 5) -> int:
    """Return how many bytes are left by running `work` several times, after a first time."""
    work()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
