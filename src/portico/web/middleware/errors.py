"""The outermost layer: an exception nobody handled becomes a 500 response, and goes on to the server's log."""

from collections.abc import Callable
from typing import Any

from portico.asgi import ASGIApp, ClientDisconnected, Receive, Scope, Send
from portico.web.concurrency import is_async_callable, run_in_threadpool
from portico.web.handling import ResponseWatch
from portico.web.middleware.body_limit import is_refused_outside
from portico.web.middleware.refusal import with_error_headers
from portico.web.requests import Request
from portico.web.responses import HTMLResponse, PlainTextResponse, Response
from portico.web.types import ExceptionHandler


class ServerErrorMiddleware:
    """Answer unhandled exceptions with status 500 and raise them again, so that the server logs them.

    Args:
        app: The application inside.
        handler: Makes the response, from the request and the exception; a line of plain text without it.
        debug: Answer with a page about the exception instead: never where strangers can see it.
    """

    debug_locals = False
    """Whether the debug page shows the local variables of each frame. They may hold secrets."""

    def __init__(self, app: ASGIApp, handler: ExceptionHandler | None = None, debug: bool = False) -> None:
        self.app = app
        self.handler = handler
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watch = send if type(send) is ResponseWatch else ResponseWatch(send)
        try:
            await self.app(scope, receive, watch)
        except ClientDisconnected:
            return  # nobody is left to be answered, and nothing is wrong
        except Exception as error:
            if not is_refused_outside(scope, error):
                await self._answer(error, scope, receive, send, watch.started)
            raise

    async def _answer(self, error: Exception, scope: Scope, receive: Receive, send: Send, started: bool) -> None:
        request = Request(scope, receive, send)
        send = with_error_headers(scope, send)
        try:
            response = await self._response(request, error, started)
        except Exception:
            if not started:
                await self.error_response(request, error)(scope, receive, send)
            raise
        if not started:
            await response(scope, receive, send)

    async def _response(self, request: Request, error: Exception, started: bool) -> Any:
        if self.debug:
            return None if started else await run_in_threadpool(self.debug_response, request, error)
        handler: Callable[..., Any] | None = self.handler
        if handler is None:
            return self.error_response(request, error)
        if is_async_callable(handler):
            response = await handler(request, error)
        else:
            response = await run_in_threadpool(handler, request, error)
        if response is None and not started:
            raise TypeError(f"the handler of server errors, {handler!r}, returned None; it has to return a response")
        return response

    def debug_response(self, request: Request, exc: Exception) -> Response:
        """Return the page about the exception, as plain text unless the client accepts HTML. Runs in a thread."""
        from portico.debugpage import HEADERS

        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_bytes(self._page(request, exc)), status_code=500, headers=HEADERS)
        return PlainTextResponse(_bytes(self.generate_plain_text(exc)), status_code=500, headers=HEADERS)

    def error_response(self, request: Request, exc: Exception) -> Response:
        """Return what the client gets when there is neither a handler nor the debug page."""
        return PlainTextResponse("Internal Server Error", status_code=500)

    def generate_html(self, exc: Exception, limit: int = 7) -> str:
        """Return the HTML page about the exception, with `limit` lines of source to a frame."""
        from portico.debugpage import page

        return page(exc, context_lines=limit, show_locals=self.debug_locals)

    def generate_plain_text(self, exc: Exception) -> str:
        """Return the exception as Python prints it."""
        from portico.debugpage import plain_text

        return plain_text(exc)

    def _page(self, request: Request, exc: Exception) -> str:
        if type(self).generate_html is not ServerErrorMiddleware.generate_html:
            return self.generate_html(exc)
        from portico.debugpage import page

        return page(exc, scope=request.scope, show_locals=self.debug_locals)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
