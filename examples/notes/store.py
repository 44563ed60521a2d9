"""Where notes are kept: a table of SQLite, through aiosqlite, which gives each connection a thread of its own."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiosqlite

from .models import NewNote, Note, NoteEdit

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS note (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    added TEXT NOT NULL,
    edited TEXT NOT NULL
);
"""
LARGEST_ID = 2**63 - 1  # SQLite's; beyond it a statement fails
MATCHING = "? = '' OR instr(lower(title || char(10) || text), lower(?)) > 0"


class Store:
    """The notes, through one connection. A change is there for everybody when its method returns."""

    def __init__(self, database: aiosqlite.Connection) -> None:
        self.database = database

    async def find(self, *, search: str = "", limit: int = -1, offset: int = 0) -> list[Note]:
        """Return the notes that have the text, those edited last first."""
        query = f"SELECT * FROM note WHERE {MATCHING} ORDER BY edited DESC, id DESC LIMIT ? OFFSET ?"
        rows = await self.database.execute_fetchall(query, (search, search, limit, offset))
        return [note_of(row) for row in rows]

    async def get(self, number: int) -> Note | None:
        """Return a note, or None if there is no such note."""
        return await self._first("SELECT * FROM note WHERE id = ?", number)

    async def add(self, new: NewNote) -> Note:
        """Keep a new note and return it."""
        now = datetime.now(UTC).isoformat()
        query = "INSERT INTO note (title, text, added, edited) VALUES (?, ?, ?, ?) RETURNING *"
        note = await self._first(query, new.title, new.text, now, now)
        assert note is not None
        await self.database.commit()
        return note

    async def edit(self, number: int, edit: NoteEdit) -> Note | None:
        """Change a note and return it, or None if there is no such note."""
        changes = "title = coalesce(?, title), text = coalesce(?, text), edited = ?"
        query = f"UPDATE note SET {changes} WHERE id = ? RETURNING *"
        note = await self._first(query, edit.title, edit.text, datetime.now(UTC).isoformat(), number)
        await self.database.commit()
        return note

    async def delete(self, number: int) -> Note | None:
        """Delete a note and return what it was, or None if there is no such note."""
        note = await self._first("DELETE FROM note WHERE id = ? RETURNING *", number)
        await self.database.commit()
        return note

    async def _first(self, query: str, *values: Any) -> Note | None:
        rows = list(await self.database.execute_fetchall(query, values))
        return note_of(rows[0]) if rows else None


def note_of(row: sqlite3.Row) -> Note:
    return Note(**dict(row))


@asynccontextmanager
async def opened(path: str) -> AsyncIterator[Store]:
    """Open the database for the block."""
    async with aiosqlite.connect(path) as database:
        database.row_factory = sqlite3.Row
        yield Store(database)


async def create(path: str) -> None:
    """Make the file and the table where they are missing."""
    async with aiosqlite.connect(path) as database:
        await database.executescript(SCHEMA)
