"""A Starlette application: routes, lifespan state, background tasks, streams, files, exceptions, a disconnect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent


class State(TypedDict):
    done: list[str]


class Timing(BaseHTTPMiddleware):
    """Middleware of the kind that wraps `receive` and `send`."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-middleware"] = "seen"
        return response


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    print("startup", flush=True)
    yield {"done": []}
    print("shutdown", flush=True)


async def user(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"], "query": dict(request.query_params)})


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def later(request: Request) -> Response:
    def work(what: str) -> None:
        request.state.done.append(what)
        print(f"done in the background: {what}", flush=True)

    return PlainTextResponse("accepted", 202, background=BackgroundTask(work, request.query_params["what"]))


async def done(request: Request) -> JSONResponse:
    return JSONResponse(request.state.done)


async def stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.stream():
            yield piece.upper()

    return StreamingResponse(pieces(), media_type="text/plain")


async def endless(request: Request) -> StreamingResponse:
    async def ticks() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.01)
        finally:
            print("the endless stream has ended", flush=True)

    return StreamingResponse(ticks(), media_type="text/event-stream")


async def file(request: Request) -> FileResponse:
    return FileResponse(__file__, filename="app.py")


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"x-pot": "tea"})


async def crash(request: Request) -> Response:
    raise RuntimeError("an endpoint that fails")


async def crash_late(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a good start"
        raise RuntimeError("a stream that fails")

    return StreamingResponse(pieces())


app = Starlette(
    routes=[
        Route("/users/{id:int}", user),
        Route("/echo", echo, methods=["POST", "PUT"]),
        Route("/later", later, methods=["POST"]),
        Route("/done", done),
        Route("/stream", stream, methods=["POST"]),
        Route("/endless", endless),
        Route("/file", file),
        Route("/teapot", teapot),
        Route("/crash", crash),
        Mount("/static", StaticFiles(directory=HERE)),
    ],
    middleware=[Middleware(Timing), Middleware(GZipMiddleware, minimum_size=5_000)],
    lifespan=lifespan,
)

# Without middleware of the kind that ends a broken stream as if it were whole.
bare = Starlette(routes=[Route("/crash-late", crash_late)])
