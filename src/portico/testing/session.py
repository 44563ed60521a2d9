"""One WebSocket of an application, in the running event loop, without a socket: messages in, messages out."""

import asyncio
import json
from collections import deque
from typing import Any, Literal

from portico.asgi import ASGIApp, ClientDisconnected, Message, WebSocketDisconnect
from portico.testing.exchange import ProtocolViolation
from portico.testing.leaving import Bell, ended, is_from_leaving
from portico.testing.library import httpx

MAX_UNREAD = 1024  # messages that the test has not taken, before the application's `send` waits
EXPECTED = {
    "connecting": ("websocket.accept", "websocket.close", "websocket.http.response.start"),
    "denying": ("websocket.http.response.body",),
    "open": ("websocket.send", "websocket.close"),
    "closed": (),
}


class WebSocketDenialResponse(httpx.Response, WebSocketDisconnect):  # type: ignore[misc]
    """The application refused the WebSocket with an HTTP response, which this is; raised like a disconnect."""

    code = 1006
    reason = ""

    def __str__(self) -> str:
        body = self.text if hasattr(self, "_content") else ""
        return f"the application refused the WebSocket with {self.status_code} {self.reason_phrase}: {body[:500]}"


class Session:
    """Drive one application through one WebSocket.

    Args:
        app: The application.
        scope: The WebSocket's scope.
    """

    def __init__(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        self.app = app
        self.scope = scope
        self.accepted_subprotocol: str | None = None
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        self._state = "connecting"
        self._inbox: deque[Message] = deque()  # for the application
        self._outbox: deque[Message] = deque()  # for the test
        self._bell = Bell()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._gone: Message | None = None  # the disconnect, once it is in the inbox
        self._closed: Message | None = None  # the application's close, once the test has taken it
        self._told = False
        self._left = False

    # What the test does

    async def connect(self) -> None:
        """Open the WebSocket.

        Raises:
            WebSocketDisconnect: If the application refuses it; a WebSocketDenialResponse if it does so by a response.
        """
        self._task = asyncio.create_task(self._run(), name="portico-session")
        self._task.add_done_callback(lambda _: self._bell.ring())
        failure = None
        try:
            self.send({"type": "websocket.connect"})
            message = await self.receive()
            if message["type"] == "websocket.http.response.start":
                raise await self._denial(message)
            raise_on_close(message)
        except BaseException as error:
            await self.leave()
            failure = self.take_error()
            if failure is None or failure is error:
                raise
        if failure is not None:
            raise failure
        self.accepted_subprotocol = message.get("subprotocol")
        self.extra_headers = list(message.get("headers", ()))

    async def _denial(self, start: Message) -> WebSocketDenialResponse:
        body = []
        while True:
            message = await self.receive()
            body.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        headers = list(start.get("headers", ()))
        return WebSocketDenialResponse(status_code=start["status"], headers=headers, content=b"".join(body))

    def send(self, message: Message) -> None:
        """Put an ASGI message before the application's `receive`."""
        if message["type"] == "websocket.disconnect":
            if self._gone is not None:
                return
            self._gone = message
        self._inbox.append(message)
        self._bell.ring()

    async def receive(self) -> Message:
        """Return the next ASGI message of the application; raises what the application raised, where it has failed."""
        assert self._task is not None
        while not self._outbox:
            if self._closed is not None:
                return self._closed
            if self._task.done():
                return self._last_word()
            await self._bell.next_ring()
        message = self._outbox.popleft()
        if message["type"] == "websocket.close":
            self._closed = message
        self._bell.ring()
        return message

    def _last_word(self) -> Message:
        """Say what a server would, of an application that has ended."""
        error = self.take_error()
        if error is not None:
            raise error
        if self._state in ("connecting", "denying"):
            expected = " or ".join(map(repr, EXPECTED[self._state]))
            raise ProtocolViolation(f"the application returned without answering: expected {expected}")
        return {"type": "websocket.close", "code": 1000, "reason": ""}

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Tell the application that the client has closed the WebSocket."""
        self.send({"type": "websocket.disconnect", "code": code, "reason": reason})

    async def leave(self) -> None:
        """Close the WebSocket if that was not done; the application has a moment to end, and is cancelled then."""
        assert self._task is not None
        self.close(1000)
        self._left = True
        self._bell.ring()
        await ended(self._task, lambda: self._told)

    def take_error(self) -> BaseException | None:
        """Return what the application raised, once, unless it was the test's leaving that made it fail."""
        error, self._error = self._error, None
        if error is None or is_from_leaving(error):
            return None
        return error

    # What the application does

    async def _run(self) -> None:
        try:
            await self.app(self.scope, self._app_receive, self._app_send)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._error = error
        except BaseException as error:
            self._error = error

    async def _app_receive(self) -> Message:
        while not self._inbox:
            if self._told and self._gone is not None:
                return self._gone
            await self._bell.next_ring()
        message = self._inbox.popleft()
        if message is self._gone:
            self._told = True
        return message

    async def _app_send(self, message: Message) -> None:
        kind = message["type"]
        if kind not in EXPECTED[self._state]:
            expected = " or ".join(map(repr, EXPECTED[self._state])) or "no message, for the WebSocket is closed"
            raise ProtocolViolation(f"expected {expected}, got {kind!r}")
        if kind == "websocket.send" and (message.get("text") is None) == (message.get("bytes") is None):
            raise ProtocolViolation("'websocket.send' needs exactly one of 'text' and 'bytes'")
        while len(self._outbox) >= MAX_UNREAD and not self._left:
            await self._bell.next_ring()
        if self._told or len(self._outbox) >= MAX_UNREAD:
            if kind == "websocket.close":
                return
            self._told = True
            raise ClientDisconnected("the test has closed the WebSocket")
        if kind == "websocket.accept":
            self._state = "open"
        elif kind == "websocket.http.response.start":
            self._state = "denying"
        elif kind == "websocket.close":
            self._state = "closed"
            self.send({"type": "websocket.disconnect", "code": message.get("code", 1000), "reason": ""})
        elif kind == "websocket.http.response.body" and not message.get("more_body", False):
            self._state = "closed"
            self.send({"type": "websocket.disconnect", "code": 1006, "reason": ""})
        self._outbox.append(message)
        self._bell.ring()


def raise_on_close(message: Message) -> None:
    """Raise WebSocketDisconnect if the message says that the application has closed the WebSocket."""
    if message["type"] == "websocket.close":
        raise WebSocketDisconnect(message.get("code", 1000), message.get("reason") or "")


def sent_json(data: Any, mode: Literal["text", "binary"]) -> Message:
    """Return the message of a client that sends the value as JSON."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    if mode == "text":
        return {"type": "websocket.receive", "text": text}
    if mode == "binary":
        return {"type": "websocket.receive", "bytes": text.encode()}
    raise ValueError(f"mode must be 'text' or 'binary', not {mode!r}")


def data_of(message: Message, kind: Literal["text", "bytes"]) -> Any:
    """Return the text or the bytes that the application sent."""
    raise_on_close(message)
    data = message.get(kind)
    if data is None:
        other = "bytes" if kind == "text" else "text"
        raise AssertionError(f"the application sent {other}, and the test receives {kind}: {message!r}")
    return data


def json_of(message: Message, mode: Literal["text", "binary"]) -> Any:
    """Return the value that the application sent as JSON."""
    if mode not in ("text", "binary"):
        raise ValueError(f"mode must be 'text' or 'binary', not {mode!r}")
    return json.loads(data_of(message, "text" if mode == "text" else "bytes"))
