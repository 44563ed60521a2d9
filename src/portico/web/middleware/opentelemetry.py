"""A server span for each HTTP request, by the semantic conventions of OpenTelemetry. Needs `opentelemetry-api`."""

import importlib.metadata
import re
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry import propagate, trace
except ImportError:
    raise ImportError(
        "OpenTelemetryMiddleware needs the package opentelemetry-api: pip install opentelemetry-api"
    ) from None

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.datastructures import URL
from portico.web.routing import Mount

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

try:
    VERSION = importlib.metadata.version("portico")
except importlib.metadata.PackageNotFoundError:  # run from its sources
    VERSION = ""
TRACED_SCOPE_KEY = "portico.opentelemetry"


class OpenTelemetryMiddleware:
    """Record a span for each HTTP request, named by its route. Experimental: what it records may change.

    Args:
        app: The application inside.
        excluded_urls: Regular expressions, in a sequence or separated by commas, that are searched in the whole URL:
            requests that match are not recorded.
        tracer_provider: Where spans go; the global provider by default.
        meter_provider: Kept for metrics, of which there are none yet.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        excluded_urls: str | Sequence[str] = (),
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
    ) -> None:
        self.app = app
        if isinstance(excluded_urls, str):
            excluded_urls = [pattern.strip() for pattern in excluded_urls.split(",") if pattern.strip()]
        self._excluded = [re.compile(pattern) for pattern in excluded_urls]
        self._provider = tracer_provider or trace.get_tracer_provider()
        self._meter_provider = meter_provider
        self._is_off = isinstance(self._provider, trace.NoOpTracerProvider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_off or scope["type"] != "http" or TRACED_SCOPE_KEY in scope:
            await self.app(scope, receive, send)
            return
        scope[TRACED_SCOPE_KEY] = True  # a mounted application does not record the request again
        try:
            await self._traced(scope, receive, send)
        finally:
            scope.pop(TRACED_SCOPE_KEY, None)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = URL(scope=scope)
        if self._excluded:
            text = str(url)
            if any(pattern.search(text) for pattern in self._excluded):
                await self.app(scope, receive, send)
                return
        method = scope.get("method", "").upper()
        fields = _fields(scope)
        tracer = self._provider.get_tracer("portico", VERSION)
        with tracer.start_as_current_span(
            method,
            context=propagate.extract(fields),
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(scope, url, method, fields),
        ) as span:
            try:
                await self.app(scope, receive, _Recorded(send, span))
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                raise
            finally:
                route = _route_path(scope)
                if route is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


class _Recorded:
    """A `send` that records the status."""

    __slots__ = ("send", "span")

    def __init__(self, send: Send, span: "Span") -> None:
        self.send = send
        self.span = span

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            status = message["status"]
            self.span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self.span.set_attribute("error.type", str(status))
                self.span.set_status(trace.Status(trace.StatusCode.ERROR))
        return self.send(message)


def _fields(scope: Scope) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in scope.get("headers", ()):
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return fields


def _attributes(scope: Scope, url: URL, method: str, fields: dict[str, list[str]]) -> dict[str, Any]:
    server = scope.get("server")
    client = scope.get("client")
    original = scope.get("method", "")
    found: dict[str, Any] = {
        "http.request.method": method,
        "http.request.method_original": original if original != method else None,
        "url.path": scope.get("path", ""),
        "url.scheme": scope.get("scheme", "http"),
        "url.query": url.query or None,
        "server.address": url.hostname,
        "network.protocol.version": scope.get("http_version") or None,
        "client.address": client[0] if client is not None else None,
        "user_agent.original": fields.get("user-agent", [None])[0] or None,
    }
    if url.hostname is not None:
        found["server.port"] = url.port if url.port is not None else server[1] if server is not None else None
    return {name: value for name, value in found.items() if value is not None}


def _route_path(scope: Scope) -> str | None:
    route = scope.get("route")
    root: str = scope.get("root_path", "")
    if isinstance(route, Mount):
        return root or "/"
    path = getattr(route, "path_format", None)
    return root.rstrip("/") + path or "/" if isinstance(path, str) else None
