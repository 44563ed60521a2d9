"""The site as a plain ASGI application: what a framework's share of a request is measured against."""

import json
from typing import Any

from bench.sites import FILES, MESSAGE, TEXT

START = {"type": "http.response.start", "status": 200}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise AssertionError("no lifespan here")
    path = scope["path"]
    kind = b"application/json"
    if path == "/":
        kind, body = b"text/plain; charset=utf-8", TEXT.encode()
    elif path == "/json":
        body = json.dumps(MESSAGE).encode()
    elif path.startswith("/items/"):
        body = json.dumps({"id": int(path[7:])}).encode()
    else:
        kind, body = b"application/octet-stream", (FILES / path[7:]).read_bytes()
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", kind)]
    await send({**START, "headers": headers})
    await send({"type": "http.response.body", "body": body})
