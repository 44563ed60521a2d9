"""Responses whose body is made while it is sent; a client that goes away ends the making of it."""

from asyncio import sleep
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

from portico.asgi import Receive, Scope, Send
from portico.files.connected import send_fails, while_connected
from portico.web.background import BackgroundTask
from portico.web.concurrency import run_in_threadpool
from portico.web.incoming import Disconnect
from portico.web.responses.content import Response, denial_send

Content = str | bytes | memoryview
SyncContentStream = Iterable[Content]
AsyncContentStream = AsyncIterable[Content]
ContentStream = AsyncContentStream | SyncContentStream

TURN = 0.001  # for how many seconds one stream may keep the loop for itself

_DONE = object()


class StreamingResponse(Response):
    """A response whose body comes from an iterable, sync (each step in the thread pool) or async.

    The next piece is made only after the server has taken the one before. When the client goes away the iterator is
    closed; where the server's `send` tells so, the caller gets ClientDisconnect.

    Args:
        content: What gives the pieces; text is encoded by the class's charset.
        status_code: The status.
        headers: The fields.
        media_type: The type of the content, else the class's.
        background: What runs after the response has been sent.
    """

    body_iterator: AsyncContentStream
    # Whether the pieces may be long in coming: the end of the connection is listened for even where `send` tells of it,
    # and the answer to HEAD, which has no use for them, does not wait for them.
    listens = False
    _lost: OSError | None = None
    _ending = False

    def __init__(
        self,
        content: ContentStream,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.body_iterator = content if isinstance(content, AsyncIterable) else iterate_sync(content)
        self.status_code = status_code
        if media_type is not None:
            self.media_type = media_type
        self.background = background
        self.init_headers(headers)

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Return when the client has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass

    async def stream_response(self, send: Send) -> None:
        """Send the response; its iterator is closed however that ends."""
        charset = self.charset
        pieces = self.body_iterator
        sending = True
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            sending = False
            async for piece in pieces:
                chunk = piece if isinstance(piece, bytes | memoryview) else piece.encode(charset)
                sending = True
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                sending = False
            sending = self._ending = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except BaseException as error:
            if sending and isinstance(error, OSError):
                self._lost = error
            await close_iterator(pieces)
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.stream_response(denial_send(send))
        elif scope.get("method") == "HEAD":  # nothing is written, so nothing can fail
            if self.listens:
                await self.drop_body()
            await while_connected(self.stream_response(send), Disconnect(scope, receive))
        elif send_fails(scope):
            await self._stream_until_lost(scope, receive, send)
        else:
            await while_connected(self.stream_response(send), Disconnect(scope, receive))
        if self.background is not None:
            await self.background()

    async def drop_body(self) -> None:
        """Close what gives the pieces; the response has none."""
        await close_iterator(self.body_iterator)
        self.body_iterator = iterate_sync(())

    async def _stream_until_lost(self, scope: Scope, receive: Receive, send: Send) -> None:
        cause: OSError | None = None
        try:
            if not self.listens:
                await self.stream_response(send)
                return
            # Some servers say that the client has gone as soon as they have the last of the response.
            if await while_connected(self.stream_response(send), Disconnect(scope, receive)) or self._ending:
                return
        except OSError as error:
            if error is not self._lost:  # the application's own
                raise
            cause = error
        from portico.web.requests import ClientDisconnect

        raise ClientDisconnect from cause


async def iterate_sync(content: Iterable[Any]) -> AsyncIterator[Any]:
    """Yield what a sync iterable gives, each step in the thread pool; a generator is closed with this."""
    steps = iter(content)
    try:
        while (item := await run_in_threadpool(next, steps, _DONE)) is not _DONE:
            yield item
    except BaseException:
        if isinstance(steps, Generator):
            await run_in_threadpool(steps.close)
        raise


def encode_each(content: AsyncIterable[Any] | Iterable[Any], encode: Callable[[Any], Any]) -> AsyncIterator[Any]:
    """Yield each item encoded, in the thread of a sync iterable; what gives the items is closed with this."""
    if isinstance(content, AsyncIterable):
        return _encode_async(content, encode)
    return iterate_sync(_encode_sync(content, encode))


async def _encode_async(items: AsyncIterable[Any], encode: Callable[[Any], Any]) -> AsyncIterator[Any]:
    turn_ends = perf_counter() + TURN
    try:
        async for item in items:
            yield encode(item)
            # Neither an iterable that never waits nor a server that takes all at once would let others run, such as who
            # wants to cancel this.
            if perf_counter() > turn_ends:
                await sleep(0)
                turn_ends = perf_counter() + TURN
    finally:
        await close_iterator(items)


def _encode_sync(items: Iterable[Any], encode: Callable[[Any], Any]) -> Iterator[Any]:
    try:
        for item in items:
            yield encode(item)
    finally:
        if isinstance(items, Generator):
            items.close()


async def close_iterator(pieces: Any) -> None:
    """Close an async iterator that can be closed."""
    close = getattr(pieces, "aclose", None)
    if close is None:
        return
    try:
        await close()
    except BaseExceptionGroup as group:  # what a task group makes of the end of a generator that pauses inside of it
        _, others = group.split(GeneratorExit)
        if others is not None:
            raise
