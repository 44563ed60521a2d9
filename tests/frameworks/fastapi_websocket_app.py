"""FastAPI's WebSockets: dependencies, typed parameters, exceptions before and after accepting, a room of members."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import (
    APIRouter,
    Cookie,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from pydantic import BaseModel

app = FastAPI()
router = APIRouter(prefix="/v1")


class Item(BaseModel):
    name: str
    price: float


class Room:
    """The connection manager of FastAPI's documentation."""

    def __init__(self) -> None:
        self.members: list[WebSocket] = []

    async def enter(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.members.append(websocket)

    async def tell(self, text: str) -> None:
        for member in self.members:
            await member.send_text(text)


room = Room()


async def user(
    token: Annotated[str | None, Query()] = None, session: Annotated[str | None, Cookie()] = None
) -> AsyncIterator[str]:
    """A dependency that refuses, and that is closed after the WebSocket."""
    name = token or session
    if name is None:
        raise WebSocketException(1008, "who are you?")
    yield name
    print(f"the dependency of {name} is closed", flush=True)


async def licence(x_licence: Annotated[str | None, Header()] = None) -> None:
    if x_licence is None:
        raise HTTPException(402, "buy one", headers={"x-price": "12"})


@app.websocket("/items/{number}")
async def items(
    websocket: WebSocket,
    number: int,
    name: Annotated[str, Depends(user)],
    q: Annotated[list[str] | None, Query()] = None,
    x_kind: Annotated[str, Header()] = "none",
) -> None:
    await websocket.accept()
    await websocket.send_json({"number": number, "name": name, "q": q, "kind": x_kind})
    async for text in websocket.iter_text():
        await websocket.send_text(f"{name}: {text}")


@app.websocket("/licensed", dependencies=[Depends(licence)])
async def licensed(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


@app.websocket("/strict")
async def strict(websocket: WebSocket) -> None:
    """Check what is received, and close with a code of its own."""
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        if not text.isdigit():
            raise WebSocketException(4400, f"{text!r} is not a number")
        await websocket.send_json(int(text) ** 2)


@router.websocket("/models")
async def models(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        item = Item.model_validate(await websocket.receive_json())
        await websocket.send_text(item.model_dump_json())


@app.websocket("/room/{name}")
async def member(websocket: WebSocket, name: str) -> None:
    await room.enter(websocket)
    try:
        while True:
            await room.tell(f"{name}: {await websocket.receive_text()}")
    except WebSocketDisconnect as gone:
        room.members.remove(websocket)
        await room.tell(f"{name} has left with {gone.code} {gone.reason!r}")


@app.get("/room")
async def population() -> int:
    return len(room.members)


app.include_router(router)
