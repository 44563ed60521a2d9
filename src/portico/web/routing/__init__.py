"""Routing: which endpoint a path leads to, and which path leads to an endpoint."""

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

__all__ = [
    "PARAM_REGEX",
    "BaseRoute",
    "Host",
    "Match",
    "Mount",
    "NoMatchFound",
    "Route",
    "Router",
    "WebSocketRoute",
    "compile_path",
    "get_name",
    "get_route_path",
    "replace_params",
    "request_response",
    "websocket_session",
]
