"""Middleware written as a function of a request that returns a response, `call_next` being the application inside.

The application runs in the task of the middleware, as far as its first message before `call_next` returns, and goes on
while its response is sent (see `driven`). Where the response is returned as it came, its messages go through untouched.
"""

import asyncio
from asyncio import CancelledError, current_task
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from portico.asgi import ASGIApp, ClientDisconnected, Message, Receive, Scope, Send
from portico.web.incoming import SCOPE_KEY, Incoming, find
from portico.web.middleware.driven import DONE, PAUSED, Run, Sending
from portico.web.requests import Request
from portico.web.responses import Response

if TYPE_CHECKING:
    from portico.web.background import BackgroundTask

WHOLE_BODY = ("http.response.pathsend", "http.response.zerocopysend")
MAX_CAUSES = 20

RequestResponseEndpoint = Callable[[Request], Awaitable[Response]]
DispatchFunction = Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]


class BaseHTTPMiddleware:
    """Run a function around each request: `await call_next(request)` in it gives the application's response.

    The function may look at the request, also read its body, which the application can read again; answer by itself;
    change the response's status, headers or `body_iterator`; or return another response. Then what the application
    still sends is dropped, and a stream of it is told that the client has gone.

    The body of a response that is not read by the function is never held: each message goes on as it is sent.
    An anyio cancel scope in the function should not end after `call_next` what began before it.

    Args:
        app: The application inside.
        dispatch: The function; a subclass has it as its method `dispatch`.
    """

    def __init__(self, app: ASGIApp, dispatch: DispatchFunction | None = None) -> None:
        self.app = app
        self.dispatch_func = self.dispatch if dispatch is None else dispatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request: Request = Request(scope, receive, send)
        call_next = _Next(self.app, request, send)
        try:
            response = await self.dispatch_func(request, call_next)
            if response is None:
                raise TypeError(f"{self.dispatch_func!r} returned None; it has to return a response")
            await response(scope, receive, send)
        except BaseException as error:
            if call_next.run is None or not await call_next.run.abandon(error):
                raise
            return
        run = call_next.run
        if run is not None and (not run.ended or run.send_to is None):
            await run.finish()

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Answer the request."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `dispatch`, or a function of that name")


class _Next:
    """The `call_next` of one request."""

    __slots__ = ("app", "request", "run", "send", "task")

    def __init__(self, app: ASGIApp, request: Request, send: Send) -> None:
        self.app = app
        self.request = request
        self.send = send
        self.task = current_task()
        self.run: _Exchange | None = None

    async def __call__(self, request: Request) -> Response:
        if self.run is not None and not self.run.ended:
            await self.run.finish()  # whoever calls twice wants the later response
        run = self.run = _Exchange(self.task, self.request, self.send)
        run.start(self.app, request.scope, run.incoming)
        start = await run
        if start is None:
            if run.incoming.over:  # nobody waits for the response any more
                raise CancelledError
            raise RuntimeError("No response returned.")
        if start["type"] != "http.response.start":
            raise RuntimeError(f"a response begins with the message 'http.response.start', got {start['type']!r}")
        return _StreamingResponse(run, start)


