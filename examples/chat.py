"""A chat room: a page at `/`, a WebSocket at `/chat?name=Ada`. What one member says, all of them hear.

Nobody waits for a slow reader: each member has a bounded queue of lines, and one who is too far behind is shown out.
"""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

from portico.asgi import Receive, Scope, Send

PAGE = Path(__file__).with_name("chat.html").read_bytes()
MAX_NAME, MAX_TEXT = 24, 2_000  # characters; the rest is cut off
MAX_BEHIND = 100  # lines

# Each member's lines yet to be sent, and the task that sends them. The room lives in this process: serve it with one.
room: dict[asyncio.Queue[str], asyncio.Task[None]] = {}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
    elif scope["type"] == "websocket":
        await receive()  # websocket.connect
        if scope["path"] == "/chat":
            await chat(scope, receive, send)
        else:
            await send({"type": "websocket.close"})  # before it is accepted: the client gets a 403
    else:
        page = (200, b"text/html; charset=utf-8", PAGE)
        status, media_type, body = page if scope["path"] == "/" else (404, b"text/plain", b"The chat is at /\n")
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", media_type)]})
        await send({"type": "http.response.body", "body": body})


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Be a member of the room until the client leaves, vanishes or is too slow."""
    name = parse_qs(scope["query_string"].decode("latin-1")).get("name", [""])[0]
    name = re.sub(r"[\s:*]+", " ", name)[:MAX_NAME].strip() or "somebody"
    await send({"type": "websocket.accept"})
    lines = asyncio.Queue[str](MAX_BEHIND)
    async with asyncio.TaskGroup() as tasks:
        listener = tasks.create_task(listen(name, receive))
        writer = room[lines] = tasks.create_task(write(lines, send))
        try:
            say(f"* {name} joined")
            await asyncio.wait((listener, writer), return_when=asyncio.FIRST_COMPLETED)
            too_slow = writer.cancelled()
        finally:
            del room[lines]
            say(f"* {name} left")
            listener.cancel()
            writer.cancel()
    if too_slow:
        await send({"type": "websocket.close", "code": 1008, "reason": "too slow"})


async def listen(name: str, receive: Receive) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        if text := message.get("text"):
            say(f"{name}: {text[:MAX_TEXT]}")
            await asyncio.sleep(0)  # a burst of messages must not outrun the writers


async def write(lines: asyncio.Queue[str], send: Send) -> None:
    with suppress(OSError):  # the client has vanished
        while True:
            await send({"type": "websocket.send", "text": await lines.get()})


def say(line: str) -> None:
    for lines, writer in room.items():
        try:
            lines.put_nowait(line)
        except asyncio.QueueFull:
            writer.cancel()
