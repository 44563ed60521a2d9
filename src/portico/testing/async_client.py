"""A test client for async tests: the application runs in the test's own event loop, and shares what lives in it."""

from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from portico.asgi import ASGIApp, Message
from portico.lifespan import LifespanError
from portico.testing.exchange import Exchange
from portico.testing.library import httpx
from portico.testing.requests import opened, upgrade_headers, websocket_url, with_agent
from portico.testing.scopes import ASGI2App
from portico.testing.session import Session, data_of, json_of, sent_json
from portico.testing.target import WHOLE, Target, raised_in

if TYPE_CHECKING:
    from httpx._types import CookieTypes, HeaderTypes


class AsyncWebSocketTestSession:
    """A WebSocket to the application, open while it is entered as an async context manager."""

    __test__ = False

    def __init__(self, session: Session) -> None:
        self.app = session.app
        self.scope = session.scope
        self._session = session

    @property
    def accepted_subprotocol(self) -> str | None:
        """The subprotocol that the application has chosen."""
        return self._session.accepted_subprotocol

    @property
    def extra_headers(self) -> list[tuple[bytes, bytes]] | None:
        """The header fields that the application has accepted the WebSocket with."""
        return self._session.extra_headers

    async def __aenter__(self) -> Self:
        """Open the WebSocket; raises WebSocketDisconnect, or WebSocketDenialResponse, if the application refuses it."""
        await self._session.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the WebSocket, wait for the application to end, and raise what it raised."""
        await self._session.leave()
        failure = self._session.take_error()
        if failure is not None:
            raise failure

    async def send(self, message: Message) -> None:
        """Send an ASGI message, such as `{"type": "websocket.receive", "text": ...}`."""
        self._session.send(message)

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        self._session.send({"type": "websocket.receive", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._session.send({"type": "websocket.receive", "bytes": data})

    async def send_json(self, data: Any, mode: Literal["text", "binary"] = "text") -> None:
        """Send a value as JSON, in a text or a binary message."""
        self._session.send(sent_json(data, mode))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket from the client's side."""
        self._session.close(code, reason)

    async def receive(self) -> Message:
        """Return the application's next ASGI message; waits for it."""
        return await self._session.receive()

    async def receive_text(self) -> str:
        """Return the application's next message, which is text; raises WebSocketDisconnect if it closes instead."""
        text: str = data_of(await self._session.receive(), "text")
        return text

    async def receive_bytes(self) -> bytes:
        """Return the application's next message, which is binary; raises WebSocketDisconnect if it closes instead."""
        data: bytes = data_of(await self._session.receive(), "bytes")
        return data

    async def receive_json(self, mode: Literal["text", "binary"] = "text") -> Any:
        """Return the value of the application's next message, which is JSON."""
        return json_of(await self._session.receive(), mode)


class WebSocketConnect:
    """What `websocket_connect` returns: entered, it opens the WebSocket; awaited, it gives one to enter."""

    def __init__(self, client: "AsyncTestClient", url: str, request: dict[str, Any]) -> None:
        self._client = client
        self._url = url
        self._request = request
        self._session: AsyncWebSocketTestSession

    def __await__(self) -> Generator[Any, None, AsyncWebSocketTestSession]:
        return self._prepare().__await__()

    async def _prepare(self) -> AsyncWebSocketTestSession:
        response = await self._client.request("GET", self._url, **self._request)
        return AsyncWebSocketTestSession(opened(response))

    async def __aenter__(self) -> AsyncWebSocketTestSession:
        self._session = await self._prepare()
        return await self._session.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, traceback)


