"""Where sessions are kept if not in the cookie: what a store has to do, and one in this process's memory."""

import time
from collections.abc import Callable
from typing import Protocol


class SessionStore(Protocol):
    """Keeps texts under keys. Keys are random and hard to guess; the text is JSON, and no store needs to read it."""

    async def load(self, key: str) -> str | None:
        """Return the text that was saved, or None if there is none or its time is over."""
        ...

    async def save(self, key: str, text: str, max_age: int | None) -> None:
        """Keep the text for so many seconds, or without end; what was there is replaced."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the text, if there is one."""
        ...


class MemorySessionStore:
    """Sessions in this process: for tests, and for programs of one worker. They end with it.

    Args:
        max_sessions: How many are kept; those unused for longest go first.
        clock: The time in seconds.
    """

    def __init__(self, max_sessions: int = 10_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        if max_sessions < 1:
            raise ValueError(f"max_sessions is at least 1, got {max_sessions!r}")
        self.max_sessions = max_sessions
        self.clock = clock
        self._sessions: dict[str, tuple[str, float | None]] = {}  # the least recently used first

    async def load(self, key: str) -> str | None:
        """Return the text that was saved, or None if there is none or its time is over."""
        entry = self._sessions.pop(key, None)
        if entry is None or (entry[1] is not None and entry[1] <= self.clock()):
            return None
        self._sessions[key] = entry
        return entry[0]

    async def save(self, key: str, text: str, max_age: int | None) -> None:
        """Keep the text for so many seconds, or without end."""
        self._sessions.pop(key, None)
        while len(self._sessions) >= self.max_sessions:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[key] = (text, None if max_age is None else self.clock() + max_age)

    async def delete(self, key: str) -> None:
        """Forget the text, if there is one."""
        self._sessions.pop(key, None)
