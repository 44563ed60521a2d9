"""The answer of a layer that lets a request go no further."""

from collections.abc import Awaitable, Callable, Mapping

from portico.asgi import Message, Receive, Scope, Send
from portico.web.datastructures import MutableHeaders
from portico.web.responses import PlainTextResponse, Response

POLICY_VIOLATION = 1008
# Layers inside, such as CORS, leave functions here that add their fields to a response that does not pass them.
ERROR_HEADERS_SCOPE_KEY = "portico.error_headers"


async def refuse(
    scope: Scope, receive: Receive, send: Send, status_code: int, text: str, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with a text; a WebSocket's handshake is refused with it, or closed where the server cannot send it."""
    await respond(PlainTextResponse(text, status_code, headers), scope, receive, send)


async def respond(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the response; a WebSocket's handshake is closed where the server cannot send one."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", ()):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        return
    await response(scope, receive, send)


def with_error_headers(scope: Scope, send: Send) -> Send:
    """Return a `send` for a response to an error, to which the layers inside add their fields."""
    hooks: list[Callable[[MutableHeaders], object]] | None = scope.get(ERROR_HEADERS_SCOPE_KEY)
    if not hooks:
        return send

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for hook in hooks:
                hook(headers)
            message = {**message, "headers": headers.raw}
        return send(message)

    return send_with_headers