class _Exchange(Run):
    """One call of the application, with what it receives and what becomes of its messages."""

    started = False
    info: Any = None
    gone: ClientDisconnected | None = None  # what the application is told when its response is dropped

    def __init__(self, home: "asyncio.Task[Any] | None", request: Request, send: Send) -> None:
        self.home = self.task = home
        self.outer_send = send
        self.incoming = _Incoming(request)

    def send(self, message: Message) -> Awaitable[None]:
        send_to = self.send_to
        if send_to is not None:
            return send_to(message)
        if self.started:
            return Sending(self, message)
        kind = message["type"]
        if kind == "http.response.start":
            self.started = True
            return Sending(self, message)
        if kind == "http.response.debug":
            self.info = message["info"]
            return DONE
        return self.outer_send(message)  # early hints, pushes

    async def next_chunk(self) -> Message | None:
        """Return the next message of the body; None after the last."""
        if self.final:
            return None
        message = await self
        if message is None:
            self.final = True
            return None
        kind = message["type"]
        self.final = not message.get("more_body", False) if kind == "http.response.body" else kind in WHOLE_BODY
        return message

    async def finish(self) -> None:
        """Let the application come to its end after the response has been sent, or another one in its place."""
        final = self.final
        if final:
            self.forward(self.outer_send)
        else:
            self.incoming.over = True
            self.forward(self._drop)
        try:
            await self
        except CancelledError:
            # It may have been told to end because the client has gone, when the response was as good as sent.
            if self._is_being_cancelled():
                raise
        except Exception as error:
            if final or not _comes_of(error, self.gone):
                raise

    async def abandon(self, error: BaseException) -> bool:
        """End the application because the function around it has failed or been cancelled.

        Returns whether that was only because the application had seen the client go, and cancelled its own task.
        Raises what the application makes of another cancellation that was meant for it, such as the TimeoutError of a
        timeout. Its other errors are logged, for the caller has one to raise.
        """
        self.incoming.over = True
        self.send_to = self._refuse
        self.refuse_waiting(self._gone())
        if self.ended:
            return False
        if not isinstance(error, Exception | CancelledError):  # nothing may be awaited any more
            self.ended = True
            self.coroutine.close()
            return False
        cancelled = isinstance(error, CancelledError)
        self.throw = CancelledError(*error.args) if cancelled else self._gone()
        if self.blocked is not PAUSED and not cancelled:
            self.throw = None  # it is not the coroutine that has been sending
        try:
            await self
        except CancelledError:
            return False
        except Exception as inner:
            if cancelled and not self._is_being_cancelled():
                raise
            if not _comes_of(inner, self.gone):
                _log(inner)
        return cancelled and self.incoming.request._is_disconnected and not self._is_being_cancelled()

    def _is_being_cancelled(self) -> bool:
        return self.home is None or self.home.cancelling() > 0

    def _drop(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.body" and message.get("more_body", False):
            raise self._gone()
        return DONE

    def _refuse(self, message: Message) -> Awaitable[None]:
        raise self._gone()

    def _gone(self) -> ClientDisconnected:
        if self.gone is None:
            self.gone = ClientDisconnected("the response was dropped by a middleware")
        return self.gone


class _Incoming:
    """The `receive` of the application inside: it gives again what the function around it has read as a whole.

    What the function has read as a stream is gone: the application gets an empty body, as it has to get something.
    """

    over = False  # the response has been sent or dropped
    given = False  # the end of the body has been given
    gone = False
    noted: Incoming | None = None
    __wrapped__: Receive | None = None

    def __init__(self, request: Request) -> None:
        self.request = request
        if SCOPE_KEY in request.scope:
            noted = self.noted = find(request.scope, request._receive)
            if noted is not None and (noted.body is not None or noted.form is not None):
                # A request inside takes what was read as a whole from the note.
                self.__wrapped__ = request._receive

    async def __call__(self) -> Message:
        request = self.request
        if self.gone or self.over:
            return {"type": "http.disconnect"}
        if not self.given:
            message = self._again(request, self.noted)
            if message is not None:
                return message
        if request._is_disconnected:
            self.gone = True
            return {"type": "http.disconnect"}
        message = await request._receive()
        kind = message["type"]
        if kind == "http.disconnect":
            request._is_disconnected = self.gone = True
        elif kind == "http.request" and not message.get("more_body", False):
            request._stream_consumed = self.given = True
            if self.noted is not None:  # of which the function may have read a part
                self.noted.ended = self.noted.complete = True
        return message

    def _again(self, request: Request, noted: Incoming | None) -> Message | None:
        if noted is not None and noted.pending:
            message = noted.release()
            if not message.get("more_body", False):
                request._stream_consumed = self.given = True
            return message
        body = getattr(request, "_body", None)
        if body is None and noted is not None:
            body = noted.body
        if body is None and (request._stream_consumed or (noted is not None and noted.ended)):
            body = b""
        if body is None:
            return None
        self.given = True
        return {"type": "http.request", "body": body, "more_body": False}


class _Body:
    """The body of the application's response as it is sent: bytes, and whole messages of other kinds."""

    __slots__ = ("run",)

    def __init__(self, run: _Exchange) -> None:
        self.run = run

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> Any:
        while True:
            message = await self.run.next_chunk()
            if message is None:
                raise StopAsyncIteration
            if message["type"] != "http.response.body":
                return message
            body = message.get("body", b"")
            if body:
                return body

    async def aclose(self) -> None:
        """Read no further; the application learns it when the response has been sent that takes this one's place."""


class _StreamingResponse(Response):
    """The application's response, of which only the start has been sent."""

    body_iterator: AsyncIterable[Any]

    def __init__(self, run: _Exchange, start: Message) -> None:
        self.run = run
        self.start = start
        self.info = run.info
        self.status_code = start["status"]
        self.raw_headers = list(start.get("headers", ()))
        self.body_iterator = self.own_body = _Body(run)
        self.background: BackgroundTask | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = self.run
        if self.info is not None:
            await send({"type": "http.response.debug", "info": self.info})
        await send({**self.start, "status": self.status_code, "headers": self.raw_headers})
        if self.body_iterator is self.own_body and self.background is None:
            run.final = True
            run.forward(send)
            await run
            return
        sent_whole = False
        async for chunk in self.body_iterator:
            if isinstance(chunk, dict):
                sent_whole = sent_whole or chunk["type"] in WHOLE_BODY
                await send(chunk)
            else:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if not sent_whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()


def _comes_of(error: BaseException | None, told: ClientDisconnected | None) -> bool:
    """Tell whether an exception is there only because the application was told that the client has gone."""
    for _ in range(MAX_CAUSES):
        if error is None or told is None:
            return False
        if error is told or (isinstance(error, ClientDisconnected) and error.__context__ is told):
            return True
        if isinstance(error, BaseExceptionGroup):
            return all(_comes_of(inner, told) for inner in error.exceptions)
        error = error.__cause__
    return False


def _log(error: Exception) -> None:
    import logging

    logging.getLogger("portico.web").error("An application failed after its response had been dropped", exc_info=error)
