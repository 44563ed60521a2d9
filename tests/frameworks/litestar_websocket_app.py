"""Litestar's WebSockets: listeners, a handler, a stream, channels, guards and its own close codes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from litestar import Litestar, WebSocket, get, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.dto import DataclassDTO
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect, WebSocketException
from litestar.handlers import BaseRouteHandler, WebsocketListener, websocket_listener, websocket_stream


@dataclass
class Point:
    x: int
    y: int


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.points = []
    yield


@websocket_listener("/upper")
async def upper(data: str) -> str:
    return data.upper()


@websocket_listener("/reversed", receive_mode="binary", send_mode="binary")
async def backwards(data: bytes) -> bytes:
    return data[::-1]


@websocket_listener("/points", dto=DataclassDTO[Point])
async def points(data: Point, state: State) -> list[Point]:
    state.points.append(Point(data.x, -data.y))
    return list(state.points)


class Greeter(WebsocketListener):
    path = "/greeter/{name:str}"

    async def on_accept(self, socket: WebSocket, name: str) -> None:
        await socket.send_text(f"hello {name}")

    async def on_disconnect(self, name: str) -> None:
        print(f"goodbye {name}", flush=True)

    async def on_receive(self, data: str, name: str) -> str:
        return f"{name}: {data}"


@websocket("/raw")
async def raw(socket: WebSocket) -> None:
    """A handler that does everything by itself, and tells how the WebSocket has ended."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocols=offered[-1] if offered else None, headers={"x-chosen": "the last"})
    try:
        while True:
            await socket.send_json({"got": await socket.receive_json()})
    except WebSocketDisconnect as gone:
        print(f"gone with {gone.code}", flush=True)


@websocket("/close/{code:int}")
async def close(socket: WebSocket, code: int) -> None:
    await socket.accept()
    await socket.close(code, "the handler's")


@websocket("/rude")
async def rude(socket: WebSocket) -> None:
    await socket.accept()
    raise WebSocketException(detail="no more of this", code=4001)


@websocket("/rude-at-once")
async def rude_at_once(socket: WebSocket) -> None:
    raise WebSocketException(detail="never seen by the client", code=4001)


@websocket("/crash")
async def crash(socket: WebSocket) -> None:
    await socket.accept()
    await socket.receive_text()
    raise RuntimeError("a handler that fails")


def refuse(connection: ASGIConnection, handler: BaseRouteHandler) -> None:
    if "authorization" not in connection.headers:
        raise NotAuthorizedException("not for you")


@websocket("/secret", guards=[refuse])
async def secret(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("the secret")
    await socket.close()


@websocket_stream("/count")
async def count() -> AsyncGenerator[int, None]:
    for number in range(30):
        yield number


@websocket_stream("/endless")
async def endless() -> AsyncGenerator[str, None]:
    try:
        while True:
            yield "tick"
            await asyncio.sleep(0.01)
    finally:
        print("the endless stream has ended", flush=True)


@get("/publish/{what:str}")
async def publish(what: str, channels: ChannelsPlugin) -> str:
    await channels.wait_published({"news": what}, "news")
    return what


app = Litestar(
    [
        upper,
        backwards,
        points,
        Greeter,
        raw,
        close,
        rude,
        rude_at_once,
        crash,
        secret,
        count,
        endless,
        publish,
    ],
    lifespan=[lifespan],
    plugins=[
        ChannelsPlugin(
            MemoryChannelsBackend(history=10),
            channels=["news"],
            create_ws_route_handlers=True,
            ws_handler_base_path="/channels",
            ws_handler_send_history=10,
        )
    ],
)
