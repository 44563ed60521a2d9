"""A WebSocket as handlers see it: what each side may do in each state, and what the client can do wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portico import asgi
from portico.asgi import Message
from portico.web.exceptions import WebSocketException
from portico.web.websockets import (
    WebSocket,
    WebSocketClose,
    WebSocketDisconnect,
    WebSocketDisconnected,
    WebSocketState,
    WrongMessage,
)

CONNECT = {"type": "websocket.connect"}


def text(data: str) -> Message:
    return {"type": "websocket.receive", "text": data}


def binary(data: bytes) -> Message:
    return {"type": "websocket.receive", "bytes": data}


class Stage:
    """A WebSocket whose client sends the given messages, and what the application has sent."""

    def __init__(self, *messages: Message, gone: bool = False, **scope: Any) -> None:
        self.messages = [CONNECT, *messages]
        self.sent: list[Message] = []
        self.gone = gone
        self.websocket: WebSocket = WebSocket({"type": "websocket", "headers": [], **scope}, self.receive, self.send)

    async def receive(self) -> Message:
        return self.messages.pop(0)

    async def send(self, message: Message) -> None:
        if self.gone:
            raise OSError
        self.sent.append(message)

    def run(self, use: Callable[[WebSocket], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await use(self.websocket)

        return asyncio.run(main())

    def accepted(self, use: Callable[[WebSocket], Awaitable[Any]]) -> Any:
        async def main(websocket: WebSocket) -> Any:
            await websocket.accept()
            return await use(websocket)

        return self.run(main)


def test_accepting_waits_for_the_client_to_connect() -> None:
    stage = Stage()
    stage.run(lambda websocket: websocket.accept("chat", headers=((b"a", b"b"),)))
    assert stage.sent == [{"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"a", b"b")]}]
    assert stage.websocket.client_state is stage.websocket.application_state is WebSocketState.CONNECTED


def test_text_bytes_and_json_are_received() -> None:
    stage = Stage(text("a"), binary(b"b"), text('{"c": 1}'), binary(b"[2]"))

    async def use(websocket: WebSocket) -> Any:
        return [
            await websocket.receive_text(),
            await websocket.receive_bytes(),
            await websocket.receive_json(),
            await websocket.receive_json("binary"),
        ]

    assert stage.accepted(use) == ["a", b"b", {"c": 1}, [2]]


def test_text_bytes_and_json_are_sent() -> None:
    stage = Stage()

    async def use(websocket: WebSocket) -> None:
        await websocket.send_text("a")
        await websocket.send_bytes(b"b")
        await websocket.send_json({"é": 1})
        await websocket.send_json([2], mode="binary")

    stage.accepted(use)
    assert [message.get("text", message.get("bytes")) for message in stage.sent[1:]] == ["a", b"b", '{"é":1}', b"[2]"]


@pytest.mark.parametrize(
    ("name", "message", "received"),
    [("iter_text", text("1"), "1"), ("iter_bytes", binary(b"1"), b"1"), ("iter_json", text("1"), 1)],
)
def test_iterating_ends_when_the_client_closes(name: str, message: Message, received: Any) -> None:
    stage = Stage(message, message, {"type": "websocket.disconnect", "code": 1000})

    async def use(websocket: WebSocket) -> list[Any]:
        return [data async for data in getattr(websocket, name)()]

    assert stage.accepted(use) == [received, received]


def test_a_client_that_closes_is_an_exception_with_its_code_and_reason() -> None:
    stage = Stage({"type": "websocket.disconnect", "code": 4000, "reason": "bye"})
    with pytest.raises(WebSocketDisconnect) as caught:
        stage.accepted(lambda websocket: websocket.receive_text())
    assert (caught.value.code, caught.value.reason) == (4000, "bye")
    assert WebSocketDisconnect is asgi.WebSocketDisconnect


def test_a_disconnect_without_a_code_has_the_one_for_none() -> None:
    with pytest.raises(WebSocketDisconnect) as caught:
        Stage({"type": "websocket.disconnect"}).accepted(lambda websocket: websocket.receive_bytes())
    assert (caught.value.code, caught.value.reason) == (1005, "")


@pytest.mark.parametrize("message", [binary(b"a"), {"type": "websocket.receive", "bytes": b"a", "text": None}])
def test_a_binary_message_where_text_is_expected_is_the_clients_mistake(message: Message) -> None:
    for use in (WebSocket.receive_text, WebSocket.receive_json):
        with pytest.raises(WebSocketException) as caught:
            Stage(message).accepted(use)
        assert (caught.value.code, caught.value.reason) == (1003, "The message has to be text.")
        assert isinstance(caught.value, WrongMessage)
        assert isinstance(caught.value, KeyError)


def test_text_where_a_binary_message_is_expected_is_the_clients_mistake() -> None:
    for use in (WebSocket.receive_bytes, lambda websocket: websocket.receive_json("binary")):
        with pytest.raises(WebSocketException) as caught:
            Stage(text("{}")).accepted(use)
        assert (caught.value.code, caught.value.reason) == (1003, "The message has to be binary.")


@pytest.mark.parametrize("message", [text("{"), text(""), text("[" * 100_000)])
def test_a_message_that_is_no_json_is_the_clients_mistake(message: Message) -> None:
    with pytest.raises(WebSocketException) as caught:
        Stage(message).accepted(WebSocket.receive_json)
    assert caught.value.code == 1007
    assert isinstance(caught.value, json.JSONDecodeError)


def test_an_empty_message_is_one() -> None:
    assert Stage(text("")).accepted(WebSocket.receive_text) == ""
    assert Stage(binary(b"")).accepted(WebSocket.receive_bytes) == b""


@pytest.mark.parametrize("gone", ["send_text", "send_bytes", "send_json", "close"])
def test_a_client_that_has_gone_is_a_disconnect_for_the_sender(gone: str) -> None:
    stage = Stage()

    async def use(websocket: WebSocket) -> None:
        stage.gone = True
        await (websocket.close() if gone == "close" else getattr(websocket, gone)(""))

    with pytest.raises(WebSocketDisconnect) as caught:
        stage.accepted(use)
    assert caught.value.code == 1006
    assert stage.websocket.application_state is WebSocketState.DISCONNECTED


def test_a_client_that_goes_before_it_is_accepted_is_a_disconnect() -> None:
    with pytest.raises(WebSocketDisconnect):
        Stage(gone=True).run(WebSocket.accept)


@pytest.mark.parametrize("name", ["receive_text", "receive_bytes", "receive_json"])
def test_nothing_is_received_before_the_websocket_is_accepted(name: str) -> None:
    with pytest.raises(WebSocketDisconnected, match="accept"):
        Stage().run(lambda websocket: getattr(websocket, name)())


def test_nothing_is_received_after_a_disconnect() -> None:
    stage = Stage({"type": "websocket.disconnect", "code": 1000})

    async def use(websocket: WebSocket) -> None:
        await websocket.receive()
        await websocket.receive()

    with pytest.raises(WebSocketDisconnected, match="disconnect message"):
        stage.accepted(use)


def test_nothing_is_sent_after_a_close() -> None:
    async def use(websocket: WebSocket) -> None:
        await websocket.close()
        await websocket.send_text("a")

    with pytest.raises(WebSocketDisconnected, match="close message"):
        Stage().accepted(use)


@pytest.mark.parametrize("kind", ["websocket.send", "websocket.http.response.body", "http.response.start"])
def test_a_message_that_has_no_place_before_accepting_is_refused(kind: str) -> None:
    stage = Stage()
    with pytest.raises(RuntimeError, match=r'"websocket\.close" or "websocket\.http\.response\.start"'):
        stage.run(lambda websocket: websocket.send({"type": kind}))
    assert stage.sent == []


@pytest.mark.parametrize("kind", ["websocket.accept", "websocket.http.response.start"])
def test_a_message_that_has_no_place_after_accepting_is_refused(kind: str) -> None:
    with pytest.raises(RuntimeError, match=r'"websocket\.send" or "websocket\.close"'):
        Stage().accepted(lambda websocket: websocket.send({"type": kind}))


def test_a_message_of_the_server_that_has_no_place_is_an_error() -> None:
    stage = Stage(CONNECT)
    with pytest.raises(RuntimeError, match=r'"websocket\.receive" or "websocket\.disconnect"'):
        stage.accepted(WebSocket.receive)
    stage.messages = [text("a")]
    stage.websocket.client_state = WebSocketState.CONNECTING
    with pytest.raises(RuntimeError, match=r'"websocket\.connect", but got .websocket\.receive.'):
        stage.run(WebSocket.receive)


def test_a_mode_is_text_or_binary() -> None:
    for use in (
        lambda websocket: websocket.send_json(1, "other"),
        lambda websocket: websocket.receive_json("other"),
    ):
        with pytest.raises(RuntimeError, match="not 'other'"):
            Stage().accepted(use)


def test_a_websocket_is_refused_with_a_response_where_the_server_can() -> None:
    async def response(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"a", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"b"})

    def use(websocket: WebSocket) -> Awaitable[None]:
        return websocket.send_denial_response(response)  # type: ignore[arg-type]

    stage = Stage(extensions={"websocket.http.response": {}})
    stage.run(use)
    assert len(stage.sent) == 3
    assert stage.websocket.application_state is WebSocketState.DISCONNECTED
    with pytest.raises(RuntimeError, match="Denial Response"):
        Stage().run(use)


def test_a_close_has_a_code_and_a_reason() -> None:
    stage = Stage()
    stage.accepted(lambda websocket: websocket.close(4000, "bye"))
    assert stage.sent[1] == {"type": "websocket.close", "code": 4000, "reason": "bye"}


def test_an_application_may_only_close() -> None:
    stage = Stage()
    asyncio.run(WebSocketClose(4000)({}, stage.receive, stage.send))
    assert stage.sent == [{"type": "websocket.close", "code": 4000, "reason": ""}]


def test_a_websocket_has_a_scope_of_its_kind() -> None:
    stage = Stage()
    with pytest.raises(ValueError, match="type 'websocket', got 'http'"):
        WebSocket({"type": "http"}, stage.receive, stage.send)
