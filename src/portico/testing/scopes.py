"""Scopes for requests that never were on a wire (ASGI HTTP and WebSocket 2.5), and applications of ASGI 2."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.http.urls import decode_path
from portico.testing.library import httpx

ASGIInstance = Callable[[Receive, Send], Awaitable[None]]
ASGI2App = Callable[[Scope], ASGIInstance]
ASGI3App = ASGIApp

PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
OFFERED = ("http.response.debug", "http.response.trailers", "http.response.early_hint")
OFFERED_IF_ASKED = ("http.response.pathsend",)


def extensions_offered(asked: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the extensions that HTTP scopes have, with those that the author of the test asks for.

    Raises:
        ValueError: For an extension that the test clients do not know.
    """
    names = tuple(asked)
    for name in names:
        if name not in OFFERED and name not in OFFERED_IF_ASKED:
            raise ValueError(f"extensions may have {', '.join(map(repr, OFFERED_IF_ASKED))}, not {name!r}")
    return OFFERED + tuple(name for name in names if name not in OFFERED)


def scope_of(
    request: httpx.Request,
    root_path: str,
    client: tuple[str, int] | None,
    state: dict[str, Any],
    extensions: Iterable[str],
) -> dict[str, Any]:
    """Return the scope that the request has: that of a WebSocket if its URL says `ws` or `wss`."""
    url = request.url
    scheme = url.scheme
    raw_path = url.raw_path.partition(b"?")[0]
    port = url.port
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    if "host" not in request.headers:
        headers.insert(0, (b"host", url.netloc))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": scheme,
        "path": decode_path(raw_path),
        "raw_path": raw_path,
        "root_path": root_path,
        "query_string": url.query,
        "headers": headers,
        "client": client,
        "server": [url.raw_host.decode("ascii"), PORTS.get(scheme) if port is None else port],
        "state": state.copy(),
    }
    if scheme not in ("ws", "wss"):
        scope["extensions"] = {name: {} for name in extensions}
        return scope
    del scope["method"]
    offered = request.headers.get("sec-websocket-protocol")
    scope["type"] = "websocket"
    scope["subprotocols"] = [] if offered is None else [name.strip() for name in offered.split(",")]
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def asgi3(app: ASGI3App | ASGI2App) -> ASGIApp:
    """Return the application itself, or, if it is of ASGI 2 (called with the scope alone), one of ASGI 3."""
    if not callable(app):
        raise TypeError(f"the test client needs an ASGI application, not {app!r}")
    return _single(app) if _is_double(app) else app  # type: ignore[arg-type, return-value]


def _is_double(app: Any) -> bool:
    called = app if inspect.isclass(app) or inspect.isroutine(app) else app.__call__
    if inspect.iscoroutinefunction(called):
        return False
    return _takes(app, 1) and not _takes(app, 3)


def _takes(app: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(app).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _single(app: ASGI2App) -> ASGIApp:
    async def single(scope: Scope, receive: Receive, send: Send) -> None:
        scope["asgi"] = {**scope["asgi"], "version": "2.0"}
        await app(scope)(receive, send)

    return single
