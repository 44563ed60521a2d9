"""Who makes the request: asked of a backend before the application runs, and kept as `request.user` and `.auth`."""

from collections.abc import Callable

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, UnauthenticatedUser
from portico.web.requests import HTTPConnection
from portico.web.responses import PlainTextResponse, Response


class AuthenticationMiddleware:
    """Ask a backend who makes each request or opens each WebSocket.

    Args:
        app: The application inside.
        backend: Tells who it is, or raises AuthenticationError.
        on_error: Makes the response to wrong credentials; status 400 with the error's text by default. A WebSocket is
            closed instead.
    """

    def __init__(
        self,
        app: ASGIApp,
        backend: AuthenticationBackend,
        on_error: Callable[[HTTPConnection, AuthenticationError], Response] | None = None,
    ) -> None:
        self.app = app
        self.backend = backend
        self.on_error = self.default_on_error if on_error is None else on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            await self.app(scope, receive, send)
            return
        conn: HTTPConnection = HTTPConnection(scope)
        try:
            found = await self.backend.authenticate(conn)
        except AuthenticationError as error:
            response = self.on_error(conn, error)
            if kind == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            else:
                await response(scope, receive, send)
            return
        scope["auth"], scope["user"] = (AuthCredentials(), UnauthenticatedUser()) if found is None else found
        await self.app(scope, receive, send)

    @staticmethod
    def default_on_error(conn: HTTPConnection, exc: Exception) -> Response:
        """Return the error's text with status 400."""
        return PlainTextResponse(str(exc), status_code=400)
