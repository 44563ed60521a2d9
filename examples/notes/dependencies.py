"""What the endpoints ask for: the feed, a store that is closed after use, the note of the path."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import urlsplit

from portico import Depends, HTTPException, Path, WebSocket, WebSocketException, status
from portico.web.requests import HTTPConnection

from .live import Feed
from .models import Note
from .store import LARGEST_ID, Store, opened

Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]


def shared_feed(connection: HTTPConnection) -> Feed:
    """Return the feed that the lifespan has made; for requests and WebSockets alike."""
    feed: Feed = connection.state.feed
    return feed


SharedFeed = Annotated[Feed, Depends(shared_feed)]


async def open_store(feed: SharedFeed) -> AsyncIterator[Store]:
    """Open the database for one request; what comes after `yield` runs whatever has happened."""
    async with opened(feed.path) as store:
        yield store


OpenStore = Annotated[Store, Depends(open_store, scope="function")]  # closed before the response leaves


async def note_of_path(number: Number, store: OpenStore) -> Note:
    """Return the note that the path names."""
    note = await store.get(number)
    if note is None:
        raise no_such_note()
    return note


def no_such_note() -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, "There is no such note.")


def same_origin(websocket: WebSocket) -> None:
    """Refuse the pages of other sites: a browser lets them connect, and read, where it would not let them fetch."""
    origin = websocket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION, "This page is of another site.")
