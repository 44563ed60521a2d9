"""Bare ASGI applications for the tests of the test clients."""

import json
from typing import Any

from portico.asgi import Receive, Scope, Send


async def respond(send: Send, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
    """Answer the request."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read(receive: Receive) -> list[bytes]:
    """Return the chunks of the request's body as they came."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return chunks
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return chunks


async def describe(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what is in the scope, as JSON; bytes as text."""

    def shown(value: object) -> object:
        return value.decode("latin-1") if isinstance(value, bytes) else repr(value)

    await respond(send, json.dumps(dict(scope), default=shown).encode())


async def run_lifespan(receive: Receive, send: Send) -> None:
    """Answer a lifespan."""
    for stage in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{stage}"
        await send({"type": f"lifespan.{stage}.complete"})
