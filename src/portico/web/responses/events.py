"""Server-sent events: a response that goes on for as long as there is something to tell."""

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from portico.asgi import Message, Receive, Scope, Send
from portico.codec.sse import KEEP_ALIVE, format_event
from portico.files.connected import while_connected
from portico.web.background import BackgroundTask
from portico.web.incoming import Disconnect
from portico.web.responses.data import dump_json
from portico.web.responses.streaming import StreamingResponse, close_iterator, encode_each, iterate_sync

PING_INTERVAL = 15.0


class ServerSentEvent:
    """One event.

    Args:
        data: What it tells, as JSON; text as well, which is then in quotes.
        raw_data: What it tells, as it is; several lines are allowed.
        event: Its type, one line; `message` where there is none.
        id: What the client sends as Last-Event-ID when it comes back, one line.
        retry: After how many milliseconds the client comes back.
        comment: What clients pass over.

    Raises:
        ValueError: If there is both data and raw data, if type or id have line ends or NUL, if `retry` is negative.
    """

    __slots__ = ("comment", "data", "encoded", "event", "id", "raw_data", "retry")

    def __init__(
        self,
        data: Any = None,
        raw_data: str | None = None,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
        comment: str | None = None,
    ) -> None:
        if data is not None and raw_data is not None:
            raise ValueError("an event has either data, which becomes JSON, or raw_data, not both")
        self.data = data
        self.raw_data = raw_data
        self.event = event
        self.id = id
        self.retry = retry
        self.comment = comment
        text = raw_data if data is None else dump_json(data).decode()
        self.encoded = format_event(data=text, event=event, id=id, retry=retry, comment=comment)


def encode_event(item: Any) -> bytes:
    """Return what one item of an event stream becomes: bytes stay, whatever is no event is the data of one."""
    if isinstance(item, ServerSentEvent):
        return item.encoded
    if isinstance(item, bytes):
        return item
    return format_event(data=dump_json(item).decode())


class EventSourceResponse(StreamingResponse):
    """A stream of events, which is closed as soon as the client goes away.

    An idle one has a comment every 15 seconds, so that nothing between here and the client ends the connection.

    Args:
        content: What gives the events, sync or async: ServerSentEvents, or values that become the data of one as JSON;
            bytes are sent as they are.
        status_code: The status.
        headers: The fields; those that keep caches and proxies from holding events back are added.
        media_type: Another media type.
        background: What runs after the response has ended.
        ping_interval: The seconds of silence after which a comment is sent; None for never.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        *,
        ping_interval: float | None = PING_INTERVAL,
    ) -> None:
        super().__init__(encode_each(content, encode_event), status_code, headers, media_type, background)
        self.ping_interval = ping_interval
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-accel-buffering", "no")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        if scope.get("method") == "HEAD":  # which has no use for events, and nobody could tell when to stop
            await close_iterator(self.body_iterator)
            self.body_iterator = iterate_sync(())
        try:
            await while_connected(self._stream(send), Disconnect(scope, receive))
        except OSError as error:
            if error is not self._lost:
                raise
        if self.background is not None:
            await self.background()

    async def _stream(self, send: Send) -> None:
        if self.ping_interval is None:
            await self.stream_response(send)
            return
        pinger = Pinger(send, self.ping_interval)
        pinging = asyncio.get_running_loop().create_task(pinger.run())
        try:
            await self.stream_response(pinger.send)
        finally:
            pinging.cancel()
            await asyncio.wait((pinging,))


class Pinger:
    """Sends a comment whenever nothing else has been sent for some time; never while something else is being sent."""

    def __init__(self, send: Send, interval: float) -> None:
        self.inner = send
        self.interval = interval
        self.turn = asyncio.Lock()
        self.started = False
        self.sent = 0

    async def send(self, message: Message) -> None:
        """Send a message of the response."""
        async with self.turn:
            self.sent += 1
            await self.inner(message)
            self.started = True

    async def run(self) -> None:
        """Send comments until cancelled, or until the client has gone."""
        seen = 0
        while True:
            await asyncio.sleep(self.interval)
            if seen == self.sent and self.started:
                async with self.turn:
                    try:
                        await self.inner({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
                    except OSError:
                        return  # whoever sends the next event sees it too
            seen = self.sent
