"""The API: notes are listed, read, added, edited and deleted, and news of them come by WebSocket or as events."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import Annotated, Any

from portico import APIRouter, Depends, Query, Request, Response, WebSocket, WebSocketDisconnect, status
from portico.web.sse import EventSourceResponse

from .dependencies import Number, OpenStore, SharedFeed, no_such_note, note_of_path, same_origin
from .live import Feed
from .models import NewNote, News, Note, NoteEdit
from .store import LARGEST_ID

router = APIRouter(prefix="/api")
notes = APIRouter(prefix="/notes", tags=["notes"])
NONE: dict[int | str, dict[str, Any]] = {status.HTTP_404_NOT_FOUND: {"description": "There is no such note"}}


@notes.get("")
async def list_notes(
    store: OpenStore,
    search: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> list[Note]:
    """The notes that have this text, those edited last first."""
    return await store.find(search=search, limit=limit, offset=offset)


@notes.post("", status_code=status.HTTP_201_CREATED)
async def add_note(new: NewNote, store: OpenStore, feed: SharedFeed, request: Request, response: Response) -> Note:
    note = await store.add(new)
    feed.saved(note)
    response.headers["location"] = str(request.url_for("read_note", number=note.id))
    return note


@notes.get("/{number}", responses=NONE)
async def read_note(note: Annotated[Note, Depends(note_of_path)]) -> Note:
    return note


@notes.patch("/{number}", responses=NONE)
async def edit_note(number: Number, edit: NoteEdit, store: OpenStore, feed: SharedFeed) -> Note:
    """Change what is given; the rest stays as it is."""
    note = await store.edit(number, edit)
    if note is None:
        raise no_such_note()
    feed.saved(note)
    return note


@notes.delete("/{number}", status_code=status.HTTP_204_NO_CONTENT, responses=NONE)
async def delete_note(number: Number, store: OpenStore, feed: SharedFeed) -> None:
    note = await store.delete(number)
    if note is None:
        raise no_such_note()
    feed.deleted(note)


@router.get("/events", response_class=EventSourceResponse, tags=["live"])
async def send_events(feed: SharedFeed) -> AsyncIterable[News]:
    """All notes, then each change, as server-sent events."""
    async with aclosing(feed.news()) as listening:
        async for news in listening:
            yield news


@router.websocket("/live", dependencies=[Depends(same_origin)])
async def send_messages(websocket: WebSocket, feed: SharedFeed) -> None:
    """All notes, then each change, as messages of JSON, until the client leaves."""
    await websocket.accept()
    sending = asyncio.create_task(send_news(websocket, feed))
    try:
        async for _ in websocket.iter_text():
            pass  # nothing that a client says here matters, but that it leaves does
    finally:
        sending.cancel()


async def send_news(websocket: WebSocket, feed: Feed) -> None:
    async with aclosing(feed.news()) as listening:
        async for news in listening:
            try:
                await websocket.send_text(news.model_dump_json())
            except WebSocketDisconnect:
                return  # whoever reads from it notices as well


router.include_router(notes)
