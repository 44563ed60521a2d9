"""Answers to the exceptions that mean a response, and to those that the application has handlers for."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from portico.asgi import ASGIApp
from portico.http.status import forbids_body
from portico.web.exceptions import HTTPException, WebSocketException
from portico.web.handling import HandledExceptions
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.websockets import WebSocket


class ExceptionMiddleware(HandledExceptions):
    """The innermost layer of an application: HTTPException and WebSocketException, unless there is another handler."""

    def __init__(
        self, app: ASGIApp, handlers: Mapping[Any, Callable[..., Any]] | None = None, debug: bool = False
    ) -> None:
        self.debug = debug
        super().__init__(
            app,
            {HTTPException: self.http_exception, WebSocketException: self.websocket_exception, **(handlers or {})},
        )

    async def http_exception(self, request: Request, exc: Exception) -> Response:
        """Return the status, detail and header fields of an HTTPException as a response."""
        error = cast(HTTPException, exc)  # or what another framework calls so
        headers = getattr(error, "headers", None)
        if forbids_body(error.status_code):
            return Response(status_code=error.status_code, headers=headers)
        return PlainTextResponse(error.detail, status_code=error.status_code, headers=headers)

    async def websocket_exception(self, websocket: WebSocket, exc: Exception) -> None:
        """Close the WebSocket as a WebSocketException says."""
        error = cast(WebSocketException, exc)  # or what another framework calls so
        await websocket.close(code=error.code, reason=error.reason)
