"""What the clients speak to: an application that echoes, sends or closes as it is told, and notes how each one ends."""

import asyncio
import functools
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec

from tests.live import Live, live, reply

from portico.asgi import Receive, Scope, Send

ANSWER_S = 20
P = ParamSpec("P")


class Echo:
    """Echoes; `send <n>` is answered with so many bytes, `close <code> <reason>` closes, `block <s>` blocks
    the loop, /denied is a 401."""

    def __init__(self) -> None:
        self.ends: queue.Queue[tuple[int, str]] = queue.Queue()
        self.lengths: list[int] = []
        self.blocking = threading.Event()

    def end(self) -> tuple[int, str]:
        """Return code and reason of the next WebSocket that has ended, as the application sees them."""
        return self.ends.get(timeout=ANSWER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] in ("http", "websocket"), "lifespan is not supported here"
        if scope["type"] == "http":
            await reply(send, b"plain")
            return
        await receive()
        if scope["path"] == "/denied":
            headers = [(b"x-why", b"because")]
            await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b"who are you?"})
            return
        await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.ends.put((message["code"], message["reason"]))
                return
            text = message.get("text")
            self.lengths.append(len(text if text is not None else message["bytes"]))
            word, _, rest = (text or "").partition(" ")
            if word == "send":
                await send({"type": "websocket.send", "bytes": b"x" * int(rest)})
            elif word == "block":
                self.blocking.set()
                time.sleep(float(rest))  # what no application should do, and some do
            elif word == "close":
                code, _, reason = rest.partition(" ")
                await send({"type": "websocket.close", "code": int(code), "reason": reason})
            else:
                await send({**message, "type": "websocket.send"})


@contextmanager
def echoing(**settings: Any) -> Iterator[tuple[Echo, Live]]:
    """Serve an `Echo`."""
    echo = Echo()
    with live(echo, **settings) as server:
        yield echo, server


def in_a_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an asynchronous test, which must not take longer than ANSWER_S."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def within() -> None:
            async with asyncio.timeout(ANSWER_S):
                await test(*args, **kwargs)

        asyncio.run(within())

    return run
