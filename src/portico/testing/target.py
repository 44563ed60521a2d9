"""What a test client drives, and how: from a request of the HTTP library to the application, and back to a response."""

from collections.abc import Iterable
from typing import Any

from portico.asgi import ASGIApp
from portico.lifespan import Lifespan, LifespanError
from portico.testing.bodies import RequestBody
from portico.testing.exchange import Exchange, ProtocolViolation
from portico.testing.library import httpx
from portico.testing.scopes import ASGI2App, asgi3, extensions_offered, scope_of
from portico.testing.session import Session

WHOLE = "portico.whole"  # in a request's extensions: whether its response is taken whole, not streamed
SESSION = "portico.session"  # in a response's extensions: the WebSocket that the request opens
LIFESPAN_MODES = ("on", "auto", "off")


class Target:
    """An application with what its scopes say besides the request.

    Args:
        app: The application, of ASGI 3 or 2.
        raise_server_exceptions: Whether what the application raises reaches the test; it is a status 500 otherwise.
        root_path: The scopes' root path.
        client: The scopes' client address.
        lifespan: `on`, `auto` or `off`, as in `portico.lifespan`.
        extensions: Names of ASGI extensions that are offered besides those that always are.
    """

    def __init__(
        self,
        app: ASGIApp | ASGI2App,
        raise_server_exceptions: bool,
        root_path: str,
        client: tuple[str, int] | None,
        lifespan: str,
        extensions: Iterable[str],
    ) -> None:
        if lifespan not in LIFESPAN_MODES:
            raise ValueError(f"lifespan must be 'on', 'auto' or 'off', not {lifespan!r}")
        self.app = asgi3(app)
        self.state: dict[str, Any] = {}
        self._raises = raise_server_exceptions
        self._root_path = root_path
        self._client = client
        self._lifespan = lifespan
        self._extensions = extensions_offered(extensions)

    def scope(self, request: httpx.Request) -> dict[str, Any]:
        """Return the scope of the request."""
        return scope_of(request, self._root_path, self._client, self.state, self._extensions)

    def upgrade(self, request: httpx.Request) -> httpx.Response | None:
        """Return the response to a request that opens a WebSocket, with the session in it; None for another request."""
        if request.url.scheme not in ("ws", "wss"):
            return None
        session = Session(self.app, self.scope(request))
        return httpx.Response(101, request=request, extensions={SESSION: session})

    def exchange(self, request: httpx.Request) -> Exchange:
        """Return the exchange for the request, not started."""
        return Exchange(self.app, self.scope(request), RequestBody(request))

    def response(
        self,
        exchange: Exchange,
        request: httpx.Request,
        stream: httpx.SyncByteStream | httpx.AsyncByteStream | None = None,
    ) -> httpx.Response:
        """Return the response of an exchange: its whole body, or what streams it."""
        if stream is None:
            stream = httpx.ByteStream(b"".join(exchange.chunks))
        response = httpx.Response(exchange.status or 500, headers=exchange.headers, stream=stream, request=request)
        response.extensions = exchange.extensions  # which trailers may still be added to
        debug = exchange.extensions.get("http.response.debug")
        if debug is not None:
            for name in ("template", "context"):
                if name in debug:
                    setattr(response, name, debug[name])
        return response

    def check(self, exchange: Exchange) -> None:
        """Raise what the application raised, or that it did not answer, if the test wants to know."""
        error = exchange.take_error()
        if error is not None:
            if self._raises or not isinstance(error, Exception):
                raise error
        elif not exchange.status and self._raises:
            raise ProtocolViolation("TestClient did not receive any response.")

    def lifespan(self) -> Lifespan:
        """Return the application's lifespan, not started."""
        return Lifespan(self.app, self._lifespan, state=self.state)


def raised_in(failure: LifespanError, supported: bool) -> BaseException:
    """Return what the application raised in its lifespan, or else what it said of its failure."""
    if failure.__cause__ is not None:
        return failure.__cause__
    if supported:
        return failure
    return ProtocolViolation(
        "the application returned from its lifespan without an answer; pass lifespan='auto' if it has none"
    )
