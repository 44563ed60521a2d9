"""Notes that appear in every window: a typed API on SQLite, news by WebSocket and as events, and a page that uses them.

`portico run examples.notes:app` serves it: the page at `/`, the API's documentation at `/docs`. The notes are in the
file that the environment variable NOTES_DATABASE names, or in `notes.db` where the server was started.

The files, in reading order: models, store, live, dependencies, api, and this one, which puts them together.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

from portico import Portico
from portico.web.staticfiles import StaticFiles

from .api import router
from .live import Feed
from .store import create

PAGE = Path(__file__).with_name("page")


class State(TypedDict):
    """What the lifespan gives to every request."""

    feed: Feed


@asynccontextmanager
async def lifespan(app: Portico) -> AsyncIterator[State]:
    path = os.environ.get("NOTES_DATABASE", "notes.db")
    await create(path)
    yield {"feed": Feed(path)}


app = Portico(title="Notes", lifespan=lifespan, max_body_size=1 << 20)
app.include_router(router)
app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
