"""Starlette's WebSockets: routes, an endpoint class, denials, closes, exceptions, state and middleware around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypedDict

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import WebSocketEndpoint
from starlette.exceptions import HTTPException, WebSocketException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect


class State(TypedDict):
    said: list[str]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    yield {"said": []}
    print("shutdown", flush=True)


def note(websocket: WebSocket, what: str) -> None:
    """Print what a test waits for, with the name that the test has given."""
    print(f"{websocket.query_params.get('who', 'somebody')}: {what}", flush=True)


class Stamp:
    """Middleware of the plain kind: adds a field to what opens a WebSocket, and counts what passes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[str] = []

        async def stamped(message: Message) -> None:
            sent.append(message["type"])
            if message["type"] == "websocket.accept":
                message["headers"] = [*message.get("headers", []), (b"x-stamp", b"plain")]
            await send(message)

        await self.app(scope, receive, stamped)
        if scope["type"] == "websocket" and scope["path"] == "/counted":
            print(f"sent: {' '.join(sent)}", flush=True)


class Timing(BaseHTTPMiddleware):
    """Middleware of the kind that is for requests only."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-middleware"] = "seen"
        return response


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
    note(websocket, "the loop has ended")


async def echo_bytes(websocket: WebSocket) -> None:
    await websocket.accept()
    async for data in websocket.iter_bytes():
        await websocket.send_bytes(data)


async def counted(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


class Calculator(WebSocketEndpoint):
    encoding = "json"

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_json({"sum": sum(data)})

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        note(websocket, f"left the calculator with {close_code}")


class TextOnly(WebSocketEndpoint):
    encoding = "text"

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        note(websocket, f"on_disconnect with {close_code}")


async def watch(websocket: WebSocket) -> None:
    """Tell how the WebSocket has ended."""
    await websocket.accept()
    try:
        while True:
            note(websocket, f"received {await websocket.receive_text()!r}")
    except WebSocketDisconnect as gone:
        note(websocket, f"gone with {gone.code} {gone.reason!r}")


async def endless(websocket: WebSocket) -> None:
    """Send for ever, and never receive."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.01)
    except WebSocketDisconnect as gone:
        note(websocket, f"sending has failed with {gone.code}")


async def both(websocket: WebSocket) -> None:
    """Send in one task while receiving in another."""
    await websocket.accept()

    async def count() -> None:
        number = 0
        while True:
            await websocket.send_json(number := number + 1)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        await websocket.receive_text()
    finally:
        counting.cancel()
        await asyncio.wait([counting])
    await websocket.close(4000, "enough")


async def unread(websocket: WebSocket) -> None:
    """Wait for a sign, leave some messages unread and return."""
    await websocket.accept()
    await websocket.receive_text()


async def impatient(websocket: WebSocket) -> None:
    """Give up waiting again and again, before 50 messages have come."""
    await websocket.accept()
    came: list[str] = []
    while len(came) < 50:
        with suppress(TimeoutError):
            came.append(await asyncio.wait_for(websocket.receive_text(), 0.001))
    await websocket.send_json(came)
    await websocket.close()


async def patient(websocket: WebSocket) -> None:
    """Receive in tasks, and look at each again and again until it has 50 messages."""
    await websocket.accept()
    came: list[str] = []
    while len(came) < 50:
        receiving = asyncio.create_task(websocket.receive_text())
        while not receiving.done():
            await asyncio.wait([receiving], timeout=0.001)
        came.append(receiving.result())
    await websocket.send_json(came)
    await websocket.close()


async def farewell(websocket: WebSocket) -> None:
    """Send much, and close at once."""
    await websocket.accept()
    for number in range(5):
        await websocket.send_bytes(bytes([number]) * 1_000_000)
    await websocket.close(4000, "that was all")


async def vanished(websocket: WebSocket) -> None:
    """Go on receiving after the end, as code does that does not look at what it has received."""
    await websocket.accept()
    await websocket.receive()
    try:
        await websocket.receive()
    except RuntimeError as error:
        note(websocket, str(error))


async def subprotocol(websocket: WebSocket) -> None:
    offered = websocket.scope["subprotocols"]
    await websocket.accept(subprotocol=offered[-1] if offered else None, headers=[(b"x-chosen", b"the last")])
    await websocket.send_json(offered)


async def invented(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="not.offered")


