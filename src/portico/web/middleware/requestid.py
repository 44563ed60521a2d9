"""A name for each request, for logs on both sides to agree on."""

import os
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.datastructures import MutableHeaders
from portico.web.middleware.refusal import ERROR_HEADERS_SCOPE_KEY

__all__ = ["RequestIDMiddleware", "current_request_id", "new_request_id"]

MAX_LENGTH = 128
# No spaces, quotes, line ends or escapes: the id goes into logs and headers as it is.
CHARACTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+/=@~"

_request_id: ContextVar[str | None] = ContextVar("portico_request_id", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being handled here, None outside of one."""
    return _request_id.get()


def new_request_id() -> str:
    """Return an id that nobody has: 128 random bits in hexadecimal digits."""
    return os.urandom(16).hex()


class RequestIDMiddleware:
    """Give each request and WebSocket an id: in `request.state.request_id`, the response's fields, and the context.

    Args:
        app: The application inside.
        header: The field that carries the id, in requests and responses.
        trust_incoming: Whether to keep an id that the request has, if it is well-formed: up to 128 letters, digits
            and the characters `-_.:+/=@~`.
        generator: Makes an id where there is none to keep.
    """

    def __init__(
        self,
        app: ASGIApp,
        header: str = "X-Request-ID",
        *,
        trust_incoming: bool = True,
        generator: Callable[[], str] = new_request_id,
    ) -> None:
        self.app = app
        self.header = header.lower().encode("latin-1")
        self.trust_incoming = trust_incoming
        self.generator = generator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            await self.app(scope, receive, send)
            return
        value = self._incoming(scope) if self.trust_incoming else None
        if value is None:
            value = self.generator().encode("latin-1")
        text = value.decode("latin-1")
        scope.setdefault("state", {})["request_id"] = text
        named = _Named(send, (self.header, value))
        scope.setdefault(ERROR_HEADERS_SCOPE_KEY, []).append(named.name_error)
        token = _request_id.set(text)
        try:
            await self.app(scope, receive, named)
        finally:
            _request_id.reset(token)

    def _incoming(self, scope: Scope) -> bytes | None:
        found: bytes | None = None
        for name, value in scope.get("headers", ()):
            if name == self.header:
                if found is not None:
                    return None  # nobody knows which of them the client's log has
                found = value
        if not found or len(found) > MAX_LENGTH or found.translate(None, CHARACTERS):
            return None
        return found


class _Named:
    """A `send` that adds the id to the response."""

    __slots__ = ("field", "send")

    def __init__(self, send: Send, field: tuple[bytes, bytes]) -> None:
        self.send = send
        self.field = field

    def __call__(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            name = self.field[0]
            headers = [field for field in message.get("headers", ()) if field[0] != name]
            headers.append(self.field)
            message = {**message, "headers": headers}
        return self.send(message)

    def name_error(self, headers: MutableHeaders) -> None:
        """Add the id to a 500 response, which is made outside of this."""
        name, value = self.field
        headers[name.decode("latin-1")] = value.decode("latin-1")
