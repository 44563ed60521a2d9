"""Everything that a handler can answer with."""

import json as json  # a program that replaces `json.dumps` may name it by way of this module
from typing import TYPE_CHECKING, Any

from portico.web.responses.content import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from portico.web.responses.data import JSONResponse
from portico.web.responses.events import EventSourceResponse, ServerSentEvent
from portico.web.responses.file import FileResponse
from portico.web.responses.lines import JSONLinesResponse
from portico.web.responses.streaming import (
    AsyncContentStream,
    Content,
    ContentStream,
    StreamingResponse,
    SyncContentStream,
)

if TYPE_CHECKING:
    from portico.web.responses.engines import ORJSONResponse, UJSONResponse

__all__ = [
    "AsyncContentStream",
    "Content",
    "ContentStream",
    "EventSourceResponse",
    "FileResponse",
    "HTMLResponse",
    "JSONLinesResponse",
    "JSONResponse",
    "ORJSONResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "ServerSentEvent",
    "StreamingResponse",
    "SyncContentStream",
    "UJSONResponse",
]


def __getattr__(name: str) -> Any:
    if name in ("ORJSONResponse", "UJSONResponse"):
        from portico.web.responses import engines

        return getattr(engines, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
