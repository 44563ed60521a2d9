"""Everything that a handler can answer with."""

import json as json  # a program that replaces `json.dumps` may name it by way of this module

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

__all__ = [
    "AsyncContentStream",
    "Content",
    "ContentStream",
    "EventSourceResponse",
    "FileResponse",
    "HTMLResponse",
    "JSONLinesResponse",
    "JSONResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "ServerSentEvent",
    "StreamingResponse",
    "SyncContentStream",
]
