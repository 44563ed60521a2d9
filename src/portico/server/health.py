"""The health of a worker, told by the worker itself: 200 while it serves, 503 once it is to stop."""

from collections.abc import Awaitable, Callable

from portico.asgi import ASGIApp, Receive, Scope, Send

TYPE = (b"content-type", b"text/plain; charset=utf-8")
# A probe must see what is, not what was.
FRESH = (b"cache-control", b"no-store")


def answering(app: ASGIApp, path: str, is_ready: Callable[[], bool]) -> ASGIApp:
    """Return an application that answers requests for the path, and leaves all else to `app`."""

    # Plain, not async: other requests cost a call and a comparison, and no coroutine around the application's.
    def health_or_app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["path"] == path:
            return _answer(scope["method"], is_ready(), send)
        return app(scope, receive, send)

    return health_or_app


async def _answer(method: str, ready: bool, send: Send) -> None:
    status, body, fields = (200, b"ok", [TYPE, FRESH]) if ready else (503, b"stopping", [TYPE, FRESH])
    if method not in ("GET", "HEAD"):
        status, body, fields = 405, b"use GET or HEAD", [TYPE, (b"allow", b"GET, HEAD")]
    fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
