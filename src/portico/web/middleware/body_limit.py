"""A bound on the size of a request's body, checked by its declared length first and while it is read.

One counter serves all limits of a request: a limit further in (of a router, a mount, a route) replaces the value
that the counter is compared with, so it may be larger or smaller than the one around it.
"""

from collections.abc import Awaitable

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.exceptions import HTTPException
from portico.web.middleware.refusal import with_error_headers
from portico.web.responses import PlainTextResponse

MAX_BODY_SIZE_SCOPE_KEY = "portico.max_body_size"
BODY_SCOPE_KEY = "portico.bounded_body"

_TEXT = "Content Too Large"
_ABSENT = object()


class _RequestBodyTooLarge(HTTPException):
    """The body is larger than the limit in force."""

    def __init__(self) -> None:
        super().__init__(status_code=413, detail=_TEXT)


class _RequestBodyLimitResponseSent(Exception):
    """The client has been told; what the application still does for this request is in vain."""


def is_refused_outside(scope: Scope, error: Exception) -> bool:
    """Tell whether a limit around this application answers the exception: a mounted application leaves it alone."""
    return isinstance(error, _RequestBodyTooLarge | _RequestBodyLimitResponseSent) and BODY_SCOPE_KEY in scope


class RequestBodyLimitMiddleware:
    """Refuse request bodies above a size with 413, whether or not they declare their length.

    Args:
        app: The application inside.
        max_body_size: The limit in bytes. A limit further in replaces it, whichever is larger.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        outer_limit = scope.get(MAX_BODY_SIZE_SCOPE_KEY, _ABSENT)
        scope[MAX_BODY_SIZE_SCOPE_KEY] = self.max_body_size
        body: _BoundedBody | None = scope.get(BODY_SCOPE_KEY)
        if body is not None:
            body.limit = self.max_body_size
            if body.size > body.limit:
                raise _RequestBodyTooLarge()
            await self.app(scope, receive, send)
            return
        body = scope[BODY_SCOPE_KEY] = _BoundedBody(scope, receive, send, self.max_body_size)
        try:
            await self.app(scope, body, body.send)
        except _RequestBodyTooLarge:
            if body.response_started:
                raise
            await _refuse(scope, receive, send)
        except _RequestBodyLimitResponseSent:
            pass
        except ExceptionGroup as group:  # from tasks in which the body was read
            _, others = group.split((_RequestBodyTooLarge, _RequestBodyLimitResponseSent))
            if others is not None or (body.response_started and not body.refused):
                raise
            if not body.refused:
                await _refuse(scope, receive, send)
        finally:
            scope.pop(BODY_SCOPE_KEY, None)
            if outer_limit is _ABSENT:
                scope.pop(MAX_BODY_SIZE_SCOPE_KEY, None)
            else:
                scope[MAX_BODY_SIZE_SCOPE_KEY] = outer_limit


class _BoundedBody:
    """A `receive` that counts, and the `send` beside it, which refuses what was too large but never read."""

    __slots__ = ("__wrapped__", "declared", "limit", "outer_send", "refused", "response_started", "scope", "size")

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self.scope = scope
        self.__wrapped__ = receive  # where a request finds the body that a layer outside has read
        self.outer_send = send
        self.limit = limit
        self.declared = _declared_length(scope)
        self.size = 0
        self.response_started = False
        self.refused = False

    async def __call__(self) -> Message:
        if self.declared > self.limit:
            raise _RequestBodyTooLarge()
        message = await self.__wrapped__()
        if message["type"] == "http.request":
            self.replayed(self.size + len(message.get("body", b"")))
        return message

    def replayed(self, size: int) -> None:
        """Note how much of the body there has been; also what a layer outside has read, when it is read again."""
        if size > self.size:
            self.size = size
            if size > self.limit:
                raise _RequestBodyTooLarge()

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.response_started = True
            # Only now is it sure that no limit further in allows the declared length.
            if self.declared > self.limit and message["status"] != 413:
                return self._refuse_instead()
        return self.outer_send(message)

    async def _refuse_instead(self) -> None:
        self.refused = True
        await _refuse(self.scope, self.__wrapped__, self.outer_send)
        raise _RequestBodyLimitResponseSent()


def _declared_length(scope: Scope) -> int:
    for name, value in scope.get("headers", ()):
        if name == b"content-length":
            if not value.isdigit():
                return 0  # nonsense, which servers refuse; the body is counted anyway
            # Python converts no more than some thousands of digits.
            return int(value) if len(value) < 20 else 10**20
    return 0


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(_TEXT, status_code=413)(scope, receive, with_error_headers(scope, send))
