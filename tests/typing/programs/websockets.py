"""WebSockets with the same injection, a room of connections, and the news of a client that has left."""

from typing import Annotated

from portico import (
    APIRouter,
    Cookie,
    Depends,
    Portico,
    Query,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
    status,
)
from portico.web.websockets import WebSocketState

app = Portico()
router = APIRouter(prefix="/rooms")


class Room:
    def __init__(self) -> None:
        self.members: list[WebSocket] = []

    async def join(self, websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="chat", headers=[(b"x-a", b"b")])
        self.members.append(websocket)

    def leave(self, websocket: WebSocket) -> None:
        self.members.remove(websocket)

    async def say(self, message: str) -> None:
        for member in self.members:
            if member.application_state is WebSocketState.CONNECTED:
                await member.send_text(message)


room = Room()


async def cookie_or_token(
    websocket: WebSocket, session: Annotated[str | None, Cookie()] = None, token: Annotated[str | None, Query()] = None
) -> str:
    if session is None and token is None:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION, reason=f"not {websocket.url.path}")
    return session or token or ""


@app.websocket("/items/{item_id}/ws", name="items", dependencies=[Depends(cookie_or_token)])
async def items(
    *, websocket: WebSocket, item_id: str, q: int | None = None, token: Annotated[str, Depends(cookie_or_token)]
) -> None:
    await websocket.accept()
    while True:
        data: str = await websocket.receive_text()
        await websocket.send_json({"item": item_id, "q": q, "token": token, "data": data})


@router.websocket("/{client_id}")
async def chat(websocket: WebSocket, client_id: int) -> None:
    await room.join(websocket)
    try:
        async for text in websocket.iter_text():
            await room.say(f"{client_id}: {text}")
        data = await websocket.receive_bytes()
        await websocket.send_bytes(data)
        await websocket.close(code=1000, reason="done")
    except WebSocketDisconnect as gone:
        room.leave(websocket)
        await room.say(f"{client_id} left with {gone.code}")


app.include_router(router)
