"""A bound on the time that the application takes for a request."""

import asyncio

from portico.asgi import ASGIApp, PorticoError, Receive, Scope, Send
from portico.web.handling import ResponseWatch
from portico.web.responses import PlainTextResponse


class RequestTimeout(PorticoError, TimeoutError):
    """The application took too long for a request whose response had started."""


class RequestTimeoutMiddleware:
    """Cancel the application where it takes too long for a request.

    If the response has not started the client gets a status that says so. If it has, RequestTimeout is raised and the
    server cuts the connection, so that the client does not take what it has for the whole. WebSockets have no limit.
    A thread cannot be cancelled: a sync endpoint that runs is waited for before the client gets its answer.
    A sync endpoint cannot be cancelled: the answer waits until its thread has returned.

    Args:
        app: The application inside.
        timeout_s: Seconds from the call of the application until it has returned, background tasks included.
        status_code: The status of the response, 503 or 504.
    """

    def __init__(self, app: ASGIApp, timeout_s: float, *, status_code: int = 504) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s is a number of seconds above 0, got {timeout_s!r}")
        if status_code not in (503, 504):
            raise ValueError(f"the status of a timeout is 503 or 504, got {status_code!r}")
        self.app = app
        self.timeout_s = timeout_s
        self.status_code = status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        watch = send if type(send) is ResponseWatch else ResponseWatch(send)
        timeout = asyncio.timeout(self.timeout_s)
        try:
            async with timeout:
                await self.app(scope, receive, watch)
        except TimeoutError:
            if not timeout.expired():
                raise  # one of the application's own
            if watch.started:
                raise RequestTimeout(
                    f"the application did not end within {self.timeout_s} s after its request began"
                ) from None
            text = "Service Unavailable" if self.status_code == 503 else "Gateway Timeout"
            await PlainTextResponse(text, status_code=self.status_code)(scope, receive, send)
