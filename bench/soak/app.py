"""The application that is soaked: an answer for each kind of load."""

import asyncio
from typing import Any
from zlib import crc32

PIECE = b"p" * 4096
PIECES = 20
LARGE = b"l" * (2 << 20)


class Deliberate(Exception):
    """What the application fails with where it is asked to."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo_messages(receive, send)
    else:
        await PATHS.get(scope["path"], missing)(receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def echo_messages(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


async def plaintext(receive: Any, send: Any) -> None:
    await reply(send, 200, b"Hello, world!")


async def checksum(receive: Any, send: Any) -> None:
    size, check, more = 0, 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        body = event.get("body", b"")
        size, check, more = size + len(body), crc32(body, check), event.get("more_body", False)
    await reply(send, 200, b"%d %d" % (size, check))


async def stream(receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await asyncio.sleep(0.002)
    await send({"type": "http.response.body", "body": b""})


async def large(receive: Any, send: Any) -> None:
    await reply(send, 200, LARGE)


async def hold(receive: Any, send: Any) -> None:
    """Send a piece, and the rest never: the client leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


async def fail(receive: Any, send: Any) -> None:
    raise Deliberate("as it was asked to")


async def missing(receive: Any, send: Any) -> None:
    await reply(send, 404, b"there is no such thing")


async def reply(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


PATHS = {
    "/": plaintext,
    "/checksum": checksum,
    "/stream": stream,
    "/large": large,
    "/hold": hold,
    "/fail": fail,
}
