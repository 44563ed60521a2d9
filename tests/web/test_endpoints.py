"""Endpoints as classes."""

from typing import Any

import pytest

from portico.web.applications import Application
from portico.web.endpoints import HTTPEndpoint, WebSocketEndpoint
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.routing import Route, WebSocketRoute
from portico.web.testclient import TestClient
from portico.web.websockets import WebSocket, WebSocketDisconnect


class Things(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("got")

    def post(self, request: Request) -> Response:
        return PlainTextResponse("posted from a thread")

    async def query(self, request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def dispatch_(self) -> None:
        raise AssertionError

    async def _private(self, request: Request) -> Response:
        raise AssertionError


things = TestClient(Application(routes=[Route("/", Things)]))


@pytest.mark.parametrize(
    ("method", "text"), [("GET", "got"), ("HEAD", ""), ("POST", "posted from a thread"), ("QUERY", "body")]
)
def test_each_method_has_its_handler(method: str, text: str) -> None:
    response = things.request(method, "/", content=b"body" if method == "QUERY" else None)
    assert (response.status_code, response.text) == (200, text)


@pytest.mark.parametrize("method", ["PUT", "_PRIVATE", "DISPATCH", "DISPATCH_", "METHOD_NOT_ALLOWED", "SCOPE"])
def test_no_other_attribute_can_be_reached_by_the_name_of_a_method(method: str) -> None:
    response = things.request(method, "/")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST, QUERY")


def test_a_handler_that_returns_nothing_is_told_so() -> None:
    class Forgetful(HTTPEndpoint):
        async def get(self, request: Request) -> None: ...

    with pytest.raises(TypeError, match=r"Forgetful: get\(\) returned None"):
        TestClient(Application(routes=[Route("/", Forgetful)])).get("/")


class Echo(WebSocketEndpoint):
    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_json({"type": type(data).__name__, "data": data if isinstance(data, str | dict) else None})


def session(encoding: Any) -> Any:
    endpoint = type("Endpoint", (Echo,), {"encoding": encoding})
    return TestClient(Application(routes=[WebSocketRoute("/", endpoint)])).websocket_connect("/")


@pytest.mark.parametrize(
    ("encoding", "message", "kind"),
    [
        (None, {"text": "a"}, "str"),
        (None, {"bytes": b"a"}, "bytes"),
        ("text", {"text": ""}, "str"),
        ("bytes", {"bytes": b""}, "bytes"),
        ("json", {"text": '{"a": 1}'}, "dict"),
        ("json", {"bytes": b'{"a": 1}'}, "dict"),
    ],
)
def test_messages_are_decoded_as_the_encoding_says(encoding: Any, message: dict[str, Any], kind: str) -> None:
    with session(encoding) as websocket:
        websocket.send({"type": "websocket.receive", **message})
        assert websocket.receive_json()["type"] == kind


@pytest.mark.parametrize(
    ("encoding", "message", "problem"),
    [
        ("text", {"bytes": b"a"}, "Expected text"),
        ("bytes", {"text": "a"}, "Expected bytes"),
        ("json", {"text": "{"}, "Malformed JSON"),
        ("json", {"bytes": b"\xff"}, "Malformed JSON"),
        ("json", {"text": "[" * 100_000}, "Malformed JSON"),
        ("json", {"text": "1" * 10_000}, "Malformed JSON"),
    ],
)
def test_a_message_of_another_kind_closes_with_1003(encoding: Any, message: dict[str, Any], problem: str) -> None:
    codes: list[int] = []

    def talk() -> None:
        with session(encoding) as websocket:
            websocket.send({"type": "websocket.receive", **message})
            with pytest.raises(WebSocketDisconnect) as closed:
                websocket.receive_text()
            codes.append(closed.value.code)

    with pytest.raises(RuntimeError, match=problem):
        talk()
    assert codes == [1003]


@pytest.mark.parametrize(("code", "seen"), [(1000, 1000), (1001, 1001)])
def test_the_close_code_reaches_the_endpoint(code: int, seen: int) -> None:
    codes: list[int] = []

    class Closing(WebSocketEndpoint):
        async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
            codes.append(close_code)

    with TestClient(Application(routes=[WebSocketRoute("/", Closing)])).websocket_connect("/") as websocket:
        websocket.close(code)
    assert codes == [seen]
