"""Requests for hosts that are not ours get status 400, before anything reads their Host field."""

from collections.abc import Sequence

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.http.hosts import host_field, parse_host
from portico.web.middleware.hosts import AllowedHosts, location, names_of
from portico.web.middleware.refusal import refuse, respond
from portico.web.responses import RedirectResponse

INVALID_HOST = "Invalid host header"


class TrustedHostMiddleware:
    """Refuse requests whose Host field is missing, doubled, malformed or names a host that is not listed.

    Names are compared literally but for case, without the port: a trailing dot makes another name.

    Args:
        app: The application inside.
        allowed_hosts: Names such as `example.com` or `[::1]`; `*.example.com` is every name below that one, `*`
            (the default) any.
        www_redirect: Whether requests for `example.com` are sent on to a `www.example.com` that is listed.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str] | None = None, www_redirect: bool = True) -> None:
        self.app = app
        self.hosts = AllowedHosts(["*"] if allowed_hosts is None else names_of(allowed_hosts))
        self.allowed_hosts = self.hosts.names
        self.allow_any = self.hosts.any
        self.www_redirect = www_redirect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.allow_any or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        value = host_field(scope["headers"])
        if self.hosts.allows(value):
            await self.app(scope, receive, send)
            return
        host = None if value is None else parse_host(value)
        if self.www_redirect and host is not None and "www." + host.name in self.hosts.exact:
            port = "" if host.port is None else f":{host.port}"
            response = RedirectResponse(location(scope, scope.get("scheme", "http"), f"www.{host.name}{port}"))
            await respond(response, scope, receive, send)
            return
        await refuse(scope, receive, send, 400, INVALID_HOST)
