"""Routing: which endpoint a path leads to, and which path leads to an endpoint.

The routes of the typed framework are loaded when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from portico.web.routing.mounts import Host, Mount
from portico.web.routing.paths import (
    PARAM_REGEX,
    NoMatchFound,
    compile_path,
    get_route_path,
    replace_params,
)
from portico.web.routing.router import Router
from portico.web.routing.routes import (
    BaseRoute,
    Match,
    Route,
    WebSocketRoute,
    get_name,
    request_response,
    websocket_session,
)

if TYPE_CHECKING:
    from portico.web.routing.api import APIRoute, APIWebSocketRoute
    from portico.web.routing.apirouter import APIRouter
    from portico.web.routing.handlers import get_request_handler
    from portico.web.routing.inclusion import RouteContext, iter_route_contexts

__all__ = [
    "PARAM_REGEX",
    "APIRoute",
    "APIRouter",
    "APIWebSocketRoute",
    "BaseRoute",
    "Host",
    "Match",
    "Mount",
    "NoMatchFound",
    "Route",
    "RouteContext",
    "Router",
    "WebSocketRoute",
    "compile_path",
    "get_name",
    "get_request_handler",
    "get_route_path",
    "iter_route_contexts",
    "replace_params",
    "request_response",
    "websocket_session",
]

_TYPED = {
    "APIRoute": "api",
    "APIWebSocketRoute": "api",
    "APIRouter": "apirouter",
    "RouteContext": "inclusion",
    "get_request_handler": "handlers",
    "iter_route_contexts": "inclusion",
}


def __getattr__(name: str) -> Any:
    home = _TYPED.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"portico.web.routing.{home}"), name)
