"""Endpoints that yield: what an event, a line of JSON, or a piece of the body is made of."""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

from portico.codec.sse import format_event
from portico.web.plan.outgoing import untyped_text
from portico.web.responses.events import ServerSentEvent
from portico.web.responses.streaming import encode_each

Encode = Callable[[Any], bytes]


def pieces(items: AsyncIterable[Any] | Iterable[Any]) -> AsyncIterable[Any] | Iterable[Any]:
    """Return the items of a generator as the pieces of a body."""
    return encode_each(items, _same) if isinstance(items, AsyncIterable) else items


def _same(item: Any) -> Any:
    return item


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
