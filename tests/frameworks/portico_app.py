"""An application of `portico.web` that does what depends on a server: streams, disconnects, files, WebSockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

from portico.web.applications import Application
from portico.web.background import BackgroundTask
from portico.web.exceptions import HTTPException
from portico.web.middleware import Middleware
from portico.web.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from portico.web.middleware.gzip import GZipMiddleware
from portico.web.requests import ClientDisconnect, Request
from portico.web.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from portico.web.routing import Mount, Route, WebSocketRoute
from portico.web.staticfiles import StaticFiles
from portico.web.websockets import WebSocket, WebSocketDisconnect

HERE = Path(__file__).parent


class State(TypedDict):
    done: list[str]


class Seen(BaseHTTPMiddleware):
    """Middleware that sees requests and responses as objects."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-middleware"] = "seen"
        return response


@asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[State]:
    print("startup", flush=True)
    yield {"done": []}
    print("shutdown", flush=True)


async def user(request: Request) -> Response:
    return JSONResponse({"id": request.path_params["id"], "query": dict(request.query_params)})


def sync(request: Request) -> Response:
    return PlainTextResponse(request.method)


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def later(request: Request) -> Response:
    def work(what: str) -> None:
        request.state.done.append(what)
        print(f"done in the background: {what}", flush=True)

    return PlainTextResponse("accepted", 202, background=BackgroundTask(work, request.query_params["what"]))


async def done(request: Request) -> Response:
    return JSONResponse(request.state.done)


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.stream():
            yield piece.upper()

    return StreamingResponse(pieces(), media_type="text/plain")


async def endless(request: Request) -> Response:
    async def ticks() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.01)
        finally:
            print("the endless stream has ended", flush=True)

    return StreamingResponse(ticks(), media_type="text/event-stream")


async def patient(request: Request) -> Response:
    print("waiting for the client to leave", flush=True)
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    print("the client has left", flush=True)
    return PlainTextResponse("nobody reads this")


async def hungry(request: Request) -> Response:
    try:
        async for _ in request.stream():
            print("a piece has come", flush=True)
    except ClientDisconnect:
        print("the client left in the middle of its body", flush=True)
        raise
    return PlainTextResponse("all of it")


async def offered(request: Request) -> Response:
    return JSONResponse(sorted(request.scope.get("extensions") or {}))


async def file(request: Request) -> Response:
    return FileResponse(__file__, filename="app.py")


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"x-pot": "tea"})


async def crash(request: Request) -> Response:
    raise RuntimeError("an endpoint that fails")


async def crash_late(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a good start"
        raise RuntimeError("a stream that fails")

    return StreamingResponse(pieces())


async def talk(websocket: WebSocket) -> None:
    """Echo in the first subprotocol that is offered, until the client leaves."""
    await websocket.accept(subprotocol=next(iter(websocket["subprotocols"]), None), headers=[(b"x-room", b"1")])
    try:
        while True:
            message = await websocket.receive_json()
            await websocket.send_json({"id": websocket.path_params["id"], "heard": message})
    except WebSocketDisconnect as left:
        print(f"left with {left.code} {left.reason!r}", flush=True)


async def closing(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001, "enough")


app = Application(
    routes=[
        Route("/users/{id:int}", user),
        Route("/sync", sync, methods=["GET", "POST"]),
        Route("/echo", echo, methods=["POST", "PUT"]),
        Route("/later", later, methods=["POST"]),
        Route("/done", done),
        Route("/stream", stream, methods=["POST"]),
        Route("/endless", endless),
        Route("/patient", patient),
        Route("/hungry", hungry, methods=["POST"]),
        Route("/offered", offered),
        Route("/file", file),
        Route("/teapot", teapot),
        Route("/crash", crash),
        Route("/crash-late", crash_late),
        WebSocketRoute("/talk/{id:int}", talk),
        WebSocketRoute("/closing", closing),
        Mount("/static", StaticFiles(directory=HERE)),
    ],
    middleware=[Middleware(Seen), Middleware(GZipMiddleware, minimum_size=5_000)],
    lifespan=lifespan,
)
