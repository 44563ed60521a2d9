"""The applications that every server of the bench runs."""

from typing import Any

LARGE = b"x" * 100_000
PIECE = b"y" * 1024
START = {"type": "http.response.start", "status": 200}


async def plaintext(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def large(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"application/octet-stream")]})
    await send({"type": "http.response.body", "body": LARGE})


async def stream(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"application/octet-stream")]})
    for _ in range(10):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def upload(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    more = True
    while more:
        event = await receive()
        size += len(event.get("body", b""))
        more = event.get("more_body", False)
    await send({**START, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(size).encode()})
