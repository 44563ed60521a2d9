"""A WebSocket as a handler sees it: accept it, then receive and send text, bytes or JSON until one side closes."""

import enum
import json
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from portico.asgi import Message, Receive, Scope, Send, WebSocketDisconnect
from portico.web.connections import HTTPConnection, StateT, wrong_scope
from portico.web.exceptions import WebSocketException
from portico.web.jsonbody import InvalidJSONMessage, parse_json

if TYPE_CHECKING:
    from portico.web.responses import Response

__all__ = ["WebSocket", "WebSocketClose", "WebSocketDisconnect", "WebSocketDisconnected", "WebSocketState"]

UNSUPPORTED_DATA = 1003
NO_STATUS = 1005
ABNORMAL_CLOSURE = 1006
MODES = ("text", "binary")
DENIAL = "websocket.http.response"


class WebSocketState(enum.Enum):
    """How far one side of the conversation has got. RESPONSE: it is refused with an HTTP response."""

    CONNECTING = 0
    CONNECTED = 1
    DISCONNECTED = 2
    RESPONSE = 3


CONNECTING, CONNECTED, DISCONNECTED, RESPONSE = WebSocketState

# What the client may send in each state, and what the application may.
RECEIVED = {
    CONNECTING: ("websocket.connect",),
    CONNECTED: ("websocket.receive", "websocket.disconnect"),
}
SENT = {
    CONNECTING: ("websocket.accept", "websocket.close", "websocket.http.response.start"),
    CONNECTED: ("websocket.send", "websocket.close"),
    RESPONSE: ("websocket.http.response.body",),
}
# The state that a message leads to; any other leaves it as it is.
AFTER = {
    "websocket.connect": CONNECTED,
    "websocket.disconnect": DISCONNECTED,
    "websocket.accept": CONNECTED,
    "websocket.close": DISCONNECTED,
    "websocket.http.response.start": RESPONSE,
}


class WebSocketDisconnected(RuntimeError):
    """The WebSocket was used before it was accepted, or after one side has closed it."""


class WrongMessage(WebSocketException, KeyError):
    """The client sent text where bytes are expected, or bytes where text is: closed with 1003 where nobody catches it.

    Args:
        expected: The key of what was expected.
    """

    def __init__(self, expected: str) -> None:
        super().__init__(UNSUPPORTED_DATA, f"The message has to be {'binary' if expected == 'bytes' else 'text'}.")


