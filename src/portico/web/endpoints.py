"""Endpoints as classes: one method for each HTTP method, or one for each stage of a WebSocket."""

from collections.abc import Generator
from typing import Any, Literal

from portico.asgi import Message, Receive, Scope, Send
from portico.web.concurrency import is_async_callable, run_in_threadpool
from portico.web.exceptions import HTTPException
from portico.web.jsonbody import InvalidJSONMessage, parse_json
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.websockets import WebSocket

# The methods that lead to an attribute of an endpoint: never whatever name a client sends.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
NORMAL_CLOSURE, UNSUPPORTED_DATA, INTERNAL_ERROR = 1000, 1003, 1011  # RFC 6455 section 7.4.1


class HTTPEndpoint:
    """An endpoint with a method `get`, `post` ... for each HTTP method that it answers; HEAD comes with `get`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise AssertionError(f"{type(self).__name__} answers http, got a scope of type {scope['type']!r}")
        self.scope = scope
        self.receive = receive
        self.send = send
        self._allowed_methods = [
            method for method in METHODS if hasattr(self, method.lower()) or (method == "HEAD" and hasattr(self, "get"))
        ]

    def __await__(self) -> Generator[Any, None, None]:
        return self.dispatch().__await__()

    async def dispatch(self) -> None:
        """Call the method for the request, and send what it returns."""
        request = Request(self.scope, self.receive, self.send)
        handler = self.method_not_allowed
        if request.method in self._allowed_methods:
            name = request.method.lower()
            handler = getattr(self, "get" if name == "head" and not hasattr(self, "head") else name)
        if is_async_callable(handler):
            response = await handler(request)
        else:
            response = await run_in_threadpool(handler, request)
        if response is None:
            raise TypeError(f"{type(self).__name__}: {handler.__name__}() returned None, expected a response")
        await response(self.scope, self.receive, self.send)

    async def method_not_allowed(self, request: Request) -> Response:
        """Answer 405 with the methods that there are; inside an application its handler of 405 does."""
        headers = {"Allow": ", ".join(self._allowed_methods)}
        if "app" in self.scope:
            raise HTTPException(status_code=405, headers=headers)
        return PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)


class WebSocketEndpoint:
    """An endpoint with a method for each stage of a WebSocket.

    `encoding` says what messages are: "text", "bytes" or "json", which close the WebSocket with 1003 on anything else;
    None takes both.
    """

    encoding: Literal["text", "bytes", "json"] | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise AssertionError(f"{type(self).__name__} answers websocket, got a scope of type {scope['type']!r}")
        self.scope = scope
        self.receive = receive
        self.send = send

    def __await__(self) -> Generator[Any, None, None]:
        return self.dispatch().__await__()

    async def dispatch(self) -> None:
        """Hold the conversation, from `on_connect` to `on_disconnect`."""
        websocket = WebSocket(self.scope, receive=self.receive, send=self.send)
        await self.on_connect(websocket)
        close_code = NORMAL_CLOSURE
        try:
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    close_code = int(message.get("code") or NORMAL_CLOSURE)
                    return
                if message["type"] == "websocket.receive":
                    await self.on_receive(websocket, await self.decode(websocket, message))
        except Exception:
            close_code = INTERNAL_ERROR
            raise
        finally:
            await self.on_disconnect(websocket, close_code)

    async def decode(self, websocket: WebSocket, message: Message) -> Any:
        """Return a message as `encoding` says; closes the WebSocket and raises RuntimeError where it is not so."""
        text = message.get("text")
        data = message.get("bytes")
        match self.encoding:
            case None:
                return data if text is None else text
            case "text":
                if text is None:
                    await self._refuse(websocket, "Expected text websocket messages, but got bytes")
                return text
            case "bytes":
                if data is None:
                    await self._refuse(websocket, "Expected bytes websocket messages, but got text")
                return data
            case "json":
                try:
                    return parse_json(text or data or "", InvalidJSONMessage)
                except InvalidJSONMessage:
                    await self._refuse(websocket, "Malformed JSON data received.")
            case other:
                raise AssertionError(f"Unsupported 'encoding' attribute {other}")

    async def _refuse(self, websocket: WebSocket, problem: str) -> None:
        await websocket.close(code=UNSUPPORTED_DATA)
        raise RuntimeError(problem)

    async def on_connect(self, websocket: WebSocket) -> None:
        """Accept the WebSocket; override to do more, or to refuse it."""
        await websocket.accept()

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        """Do something with a message."""

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        """Do something when the WebSocket is closed, by either side."""
