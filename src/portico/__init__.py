"""Portico: the whole ASGI stack as one package. The names that most programs need, loaded when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from portico.version import __version__

if TYPE_CHECKING:
    from portico.server import Config, Server, run, serve
    from portico.web import (
        APIRouter,
        BackgroundTasks,
        Body,
        Cookie,
        Depends,
        File,
        Form,
        Header,
        HTTPException,
        Path,
        Portico,
        Query,
        Request,
        Response,
        Security,
        UploadFile,
        WebSocket,
        WebSocketDisconnect,
        WebSocketException,
        status,
    )

__all__ = [
    "APIRouter",
    "BackgroundTasks",
    "Body",
    "Config",
    "Cookie",
    "Depends",
    "File",
    "Form",
    "HTTPException",
    "Header",
    "Path",
    "Portico",
    "Query",
    "Request",
    "Response",
    "Security",
    "Server",
    "UploadFile",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketException",
    "__version__",
    "run",
    "serve",
    "status",
]
_SERVER = ("Config", "Server", "run", "serve")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'portico' has no attribute {name!r}")
    return getattr(import_module("portico.server" if name in _SERVER else "portico.web"), name)
