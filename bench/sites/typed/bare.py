"""The typed site as a plain ASGI application, which trusts its clients."""

import json
from typing import Any
from urllib.parse import parse_qs

START = {"type": "http.response.start", "status": 200}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise AssertionError("no lifespan here")
    if scope["method"] == "POST":
        body = json.dumps(json.loads((await receive())["body"])).encode()
    else:
        query = parse_qs(scope["query_string"].decode())
        body = json.dumps({"id": int(scope["path"][7:]), "q": query["q"][0]}).encode()
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({**START, "headers": headers})
    await send({"type": "http.response.body", "body": body})