class WebSocket(HTTPConnection[StateT]):
    """A WebSocket.

    Args:
        scope: The scope of the connection.
        receive: What the client's messages come from.
        send: What the application's go to.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise wrong_scope(self, "'websocket'", scope)
        self.scope = scope
        self._receive = receive
        self._send = send
        self.client_state = CONNECTING
        self.application_state = CONNECTING

    async def receive(self) -> Message:
        """Return the next ASGI message.

        Raises:
            RuntimeError: If the server sends a message that has no place here.
            WebSocketDisconnected: If the disconnect message has been received.
        """
        state = self.client_state
        expected = RECEIVED.get(state)
        if expected is None:
            raise WebSocketDisconnected('Cannot call "receive" once a disconnect message has been received.')
        message = await self._receive()
        kind = message["type"]
        if kind not in expected:
            raise _unexpected(expected, kind)
        if kind in AFTER:
            self.client_state = AFTER[kind]
        return message

    async def send(self, message: Message) -> None:
        """Send an ASGI message.

        Raises:
            RuntimeError: If it has no place here.
            WebSocketDisconnect: If the client has gone, with the code 1006.
            WebSocketDisconnected: If the application has closed the WebSocket.
        """
        state = self.application_state
        expected = SENT.get(state)
        if expected is None:
            raise WebSocketDisconnected('Cannot call "send" once a close message has been sent.')
        kind = message["type"]
        if kind not in expected:
            raise _unexpected(expected, kind)
        if kind in AFTER:
            self.application_state = AFTER[kind]
        elif state is RESPONSE and not message.get("more_body", False):
            self.application_state = DISCONNECTED
        try:
            await self._send(message)
        except OSError:
            if kind.startswith(DENIAL):
                raise
            self.application_state = DISCONNECTED
            raise WebSocketDisconnect(ABNORMAL_CLOSURE) from None

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Accept the connection.

        Args:
            subprotocol: One of the subprotocols in the scope that the client offers.
            headers: Fields for the response to the handshake.
        """
        if self.client_state is CONNECTING:
            await self.receive()
        await self.send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": list(headers or ())})

    async def _receive_data(self, key: str) -> Any:
        """Return what the client's next message has under the key."""
        if self.application_state is not CONNECTED:
            raise WebSocketDisconnected('WebSocket is not connected. Need to call "accept" first.')
        message = await self.receive()
        self._raise_on_disconnect(message)
        data = message.get(key)
        if data is None:
            raise WrongMessage(key)
        return data

    def _raise_on_disconnect(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", NO_STATUS), message.get("reason"))

    async def receive_text(self) -> str:
        """Return the text of the next message.

        Raises:
            WebSocketDisconnect: When the client closes or has gone.
            WrongMessage: If the message is binary.
            WebSocketDisconnected: If the WebSocket is not accepted, or closed by the application.
        """
        text: str = await self._receive_data("text")
        return text

    async def receive_bytes(self) -> bytes:
        """Return the bytes of the next message; the errors are those of `receive_text`, the other way round."""
        data: bytes = await self._receive_data("bytes")
        return data

    async def receive_json(self, mode: str = "text") -> Any:
        """Return what the next message means as JSON; the errors are those of `receive_text`, and one more.

        Args:
            mode: `text` or `binary`: what kind of message it is.

        Raises:
            InvalidJSONMessage: If the message is none, which is a `json.JSONDecodeError`.
        """
        _check_mode(mode)
        return parse_json(await self._receive_data("text" if mode == "text" else "bytes"), InvalidJSONMessage)

    async def iter_text(self) -> AsyncIterator[str]:
        """Give the text of each message until the client closes or has gone."""
        try:
            while True:
                yield await self.receive_text()
        except WebSocketDisconnect:
            pass

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Give the bytes of each message until the client closes or has gone."""
        try:
            while True:
                yield await self.receive_bytes()
        except WebSocketDisconnect:
            pass

    async def iter_json(self) -> AsyncIterator[Any]:
        """Give what each message means as JSON until the client closes or has gone."""
        try:
            while True:
                yield await self.receive_json()
        except WebSocketDisconnect:
            pass

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        await self.send({"type": "websocket.send", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self.send({"type": "websocket.send", "bytes": data})

    async def send_json(self, data: Any, mode: str = "text") -> None:
        """Send a value as JSON.

        Args:
            data: The value.
            mode: `text` or `binary`: what kind of message it becomes.
        """
        _check_mode(mode)
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        if mode == "text":
            await self.send({"type": "websocket.send", "text": text})
        else:
            await self.send({"type": "websocket.send", "bytes": text.encode()})

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket; one that is not accepted yet is refused with 403.

        Args:
            code: The close code (RFC 6455 section 7.4).
            reason: The close reason, at most 123 bytes of UTF-8.
        """
        await self.send({"type": "websocket.close", "code": code, "reason": reason or ""})

    async def send_denial_response(self, response: "Response") -> None:
        """Refuse the WebSocket with an HTTP response.

        Raises:
            RuntimeError: If the server does not offer the extension for it.
        """
        if DENIAL not in self.scope.get("extensions", {}):
            raise RuntimeError("The server doesn't support the Websocket Denial Response extension.")
        await response(self.scope, self.receive, self.send)


class WebSocketClose:
    """An application that closes, or refuses, every WebSocket."""

    def __init__(self, code: int = 1000, reason: str | None = None) -> None:
        self.code = code
        self.reason = reason or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": self.code, "reason": self.reason})


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise RuntimeError(f"the mode is 'text' or 'binary', not {mode!r}")


def _unexpected(expected: tuple[str, ...], kind: str) -> RuntimeError:
    *others, last = (f'"{name}"' for name in expected)
    names = f"{', '.join(others)} or {last}" if others else last
    advice = ": await websocket.accept() first" if kind == "websocket.send" and "websocket.accept" in expected else ""
    return RuntimeError(f"Expected ASGI message {names}, but got {kind!r}{advice}")
