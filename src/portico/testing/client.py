"""A test client that blocks: requests and WebSockets to an application that runs in an event loop in another thread."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from portico.asgi import ASGIApp, Message
from portico.lifespan import LifespanError
from portico.testing.exchange import Exchange
from portico.testing.library import httpx
from portico.testing.portal import LoopOptions, Portal, run_once
from portico.testing.requests import opened, upgrade_headers, websocket_url, with_agent
from portico.testing.scopes import ASGI2App
from portico.testing.session import Session, data_of, json_of, sent_json
from portico.testing.target import WHOLE, Target, raised_in

if TYPE_CHECKING:
    from httpx._types import CookieTypes, HeaderTypes, URLTypes


class WebSocketTestSession:
    """A WebSocket to the application, open while it is entered as a context manager."""

    __test__ = False

    def __init__(self, session: Session, client: "TestClient") -> None:
        self.app = session.app
        self.scope = session.scope
        self.accepted_subprotocol: str | None = None
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        self.portal: Portal
        self._session = session
        self._client = client
        self._stack: ExitStack

    def __enter__(self) -> Self:
        """Open the WebSocket; raises WebSocketDisconnect, or WebSocketDenialResponse, if the application refuses it."""
        with ExitStack() as stack:
            self.portal = stack.enter_context(self._client._portal_factory())
            self.portal.call(self._session.connect)
            self._stack = stack.pop_all()
        self.accepted_subprotocol = self._session.accepted_subprotocol
        self.extra_headers = self._session.extra_headers
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the WebSocket, wait for the application to end, and raise what it raised."""
        with self._stack:
            self.portal.call(self._session.leave)
        failure = self._session.take_error()
        if failure is not None:
            raise failure

    def send(self, message: Message) -> None:
        """Send an ASGI message, such as `{"type": "websocket.receive", "text": ...}`."""
        self.portal.call(self._session.send, message)

    def send_text(self, data: str) -> None:
        """Send a text message."""
        self.send({"type": "websocket.receive", "text": data})

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self.send({"type": "websocket.receive", "bytes": data})

    def send_json(self, data: Any, mode: Literal["text", "binary"] = "text") -> None:
        """Send a value as JSON, in a text or a binary message."""
        self.send(sent_json(data, mode))

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket from the client's side."""
        self.portal.call(self._session.close, code, reason)

    def receive(self) -> Message:
        """Return the application's next ASGI message; waits for it."""
        return self.portal.call(self._session.receive)

    def receive_text(self) -> str:
        """Return the application's next message, which is text; raises WebSocketDisconnect if it closes instead."""
        text: str = data_of(self.receive(), "text")
        return text

    def receive_bytes(self) -> bytes:
        """Return the application's next message, which is binary; raises WebSocketDisconnect if it closes instead."""
        data: bytes = data_of(self.receive(), "bytes")
        return data

    def receive_json(self, mode: Literal["text", "binary"] = "text") -> Any:
        """Return the value of the application's next message, which is JSON."""
        return json_of(self.receive(), mode)


class StreamedResponse(httpx.SyncByteStream):
    """The body of a response whose application is still running."""

    def __init__(self, exchange: Exchange, transport: "TestTransport", portal: Portal, stack: ExitStack) -> None:
        self._exchange = exchange
        self._transport = transport
        self._portal = portal
        self._stack = stack
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        while self._open and (chunk := self._portal.call(self._exchange.next_chunk)) is not None:
            yield chunk
        self.close()

    def close(self) -> None:
        """Leave the response, or wait for an application that has completed it; raises what the application raised."""
        self._end(self._exchange.close)

    def abort(self) -> None:
        """Leave the response, and do not wait for the application."""
        self._end(self._exchange.abort)

    def _end(self, leave: Any) -> None:
        if not self._open:
            return
        self._open = False
        self._transport.unclosed.discard(self)
        with self._stack:
            self._portal.call(leave)
        self._transport.target.check(self._exchange)


class TestTransport(httpx.BaseTransport):
    """Carries the requests of a TestClient to its application."""

    __test__ = False

    def __init__(self, target: Target, client: "TestClient") -> None:
        self.target = target
        self.unclosed: set[StreamedResponse] = set()
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = self.target
        upgrade = target.upgrade(request)
        if upgrade is not None:
            return upgrade
        exchange = target.exchange(request)
        if request.extensions.get(WHOLE):
            portal = self._client.portal
            if portal is None:
                run_once(self._client._loop_options, exchange.run)
            else:
                portal.call(exchange.run)
            target.check(exchange)
            return target.response(exchange, request)
        with ExitStack() as stack:
            portal = stack.enter_context(self._client._portal_factory())
            portal.call(exchange.start)
            if not exchange.status:
                target.check(exchange)
                return target.response(exchange, request)
            stream = StreamedResponse(exchange, self, portal, stack.pop_all())
        self.unclosed.add(stream)
        return target.response(exchange, request, stream)

    def close(self) -> None:
        """Leave the responses that were not closed."""
        with ExitStack() as stack:
            for stream in tuple(self.unclosed):
                stack.callback(stream.abort)


