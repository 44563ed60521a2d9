"""The application that real clients ask over HTTP/2 and TLS: it tells what it saw, and answers in every way."""

import asyncio
import hashlib
import json
from typing import Any
from urllib.parse import unquote

from portico.asgi import Receive, Scope, Send

PAGE = b"<!doctype html><title>a page</title><link rel='stylesheet' href='/bytes?9'><p>a page</p>"
PIECE = b"0123456789abcdef" * 64
TYPES = {"/page": b"text/html", "/bytes": b"application/octet-stream"}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] != "lifespan", "lifespan is not supported here"
    if scope["type"] == "websocket":
        await echo(scope, receive, send)
        return
    path, query = scope["path"], scope["query_string"].decode()
    if path == "/bytes":
        await answer(send, (PIECE * (int(query) // len(PIECE) + 1))[: int(query)], content_type=TYPES[path])
    elif path == "/page":
        await answer(send, PAGE, content_type=TYPES[path])
    elif path == "/echo":
        await give_back(scope, receive, send)
    elif path == "/pieces":
        await begin(send)
        for number in range(int(query)):
            await send({"type": "http.response.body", "body": b"piece %d\n" % number, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})
    elif path == "/trailers":
        await with_trailers(scope, send)
    elif path == "/hints":
        await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload; as=style"]})
        await answer(send, b"after the hints")
    elif path == "/fields":
        await answer(send, b"", headers=[(b"x-field-%d" % number, b"v" * 100) for number in range(int(query))])
    elif path == "/endless":
        await endless(receive, send)
    elif path == "/unread":
        await answer(send, b"not read", status=403)
    elif path == "/slow":
        print("slowly\n", end="", flush=True)
        await asyncio.sleep(0.5)
        await answer(send, b"slow")
    elif path == "/crash":
        raise RuntimeError("an application that fails")
    else:
        await answer(send, json.dumps(await seen(scope, receive)).encode(), content_type=b"application/json")


async def seen(scope: Scope, receive: Receive) -> dict[str, Any]:
    """Read the body, and return what the request was."""
    body = hashlib.sha256()
    size = 0
    more = True
    while more:
        event = await receive()
        body.update(event.get("body", b""))
        size += len(event.get("body", b""))
        more = event.get("more_body", False)
    tls = scope["extensions"].get("tls", {})
    return {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": unquote(scope["query_string"].decode()),
        "http_version": scope["http_version"],
        "scheme": scope["scheme"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "size": size,
        "sha256": body.hexdigest(),
        "tls": {name: tls.get(name) for name in ("tls_version", "cipher_suite", "client_cert_name")},
    }


async def begin(
    send: Send, *, status: int = 200, content_type: bytes = b"text/plain", headers: Any = (), trailers: bool = False
) -> None:
    fields = [(b"content-type", content_type), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields, "trailers": trailers})


async def answer(send: Send, body: bytes, **more: Any) -> None:
    await begin(send, headers=[*more.pop("headers", ()), (b"content-length", b"%d" % len(body))], **more)
    await send({"type": "http.response.body", "body": body})


async def give_back(scope: Scope, receive: Receive, send: Send) -> None:
    """Send the body back while it comes."""
    await begin(send, content_type=dict(scope["headers"]).get(b"content-type", b"text/plain"))
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event.get("more_body", False)
        await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})


async def with_trailers(scope: Scope, send: Send) -> None:
    assert "http.response.trailers" in scope["extensions"]
    await begin(send, headers=[(b"trailer", b"x-checksum")], trailers=True)
    await send({"type": "http.response.body", "body": b"with trailers"})
    await send({"type": "http.response.trailers", "headers": [(b"x-checksum", b"1234")]})


async def endless(receive: Receive, send: Send) -> None:
    """Send until the client has gone, and tell that."""
    await begin(send)
    gone = asyncio.create_task(until_gone(receive))
    try:
        while not gone.done():
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            await asyncio.sleep(0)
    finally:
        gone.cancel()
        print("the endless answer has ended\n", end="", flush=True)


async def until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Say first what the WebSocket came over, then everything back; `close <code> <reason>` closes."""
    await receive()
    if scope["path"] == "/denied":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    about = {"http_version": scope["http_version"], "scheme": scope["scheme"], "path": scope["path"]}
    await send({"type": "websocket.send", "text": json.dumps(about)})
    while (event := await receive())["type"] == "websocket.receive":
        word, _, rest = (event.get("text") or "").partition(" ")
        if word == "close":
            code, _, reason = rest.partition(" ")
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
        else:
            await send({**event, "type": "websocket.send"})
    print(f"a WebSocket has ended with {event['code']} {event['reason']}\n", end="", flush=True)
