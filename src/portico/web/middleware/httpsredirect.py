"""Requests without TLS are sent on to the same URL with it."""

from collections.abc import Sequence

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.http.hosts import host_field, parse_host
from portico.web.middleware.hosts import AllowedHosts, location, names_of
from portico.web.middleware.refusal import refuse, respond
from portico.web.middleware.trustedhost import INVALID_HOST
from portico.web.responses import RedirectResponse

SECURE = {"http": "https", "ws": "wss"}
DEFAULT_SCHEMES = {"http": "http", "websocket": "ws"}  # ASGI's, for a scope that has none
STANDARD_PORTS = (80, 443)


class HTTPSRedirectMiddleware:
    """Redirect `http` to `https`, and `ws` to `wss`, with status 307.

    The scheme is what the server says: behind a proxy that ends TLS, it has to trust that proxy's fields. A redirect
    never goes to a malformed Host field; the server's own address takes its place where there is one. Whether the name
    is ours is for `TrustedHostMiddleware`, or `allowed_hosts`, to say.

    Args:
        app: The application inside.
        allowed_hosts: The hosts that may be redirected to, as in `TrustedHostMiddleware`; any by default.
    """

    def __init__(self, app: ASGIApp, *, allowed_hosts: Sequence[str] = ("*",)) -> None:
        self.app = app
        self.hosts = AllowedHosts(names_of(allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        secure = SECURE.get(scope.get("scheme") or DEFAULT_SCHEMES.get(scope["type"], ""))
        if secure is None:
            await self.app(scope, receive, send)
            return
        authority = self._authority(scope)
        if authority is None:
            await refuse(scope, receive, send, 400, INVALID_HOST)
            return
        response = RedirectResponse(location(scope, secure, authority), status_code=307)
        await respond(response, scope, receive, send)

    def _authority(self, scope: Scope) -> str | None:
        """Return the authority to redirect to, without a port that goes without saying."""
        value = host_field(scope["headers"])
        host = None if value is None else parse_host(value)
        if host is not None and host.port_number != -1:
            if not self.hosts.has(host.name):
                return None
            name, port = host.name, host.port_number
        else:
            server = scope.get("server")
            if server is None or server[1] is None:  # none, or a Unix socket's path
                return None
            name, port = server
            if ":" in name:
                name = f"[{name}]"
        return name if port is None or port in STANDARD_PORTS else f"{name}:{port}"
