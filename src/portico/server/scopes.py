"""Scopes (ASGI HTTP 2.5): what the application is told of a request, whatever the version of HTTP that brought it."""

from typing import Any

from portico.codec.events import Request
from portico.server.proxies import forwarded
from portico.server.service import ASGI, Service

HTTP_1_0: dict[str, Any] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}}
HTTP_1_1: dict[str, Any] = {
    **HTTP_1_0,
    "http.response.early_hint": {},
    "portico.http.request.trailers": {},
}
WEBSOCKET: dict[str, Any] = {"websocket.http.response": {}}


class Scopes:
    """Makes the scopes of one connection; what is the same for all its requests is copied from a template."""

    __slots__ = ("client", "scheme", "server", "service", "template", "tls", "trusted")

    def __init__(
        self,
        service: Service,
        client: tuple[str, int] | None,
        server: tuple[str, int | None] | None,
        tls: dict[str, Any] | None,
    ) -> None:
        """Prepare; `tls` is the extension of that name where the connection has TLS."""
        self.service = service
        self.client = client
        self.server = server
        self.scheme = scheme = "http" if tls is None else "https"
        self.tls = tls
        self.trusted = service.trust is not None and service.trust.trusts(client)
        self.template: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": "1.1",
            "server": server,
            "client": client,
            "scheme": scheme,
            "method": "GET",
            "root_path": service.root_path,
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "headers": (),
            "extensions": HTTP_1_1,
        }

    def http(self, request: Request) -> dict[str, Any]:
        """Return the scope of a request."""
        scope = self.template.copy()
        scope["method"] = request.method
        if request.http_version == "1.0":
            extensions = HTTP_1_0.copy()
        else:
            extensions = HTTP_1_1.copy()
            if request.wants_trailers:
                extensions["http.response.trailers"] = {}
        if self.tls is not None:
            extensions["tls"] = self.tls.copy()
        scope["extensions"] = extensions
        self._fill(scope, request)
        return scope

    def websocket(self, request: Request, subprotocols: list[str]) -> dict[str, Any]:
        """Return the scope of a WebSocket that the request opens."""
        scope = self.template.copy()
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = "wss" if self.scheme == "https" else "ws"
        scope["subprotocols"] = subprotocols
        scope["extensions"] = extensions = WEBSOCKET.copy()
        if self.tls is not None:
            extensions["tls"] = self.tls.copy()
        self._fill(scope, request)
        return scope

    def _fill(self, scope: dict[str, Any], request: Request) -> None:
        service = self.service
        path = request.path
        root_path = service.root_path
        if root_path and not (path.startswith(root_path) and path[len(root_path) :][:1] in ("", "/")):
            path = root_path + path  # ASGI HTTP: `path` includes `root_path`, which a proxy may have stripped
        scope["http_version"] = request.http_version
        scope["path"] = path
        scope["raw_path"] = request.raw_path
        scope["query_string"] = request.query_string
        scope["headers"] = request.headers
        scope["asgi"] = ASGI.copy()
        state = service.state
        if state is not None:
            scope["state"] = state.copy()
        if request.forwarded and self.trusted and service.trust is not None:
            client, scheme, server, headers = forwarded(
                service.trust, self.client, scope["scheme"], self.server, request.headers
            )
            scope["client"] = client
            scope["scheme"] = scheme
            scope["server"] = server
            scope["headers"] = headers
