"""Who answers an exception: the handler of its status, else that of the nearest class in its family."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.concurrency import is_async_callable, run_in_threadpool
from portico.web.exceptions import HTTPException, WebSocketException

if TYPE_CHECKING:
    from portico.web.requests import Request
    from portico.web.responses import Response
    from portico.web.websockets import WebSocket

ExceptionHandlers = dict[Any, Callable[..., Any]]
StatusHandlers = dict[int, Callable[..., Any]]

POLICY_VIOLATION, INTERNAL_ERROR = 1008, 1011  # RFC 6455 section 7.4.1
HANDLERS_SCOPE_KEY = "portico.exception_handlers"


class ResponseWatch:
    """A `send` that remembers whether the response has started. A plain call, so that it costs no coroutine."""

    __slots__ = ("send", "started")

    def __init__(self, send: Send) -> None:
        self.send = send
        self.started = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
        return self.send(message)


def watched(send: Send) -> ResponseWatch:
    """Return `send` itself if it already knows whether the response has started, else one that does."""
    return send if type(send) is ResponseWatch else ResponseWatch(send)


def find_handler(scope: Scope, error: Exception) -> Callable[..., Any] | None:
    """Return the handler that the application and its routers have for the exception."""
    by_class, by_status = scope.get(HANDLERS_SCOPE_KEY, ({}, {}))
    family: tuple[type, ...] = type(error).__mro__
    if (status := _status(error)) is not None:
        handler = by_status.get(status)
        if handler is not None:
            return handler  # type: ignore[no-any-return]
        family += (HTTPException,)
    elif _is_called(WebSocketException.__name__, family) and hasattr(error, "code"):
        family += (WebSocketException,)
    for kind in family:
        if kind in by_class:
            return by_class[kind]  # type: ignore[no-any-return]
    return None


def _status(error: Exception) -> int | None:
    """Return the status that an HTTPException has, also one of a framework whose parts are mounted or called here."""
    if isinstance(error, HTTPException):
        return error.status_code
    if _is_called(HTTPException.__name__, type(error).__mro__):
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and hasattr(error, "detail"):
            return status
    return None


def _is_called(name: str, family: tuple[type, ...]) -> bool:
    return any(kind.__name__ == name for kind in family)


async def answered(
    error: Exception, conn: "Request | WebSocket", scope: Scope, receive: Receive, send: ResponseWatch
) -> bool:
    """Let the exception's handler answer the request; return False if it has none.

    Raises:
        RuntimeError: If there is a handler, but the response has already started.
    """
    handler = find_handler(scope, error)
    if handler is None:
        return False
    if send.started:
        raise RuntimeError("Caught handled exception, but response already started.") from error
    if is_async_callable(handler):
        response = await handler(conn, error)
    else:
        response = await run_in_threadpool(handler, conn, error)
    if response is not None:
        if not callable(response):
            raise TypeError(
                f"the exception handler {handler!r} returned {response!r}; it has to return a response, such as "
                "JSONResponse(...)"
            ) from error
        if scope["type"] == "websocket":
            await _refuse(conn, response, scope, receive, send)
        else:
            await response(scope, receive, send)
    error.__traceback__ = None  # its frames hold the request and everything it refers to
    return True


async def _refuse(conn: Any, response: "Response", scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket with a response, or end it where it is too late for that."""
    from portico.web.middleware.refusal import respond
    from portico.web.websockets import WebSocketState

    if conn.application_state is WebSocketState.CONNECTED:
        await conn.close(POLICY_VIOLATION if response.status_code < 500 else INTERNAL_ERROR)
    elif conn.application_state is WebSocketState.CONNECTING:
        await respond(response, scope, receive, send)


def wrap_app_handling_exceptions(app: ASGIApp, conn: "Request | WebSocket") -> ASGIApp:
    """Return an application whose exceptions are answered by the handlers in the connection's scope."""

    async def wrapped_app(scope: Scope, receive: Receive, send: Send) -> None:
        watch = watched(send)
        try:
            await app(scope, receive, watch)
        except Exception as error:
            if not await answered(error, conn, conn.scope, receive, watch):
                raise

    return wrapped_app


class HandledExceptions:
    """Answers what is raised inside, by these handlers before those of outer layers.

    Args:
        app: The application inside.
        handlers: Handlers by status or by class of exception: functions of a request and the exception that return a
            response; for a WebSocket, async functions of it and the exception.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[Any, Callable[..., Any]] | None = None) -> None:
        self.app = app
        self._exception_handlers: ExceptionHandlers = {}
        self._status_handlers: StatusHandlers = {}
        for key, handler in (handlers or {}).items():
            self.add_exception_handler(key, handler)

    def add_exception_handler(
        self, exc_class_or_status_code: int | type[Exception], handler: Callable[..., Any]
    ) -> None:
        """Set the handler of a status or of a class of exceptions."""
        if isinstance(exc_class_or_status_code, int):
            self._status_handlers[exc_class_or_status_code] = handler
        elif isinstance(exc_class_or_status_code, type) and issubclass(exc_class_or_status_code, Exception):
            self._exception_handlers[exc_class_or_status_code] = handler
        else:
            raise TypeError(
                f"an exception handler is for a status or a subclass of Exception, got {exc_class_or_status_code!r}"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        outer = scope.get(HANDLERS_SCOPE_KEY)
        if outer is None:
            scope[HANDLERS_SCOPE_KEY] = self._exception_handlers, self._status_handlers
        else:
            scope[HANDLERS_SCOPE_KEY] = outer[0] | self._exception_handlers, outer[1] | self._status_handlers
        watch = send if type(send) is ResponseWatch else ResponseWatch(send)
        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if not await answered(error, _connection(scope, receive, send), scope, receive, watch):
                raise
        finally:
            if outer is not None:
                scope[HANDLERS_SCOPE_KEY] = outer


def _connection(scope: Scope, receive: Receive, send: Send) -> "Request | WebSocket":
    if scope["type"] == "http":
        from portico.web.requests import Request

        return Request(scope, receive, send)
    from portico.web.websockets import WebSocket

    return WebSocket(scope, receive, send)
