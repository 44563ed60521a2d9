"""JSON Lines: values that are sent one by one, as they are made."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any

from portico.web.background import BackgroundTask
from portico.web.responses.data import dump_json
from portico.web.responses.streaming import StreamingResponse, encode_each


class JSONLinesResponse(StreamingResponse):
    """A stream of values, each as JSON on a line of its own; it is closed as soon as the client goes away.

    Args:
        content: What gives the values, sync or async.
        status_code: The status.
        headers: The fields.
        media_type: Another media type.
        background: What runs after the response has been sent.
        encode: What makes a line of a value.
    """

    media_type = "application/jsonl"
    listens = True

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        *,
        encode: Callable[[Any], bytes] | None = None,
    ) -> None:
        super().__init__(encode_each(content, encode or dump_line), status_code, headers, media_type, background)


def dump_line(value: Any) -> bytes:
    """Return the value as one line."""
    return dump_json(value) + b"\n"
