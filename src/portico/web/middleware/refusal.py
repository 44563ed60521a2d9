"""The answer of a layer that lets a request go no further."""

from collections.abc import Mapping

from portico.asgi import Receive, Scope, Send
from portico.web.responses import PlainTextResponse, Response

POLICY_VIOLATION = 1008


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
