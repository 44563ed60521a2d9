"""The framework, under the names that users of Starlette and FastAPI know.

The modules are the vocabulary (`portico.web.routing`, `portico.web.requests` ...). The names that most programs need
are here too, each loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.web import status
    from portico.web.api import Portico
    from portico.web.applications import Application
    from portico.web.background import BackgroundTask, BackgroundTasks
    from portico.web.datastructures import UploadFile
    from portico.web.exceptions import HTTPException, WebSocketException
    from portico.web.middleware import Middleware
    from portico.web.param_functions import Body, Cookie, Depends, File, Form, Header, Path, Query, Security
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
    from portico.web.routing.apirouter import APIRouter
    from portico.web.staticfiles import StaticFiles
    from portico.web.templating import Jinja2Templates
    from portico.web.websockets import WebSocket, WebSocketDisconnect

__all__ = [
    "APIRouter",
    "Application",
    "BackgroundTask",
    "BackgroundTasks",
    "Body",
    "Cookie",
    "Depends",
    "EventSourceResponse",
    "File",
    "FileResponse",
    "Form",
    "HTMLResponse",
    "HTTPException",
    "Header",
    "Host",
    "JSONLinesResponse",
    "JSONResponse",
    "Jinja2Templates",
    "Middleware",
    "Mount",
    "Path",
    "PlainTextResponse",
    "Portico",
    "Query",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "Router",
    "Security",
    "ServerSentEvent",
    "StaticFiles",
    "StreamingResponse",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketException",
    "WebSocketRoute",
    "status",
]

_HOMES = {
    "applications": ("Application", "Portico"),
    "background": ("BackgroundTask", "BackgroundTasks"),
    "datastructures": ("UploadFile",),
    "exceptions": ("HTTPException", "WebSocketException"),
    "middleware": ("Middleware",),
    "param_functions": ("Body", "Cookie", "Depends", "File", "Form", "Header", "Path", "Query", "Security"),
    "requests": ("Request",),
    "routing": ("APIRouter", "Host", "Mount", "Route", "Router", "WebSocketRoute"),
    "staticfiles": ("StaticFiles",),
    "templating": ("Jinja2Templates",),
    "websockets": ("WebSocket", "WebSocketDisconnect"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'portico.web' has no attribute {name!r}")
    if name == "status":
        return import_module("portico.web.status")
    value = getattr(import_module(f"portico.web.{_HOME.get(name, 'responses')}"), name)
    globals()[name] = value
    return value