async def described(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(
        {
            "url": str(websocket.url),
            "room": websocket.path_params["room"],
            "query": dict(websocket.query_params),
            "cookies": websocket.cookies,
            "origin": websocket.headers.get("origin"),
            "client": websocket.client.host if websocket.client else None,
            "there": str(websocket.url_for("described", room="the-next")),
        }
    )


async def remember(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        websocket.state.said.append(text)
        await websocket.send_json(websocket.state.said)


async def said(request: Request) -> JSONResponse:
    return JSONResponse(request.state.said)


async def in_a_thread(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await run_in_threadpool(str.upper, await websocket.receive_text()))


# --- what is refused ----------------------------------------------------------------------------


async def deny(websocket: WebSocket) -> None:
    await websocket.send_denial_response(JSONResponse({"who": "are you?"}, 401, headers={"www-authenticate": "Basic"}))


async def deny_in_pieces(websocket: WebSocket) -> None:
    async def pieces() -> AsyncIterator[str]:
        for number in range(50):
            yield f"reason {number}\n"
            await asyncio.sleep(0)

    await websocket.send_denial_response(StreamingResponse(pieces(), 429, media_type="text/plain"))


async def deny_and_watch(websocket: WebSocket) -> None:
    await websocket.receive()
    await websocket.send_denial_response(PlainTextResponse("no", 403))
    note(websocket, f"then came {(await websocket.receive())['type']}")


async def refuse(websocket: WebSocket) -> None:
    await websocket.close(4003, "never seen by the client")
    note(websocket, "has refused")


async def teapot(websocket: WebSocket) -> None:
    raise HTTPException(418, "short and stout", headers={"x-pot": "tea"})


async def rude(websocket: WebSocket) -> None:
    raise WebSocketException(4001, "never seen by the client")


async def silent(websocket: WebSocket) -> None:
    pass


async def crash(websocket: WebSocket) -> None:
    raise RuntimeError("an endpoint that fails before it accepts")


# --- what is closed -----------------------------------------------------------------------------


async def close(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(int(websocket.query_params["code"]), websocket.query_params.get("reason"))


async def close_and_watch(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4002, "the application's")
    message = await websocket.receive()
    note(websocket, f"then came {message['type']} {message['code']} {message['reason']!r}")


async def close_twice(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()
    await websocket.close()


async def rude_later(websocket: WebSocket) -> None:
    await websocket.accept()
    raise WebSocketException(4001, "no more of this")


async def teapot_later(websocket: WebSocket) -> None:
    await websocket.accept()
    raise HTTPException(418, "short and stout")


async def crash_later(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive_text()
    raise RuntimeError("an endpoint that fails in the middle")


app = Starlette(
    routes=[
        Route("/said", said),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/echo-bytes", echo_bytes),
        WebSocketRoute("/counted", counted),
        WebSocketRoute("/calculator", Calculator),
        WebSocketRoute("/text-only", TextOnly),
        WebSocketRoute("/watch", watch),
        WebSocketRoute("/endless", endless),
        WebSocketRoute("/both", both),
        WebSocketRoute("/unread", unread),
        WebSocketRoute("/impatient", impatient),
        WebSocketRoute("/patient", patient),
        WebSocketRoute("/farewell", farewell),
        WebSocketRoute("/vanished", vanished),
        WebSocketRoute("/subprotocol", subprotocol),
        WebSocketRoute("/invented", invented),
        Mount("/rooms", routes=[WebSocketRoute("/{room}", described, name="described")]),
        WebSocketRoute("/remember", remember),
        WebSocketRoute("/in-a-thread", in_a_thread),
        WebSocketRoute("/deny", deny),
        WebSocketRoute("/deny-in-pieces", deny_in_pieces),
        WebSocketRoute("/deny-and-watch", deny_and_watch),
        WebSocketRoute("/refuse", refuse),
        WebSocketRoute("/teapot", teapot),
        WebSocketRoute("/rude", rude),
        WebSocketRoute("/silent", silent),
        WebSocketRoute("/crash", crash),
        WebSocketRoute("/close", close),
        WebSocketRoute("/close-and-watch", close_and_watch),
        WebSocketRoute("/close-twice", close_twice),
        WebSocketRoute("/rude-later", rude_later),
        WebSocketRoute("/teapot-later", teapot_later),
        WebSocketRoute("/crash-later", crash_later),
    ],
    middleware=[Middleware(Stamp), Middleware(Timing), Middleware(GZipMiddleware, minimum_size=5_000)],
    lifespan=lifespan,
)

# Middleware that answers in the application's place.
guarded = Starlette(
    routes=[WebSocketRoute("/echo", echo)],
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["shop.example"]), Middleware(HTTPSRedirectMiddleware)],
)
