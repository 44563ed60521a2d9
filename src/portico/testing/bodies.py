"""The body of a request as `http.request` messages, taken from its source only when the application asks."""

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context

from portico.asgi import Message
from portico.testing.library import httpx


class RequestBody:
    """Give the messages of one request's body: one where the body is bytes, one a chunk where it is iterated.

    A sync iterator runs in a thread, with the caller's context variables, so that it may block.
    """

    def __init__(self, request: httpx.Request) -> None:
        stream = request.stream
        self.complete = False
        self.whole: bytes | None = request.read() if isinstance(stream, httpx.ByteStream) else None
        self._chunks: Iterator[bytes | str] | AsyncIterator[bytes | str] | None = None
        if self.whole is None:
            self._chunks = iter(stream) if isinstance(stream, httpx.SyncByteStream) else aiter(stream)
        self._step: asyncio.Task[bytes | str | None] | None = None

    def read(self) -> "asyncio.Task[bytes | str | None]":
        """Return the task that gives the next chunk; the same one until its chunk is taken, so that none is lost."""
        if self._step is None:
            self._step = asyncio.create_task(self._next())
        return self._step

    def take(self) -> Message:
        """Return the message for what was read, or for the whole body."""
        step = self._step
        if step is None:
            self.complete = True
            return {"type": "http.request", "body": self.whole or b"", "more_body": False}
        chunk = step.result()
        self._step = None
        if chunk is None:
            self.complete = True
            return {"type": "http.request", "body": b"", "more_body": False}
        body = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
        return {"type": "http.request", "body": body, "more_body": True}

    async def _next(self) -> bytes | str | None:
        chunks = self._chunks
        if isinstance(chunks, Iterator):
            step = functools.partial(copy_context().run, _step, chunks)
            return await asyncio.get_running_loop().run_in_executor(None, step)
        assert chunks is not None
        return await anext(chunks, None)

    async def abandon(self) -> None:
        """Stop reading: the exchange is over."""
        step = self._step
        if step is not None:
            step.cancel()
            await asyncio.wait((step,))
            if not step.cancelled():
                step.exception()  # nobody is left who would want it


def _step(chunks: Iterator[bytes | str]) -> bytes | str | None:
    return next(chunks, None)
