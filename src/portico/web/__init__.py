"""The framework: routing, requests, responses and middleware, under the names that Starlette's users know.

The modules are the vocabulary (`portico.web.routing`, `portico.web.requests` ...). The names that most programs need
are here too, each loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.web.applications import Application
    from portico.web.background import BackgroundTask, BackgroundTasks
    from portico.web.exceptions import HTTPException, WebSocketException
    from portico.web.middleware import Middleware
    from portico.web.requests import Request
    from portico.web.responses import (
        EventSourceResponse,
        FileResponse,
        HTMLResponse,
        JSONLinesResponse,
        JSONResponse,
        PlainTextResponse,
        RedirectResponse,
        Response,
        ServerSentEvent,
        StreamingResponse,
    )
    from portico.web.routing import Host, Mount, Route, Router, WebSocketRoute
    from portico.web.staticfiles import StaticFiles
    from portico.web.templating import Jinja2Templates
    from portico.web.websockets import WebSocket, WebSocketDisconnect

__all__ = [
    "Application",
    "BackgroundTask",
    "BackgroundTasks",
    "EventSourceResponse",
    "FileResponse",
    "HTMLResponse",
    "HTTPException",
    "Host",
    "JSONLinesResponse",
    "JSONResponse",
    "Jinja2Templates",
    "Middleware",
    "Mount",
    "PlainTextResponse",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "Router",
    "ServerSentEvent",
    "StaticFiles",
    "StreamingResponse",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketException",
    "WebSocketRoute",
]

_HOMES = {
    "Application": "applications",
    "BackgroundTask": "background",
    "BackgroundTasks": "background",
    "HTTPException": "exceptions",
    "WebSocketException": "exceptions",
    "Middleware": "middleware",
    "Request": "requests",
    "Host": "routing",
    "Mount": "routing",
    "Route": "routing",
    "Router": "routing",
    "WebSocketRoute": "routing",
    "StaticFiles": "staticfiles",
    "Jinja2Templates": "templating",
    "WebSocket": "websockets",
    "WebSocketDisconnect": "websockets",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'portico.web' has no attribute {name!r}")
    return getattr(import_module(f"portico.web.{_HOMES.get(name, 'responses')}"), name)
