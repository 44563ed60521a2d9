"""What `debug` does: an application's failure is shown to whoever called, and frameworks that can show it do so.

Whoever can call sees source code: this is for a developer's own machine.
"""

from typing import Any

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.debugpage import HEADERS, page, plain_text

# Their `debug` may be set until the first request: that is when they build what looks at it.
FRAMEWORKS = ("portico", "starlette", "fastapi", "litestar", "flask", "quart")
INTERNAL_ERROR = 1011
MAX_REASON = 123  # bytes (RFC 6455 §5.5)


def debugging(app: ASGIApp, original: Any = None) -> ASGIApp:
    """Return the application with pages about what it lets go wrong, and the original, as imported, in debug mode."""
    switch_on(app if original is None else original)

    async def debugged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        answered = ""

        async def watched(message: Message) -> None:
            nonlocal answered
            await send(message)
            answered = message["type"]

        try:
            await app(scope, receive, watched)
        except Exception as error:
            # What is wrong with the answer must not hide what was wrong before.
            try:
                await _answer(error, scope, send, answered)
            except Exception:
                pass
            raise

    return debugged


def switch_on(app: Any) -> None:
    """Set `debug` of a framework's application, behind the middleware around it too."""
    seen: set[int] = set()
    while app is not None and id(app) not in seen:
        seen.add(id(app))
        roots = {kind.__module__.partition(".")[0] for kind in type(app).__mro__}
        if not roots.isdisjoint(FRAMEWORKS) and getattr(app, "debug", None) is False:
            app.debug = True
        app = getattr(app, "app", None)


async def _answer(error: Exception, scope: Scope, send: Send, answered: str) -> None:
    if scope["type"] == "http":
        if not answered:
            await _send_page("http.response", error, scope, send)
    elif answered == "websocket.accept" or answered == "websocket.send":
        reason = f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:MAX_REASON]
        await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": reason.decode("utf-8", "ignore")})
    elif not answered and "websocket.http.response" in (scope.get("extensions") or {}):
        await _send_page("websocket.http.response", error, scope, send)


async def _send_page(kind: str, error: Exception, scope: Scope, send: Send) -> None:
    accepts = b",".join(value for name, value in scope["headers"] if name == b"accept")
    is_html = b"text/html" in accepts
    body = (page(error, scope=scope) if is_html else plain_text(error)).encode("utf-8", "backslashreplace")
    media_type = "text/html" if is_html else "text/plain"
    fields = HEADERS | {"content-type": f"{media_type}; charset=utf-8", "content-length": str(len(body))}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": f"{kind}.start", "status": 500, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
