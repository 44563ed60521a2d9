"""The applications that every server of the bench runs."""

from typing import Any

LARGE = b"x" * 100_000
MEGABYTE = b"z" * (1 << 20)
PIECE = b"y" * 1024
START = {"type": "http.response.start", "status": 200}


async def plaintext(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def large(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"application/octet-stream")]})
    await send({"type": "http.response.body", "body": LARGE})


async def megabyte(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"content-type", b"application/octet-stream")]})
    await send({"type": "http.response.body", "body": MEGABYTE})


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


async def websocket_echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await plaintext(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def websocket_length(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await plaintext(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(len(event["bytes"]))})
