"""Tells everybody who listens what happens to the notes.

A listener hears of all notes first, then of each change. Nobody waits for a slow one: when it is too far behind, what
it has not read yet is thrown away and it hears of all notes again. The listeners are in this process: serve it with
one.
"""

import asyncio
from collections.abc import AsyncGenerator

from .models import News, Note
from .store import opened

MAX_BEHIND = 100  # pieces of news
ALL = News(what="all", notes=[])


class Feed:
    """News of the notes in one database."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.listeners: set[asyncio.Queue[News]] = set()

    def saved(self, note: Note) -> None:
        """Say that a note is new, or another."""
        self._tell(News(what="saved", notes=[note]))

    def deleted(self, note: Note) -> None:
        """Say that a note is gone."""
        self._tell(News(what="deleted", notes=[note]))

    async def news(self) -> AsyncGenerator[News, None]:
        """Listen, without an end; whoever stops listening closes the iterator."""
        unread = asyncio.Queue[News](MAX_BEHIND)
        unread.put_nowait(ALL)
        self.listeners.add(unread)
        try:
            while True:
                news = await unread.get()
                yield await self._all() if news is ALL else news
        finally:
            self.listeners.remove(unread)

    async def _all(self) -> News:
        async with opened(self.path) as store:
            return News(what="all", notes=await store.find())

    def _tell(self, news: News) -> None:
        for unread in self.listeners:
            if not unread.full():
                unread.put_nowait(news)
                continue
            while not unread.empty():
                unread.get_nowait()
            unread.put_nowait(ALL)
