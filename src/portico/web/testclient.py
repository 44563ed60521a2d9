"""The test client under the names of Starlette's module; `portico.testing` is where it lives."""

from portico.testing.async_client import AsyncTestClient
from portico.testing.client import TestClient as ClientForAnyApplication
from portico.testing.client import WebSocketTestSession
from portico.testing.scopes import ASGI2App, ASGI3App, ASGIInstance
from portico.testing.session import WebSocketDenialResponse
from portico.web.exceptions import PorticoDeprecationWarning

__all__ = [
    "ASGI2App",
    "ASGI3App",
    "ASGIInstance",
    "AsyncTestClient",
    "TestClient",
    "WebSocketDenialResponse",
    "WebSocketTestSession",
]


class TestClient(ClientForAnyApplication):
    """Send requests to an application, as `portico.testing.TestClient` does; the warnings are the framework's own."""

    timeout_warning = PorticoDeprecationWarning
