"""Drive any ASGI application without a socket, in a test or in a program."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.testing.async_client import AsyncTestClient, AsyncWebSocketTestSession
    from portico.testing.client import TestClient, WebSocketTestSession
    from portico.testing.exchange import ProtocolViolation
    from portico.testing.session import WebSocketDenialResponse

HOMES = {
    "AsyncTestClient": "async_client",
    "AsyncWebSocketTestSession": "async_client",
    "ProtocolViolation": "exchange",
    "TestClient": "client",
    "WebSocketDenialResponse": "session",
    "WebSocketTestSession": "client",
}
__all__ = [
    "AsyncTestClient",
    "AsyncWebSocketTestSession",
    "ProtocolViolation",
    "TestClient",
    "WebSocketDenialResponse",
    "WebSocketTestSession",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'portico.testing' has no attribute {name!r}")
    from importlib import import_module  # which asks for the HTTP library; whoever wants another name does not need it

    return getattr(import_module(f"portico.testing.{HOMES[name]}"), name)