class TestClient(httpx.Client):
    """Send requests to an ASGI application as an HTTP client would, without a socket.

    Entered as a context manager it runs the application's lifespan, and one event loop for all requests; otherwise
    each request has an event loop of its own. Responses of `stream()` arrive while the application is running.

    Args:
        app: The application.
        base_url: What relative URLs are relative to.
        raise_server_exceptions: Raise in the test what the application raises; it is a status 500 otherwise.
        root_path: The `root_path` of the scopes.
        backend: `asyncio`, the only one.
        backend_options: For the event loop: `debug`, `loop_factory`, `use_uvloop`.
        cookies: Cookies of the client.
        headers: Header fields of every request.
        follow_redirects: Whether redirects are followed.
        client: The address that the application sees.
        lifespan: Whether the application has to have a lifespan (`on`), may have (`auto`), or is not asked (`off`).
        extensions: ASGI extensions to offer besides those that always are: `http.response.pathsend`.
    """

    __test__ = False
    portal: Portal | None = None
    timeout_warning: type[Warning] = UserWarning

    def __init__(
        self,
        app: ASGIApp | ASGI2App,
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        backend: str = "asyncio",
        backend_options: dict[str, Any] | None = None,
        cookies: "CookieTypes | None" = None,
        headers: "HeaderTypes | None" = None,
        follow_redirects: bool = True,
        client: tuple[str, int] | None = ("testclient", 50000),
        *,
        lifespan: Literal["on", "auto", "off"] = "on",
        extensions: Iterable[str] = (),
    ) -> None:
        if backend != "asyncio":
            raise ValueError(f"backend must be 'asyncio', the only one that Portico has, not {backend!r}")
        self._target = Target(app, raise_server_exceptions, root_path, client, lifespan, extensions)
        self._loop_options = LoopOptions(**(backend_options or {}))
        self._stack = ExitStack()
        self.app = self._target.app
        self.app_state = self._target.state
        super().__init__(
            base_url=base_url,
            headers=with_agent(headers),
            transport=TestTransport(self._target, self),
            follow_redirects=follow_redirects,
            cookies=cookies,
        )

    @contextmanager
    def _portal_factory(self) -> Iterator[Portal]:
        """Give the loop that is running, or one for as long as this lasts."""
        if self.portal is not None:
            yield self.portal
            return
        portal = Portal(self._loop_options)
        try:
            yield portal
        finally:
            portal.stop()

    def request(
        self, method: str, url: "URLTypes", *, timeout: Any = httpx.USE_CLIENT_DEFAULT, **kwargs: Any
    ) -> httpx.Response:
        """Send a request and return its whole response; the arguments are those of `httpx.Client.request`."""
        if timeout is not httpx.USE_CLIENT_DEFAULT:
            warnings.warn(
                "You should not use the 'timeout' argument with the TestClient. There is no network that it is for.",
                self.timeout_warning,
                stacklevel=3,
            )
        return super().request(method, url, timeout=timeout, **kwargs)

    def send(self, request: httpx.Request, *, stream: bool = False, **kwargs: Any) -> httpx.Response:
        """Send a request that is built; with `stream`, return as soon as the response starts."""
        request.extensions = {**request.extensions, WHOLE: not stream}
        return super().send(request, stream=stream, **kwargs)

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **kwargs: Any
    ) -> WebSocketTestSession:
        """Return a WebSocket, to be entered as a context manager, which opens it.

        Args:
            url: A path, or a URL with `ws` or `wss`.
            subprotocols: What the client offers.
            kwargs: As for `request`: headers, params, cookies ...
        """
        kwargs["headers"] = upgrade_headers(kwargs.get("headers"), subprotocols)
        response = super().request("GET", websocket_url(self.base_url, url), **kwargs)
        return WebSocketTestSession(opened(response), self)

    def __enter__(self) -> Self:
        """Start the event loop and the application; raises what the application raises in its startup."""
        if self.portal is not None:
            raise RuntimeError("the test client is entered already")
        with ExitStack() as stack:
            self.portal = portal = stack.enter_context(self._portal_factory())
            stack.callback(setattr, self, "portal", None)
            lifespan = self._target.lifespan()
            self._ask(portal, lifespan.startup)
            stack.callback(self._ask, portal, lifespan.shutdown, None)
            stack.callback(self._transport.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *args: object) -> None:
        """Leave the responses that are open, shut the application down and end the event loop."""
        self._stack.close()

    @staticmethod
    def _ask(portal: Portal, stage: Any, *args: Any) -> None:
        failure = None
        try:
            portal.call(stage, *args)
        except LifespanError as error:
            failure = raised_in(error, stage.__self__.supported)
        if failure is not None:
            raise failure
