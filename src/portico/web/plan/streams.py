"""Endpoints that yield: each item becomes an event, a line of JSON, or a piece of the body, when it is asked for.

The generator is closed however the response ends. Each item lets others run, so that who cancels the stream, or leaves,
need not wait for a generator that never waits itself.
"""

from asyncio import sleep
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any

from portico.codec.sse import format_event
from portico.web.plan.outgoing import untyped_text
from portico.web.responses.events import ServerSentEvent
from portico.web.responses.streaming import close_iterator

Encode = Callable[[Any], bytes]


def encoded(items: Any, encode: Callable[[Any], Any] | None) -> AsyncIterable[Any] | Iterable[Any]:
    """Return the items of a generator, each encoded; a sync one encodes them where it runs, in a thread."""
    if isinstance(items, AsyncIterable):
        return _async_items(items, encode)
    return items if encode is None else _sync_items(items, encode)


async def _async_items(items: AsyncIterable[Any], encode: Callable[[Any], Any] | None) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield item if encode is None else encode(item)
            await sleep(0)
    finally:
        await close_iterator(items)


def _sync_items(items: Iterable[Any], encode: Callable[[Any], Any]) -> Iterator[Any]:
    try:
        for item in items:
            yield encode(item)
    finally:
        if isinstance(items, Generator):
            items.close()


def line_encoder(dump: Encode) -> Encode:
    """Return what makes a line of an item."""
    return lambda item: dump(item) + b"\n"


def event_encoder(dump: Encode) -> Encode:
    """Return what makes an event of an item; one that is an event already is not validated."""

    def encode(item: Any) -> bytes:
        if not isinstance(item, ServerSentEvent):
            return format_event(data=dump(item).decode())
        return item.encode(None if item.data is None else _event_data(item.data))

    return encode


def _event_data(data: Any) -> str:
    if hasattr(data, "model_dump_json"):
        text: str = data.model_dump_json()
        return text
    return untyped_text(data)


def untyped_item(item: Any) -> bytes:
    """Return an item without declared type as JSON."""
    return untyped_text(item).encode()
