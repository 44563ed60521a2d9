"""Server-sent events: a response that goes on for as long as there is something to tell."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from typing import Any

from portico.asgi import Message, Receive, Scope, Send
from portico.codec.sse import KEEP_ALIVE, format_event
from portico.files.connected import while_connected
from portico.web.background import BackgroundTask
from portico.web.incoming import Disconnect
from portico.web.responses.data import dump_json
from portico.web.responses.streaming import StreamingResponse, encode_each

PING_INTERVAL = 15.0
FIELDS = ("data", "raw_data", "event", "id", "retry", "comment")


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

    __slots__ = FIELDS

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
            raise ValueError("Cannot set both data, which becomes JSON, and raw_data: an event has one, not both")
        self.data = data
        self.raw_data = raw_data
        self.event = _single_line("event", event)
        self.id = _single_line("id", id)
        self.retry = retry if retry is None else _milliseconds(retry)
        self.comment = comment

    @property
    def encoded(self) -> bytes:
        """What goes over the wire."""
        return self.encode(None if self.data is None else _json(self.data))

    def encode(self, data: str | None) -> bytes:
        """Return what goes over the wire, where the data is JSON already; raw data comes before it."""
        return format_event(
            data=data if self.raw_data is None else self.raw_data,
            event=self.event,
            id=self.id,
            retry=self.retry,
            comment=self.comment,
        )

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the fields as pairs, which is what `dict()` wants."""
        return ((name, getattr(self, name)) for name in FIELDS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerSentEvent) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ServerSentEvent({', '.join(f'{name}={value!r}' for name, value in self)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let it stand where pydantic wants a type, such as beside models in the type of a stream's items."""
        from portico.web.sse import event_schema

        return event_schema()


def _single_line(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"SSE '{name}' must be text, got {text!r}")
    if "\r" in text or "\n" in text:
        raise ValueError(f"SSE '{name}' must be a single line, got {text!r}")
    if "\0" in text:
        raise ValueError(f"SSE '{name}' must not contain null characters, got {text!r}")
    return text


def _milliseconds(retry: int) -> int:
    if retry < 0 or retry != int(retry):
        raise ValueError(f"SSE 'retry' must be a whole number of milliseconds, got {retry!r}")
    return int(retry)


def encode_event(item: Any) -> bytes:
    """Return what one item of an event stream becomes: bytes stay, whatever is no event is the data of one."""
    if isinstance(item, ServerSentEvent):
        return item.encoded
    if isinstance(item, bytes):
        return item
    return format_event(data=_json(item))


def _json(value: Any) -> str:
    if hasattr(value, "model_dump_json"):
        text: str = value.model_dump_json()
        return text
    return dump_json(value).decode()


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
        encode: What makes an event of what `content` gives, in place of the above.
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
        encode: Callable[[Any], bytes] | None = None,
    ) -> None:
        super().__init__(encode_each(content, encode or encode_event), status_code, headers, media_type, background)
        self.ping_interval = ping_interval
        self.headers.setdefault("cache-control", "no-store")
        self.headers.setdefault("x-accel-buffering", "no")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        if scope.get("method") == "HEAD":  # which has no use for events, and nobody could tell when to stop
            await self.drop_body()
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
        await while_connected(self.stream_response(pinger.send), pinger.until_lost)


class Pinger:
    """Sends a comment whenever nothing else has been sent for some time; never while something else is being sent."""

    def __init__(self, send: Send, interval: float) -> None:
        self.inner = send
        self.interval = interval
        self.turn = asyncio.Lock()
        self.time = asyncio.get_running_loop().time
        self.sent_at = self.time()
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a message of the response."""
        async with self.turn:
            await self.inner(message)
            self.started = True
            self.sent_at = self.time()

    async def until_lost(self) -> Message:
        """Send comments until one cannot be sent; say then what `receive` would."""
        while True:
            silent = self.time() - self.sent_at
            if silent < self.interval or not self.started:
                await asyncio.sleep(self.interval - silent if self.started else self.interval)
                continue
            try:
                await self.send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
            except OSError:
                return {"type": "http.disconnect"}
