"""The ASGI vocabulary: scopes, messages, channels and applications (ASGI 3.0), and the errors an application can meet.

Imports nothing of ours, so that every layer may speak it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class PorticoError(Exception):
    """The root of every error that Portico raises on purpose."""


class MessageError(PorticoError, RuntimeError):
    """The application sent a message that ASGI does not allow there; the text says what was expected."""


class ClientDisconnected(PorticoError, OSError):
    """`send()` was called after the client had gone (ASGI HTTP 2.4: `send` raises an `OSError`)."""


def means_disconnected(error: BaseException | None) -> bool:
    """Tell whether an exception of an application is no more than its client having gone.

    Starlette raises a ClientDisconnect of its own for the OSError, and task groups put either into an exception group.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(means_disconnected(one) for one in error.exceptions)
    if error is not None and type(error).__name__ == "ClientDisconnect":
        error = error.__cause__ or error.__context__
    return isinstance(error, ClientDisconnected)


class WebSocketDisconnect(PorticoError):
    """The other side of a WebSocket has closed it, or has gone (ASGI WebSocket 2.5, `websocket.disconnect`).

    Args:
        code: The close code (RFC 6455 section 7.4).
        reason: The close reason.
    """

    def __init__(self, code: int = 1000, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or ""