class AsyncStreamedResponse(httpx.AsyncByteStream):
    """The body of a response whose application is still running."""

    def __init__(self, exchange: Exchange, transport: "AsyncTestTransport") -> None:
        self._exchange = exchange
        self._transport = transport
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._open and (chunk := await self._exchange.next_chunk()) is not None:
            yield chunk
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the response, or wait for an application that has completed it; raises what the application raised."""
        await self._end(self._exchange.close)

    async def abort(self) -> None:
        """Leave the response, and do not wait for the application."""
        await self._end(self._exchange.abort)

    async def _end(self, leave: Any) -> None:
        if not self._open:
            return
        self._open = False
        self._transport.unclosed.discard(self)
        await leave()
        self._transport.target.check(self._exchange)


class AsyncTestTransport(httpx.AsyncBaseTransport):
    """Carries the requests of an AsyncTestClient to its application."""

    __test__ = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.unclosed: set[AsyncStreamedResponse] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = self.target
        upgrade = target.upgrade(request)
        if upgrade is not None:
            return upgrade
        exchange = target.exchange(request)
        if request.extensions.get(WHOLE):
            await exchange.run_apart()
            target.check(exchange)
            return target.response(exchange, request)
        await exchange.start()
        if not exchange.status:
            target.check(exchange)
            return target.response(exchange, request)
        stream = AsyncStreamedResponse(exchange, self)
        self.unclosed.add(stream)
        return target.response(exchange, request, stream)

    async def aclose(self) -> None:
        """Leave the responses that were not closed."""
        async with AsyncExitStack() as stack:
            for stream in tuple(self.unclosed):
                stack.push_async_callback(stream.abort)


class AsyncTestClient(httpx.AsyncClient):
    """Send requests to an ASGI application from an async test, in the running event loop, without a socket.

    Entered as an async context manager it runs the application's lifespan. Responses of `stream()` arrive while the
    application is running.

    Args:
        app: The application.
        base_url: What relative URLs are relative to.
        raise_server_exceptions: Raise in the test what the application raises; it is a status 500 otherwise.
        root_path: The `root_path` of the scopes.
        cookies: Cookies of the client.
        headers: Header fields of every request.
        follow_redirects: Whether redirects are followed.
        client: The address that the application sees.
        lifespan: Whether the application has to have a lifespan (`on`), may have (`auto`), or is not asked (`off`).
        extensions: ASGI extensions to offer besides those that always are: `http.response.pathsend`.
    """

    __test__ = False

    def __init__(
        self,
        app: ASGIApp | ASGI2App,
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        cookies: "CookieTypes | None" = None,
        headers: "HeaderTypes | None" = None,
        follow_redirects: bool = True,
        client: tuple[str, int] | None = ("testclient", 50000),
        *,
        lifespan: Literal["on", "auto", "off"] = "on",
        extensions: Iterable[str] = (),
    ) -> None:
        self._target = Target(app, raise_server_exceptions, root_path, client, lifespan, extensions)
        self._stack: AsyncExitStack | None = None
        self.app = self._target.app
        self.app_state = self._target.state
        super().__init__(
            base_url=base_url,
            headers=with_agent(headers),
            transport=AsyncTestTransport(self._target),
            follow_redirects=follow_redirects,
            cookies=cookies,
        )

    async def send(self, request: httpx.Request, *, stream: bool = False, **kwargs: Any) -> httpx.Response:
        """Send a request that is built; with `stream`, return as soon as the response starts."""
        request.extensions = {**request.extensions, WHOLE: not stream}
        return await super().send(request, stream=stream, **kwargs)

    def websocket_connect(self, url: str, subprotocols: Sequence[str] | None = None, **kwargs: Any) -> WebSocketConnect:
        """Return a WebSocket, to be entered as an async context manager, which opens it.

        Args:
            url: A path, or a URL with `ws` or `wss`.
            subprotocols: What the client offers.
            kwargs: As for `request`: headers, params, cookies ...
        """
        kwargs["headers"] = upgrade_headers(kwargs.get("headers"), subprotocols)
        return WebSocketConnect(self, websocket_url(self.base_url, url), kwargs)

    async def __aenter__(self) -> Self:
        """Start the application; raises what it raises in its startup."""
        if self._stack is not None:
            raise RuntimeError("the test client is entered already")
        async with AsyncExitStack() as stack:
            lifespan = self._target.lifespan()
            await self._ask(lifespan.startup)
            stack.push_async_callback(self._ask, lifespan.shutdown, None)
            stack.push_async_callback(self._transport.aclose)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Leave the responses that are open, and shut the application down."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    @staticmethod
    async def _ask(stage: Any, *args: Any) -> None:
        failure = None
        try:
            await stage(*args)
        except LifespanError as error:
            failure = raised_in(error, stage.__self__.supported)
        if failure is not None:
            raise failure
