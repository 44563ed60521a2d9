"""WebSocket sessions of the blocking test client."""

import asyncio
import threading
from typing import Any

import pytest
from tests.testing.apps import respond, run_lifespan

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send, WebSocketDisconnect
from portico.testing import ProtocolViolation, TestClient, WebSocketDenialResponse


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0], "headers": []})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def answering(*messages: Message) -> Any:
    """Return an application that sends the messages and waits for the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        for message in messages:
            await send(message)
        while (await receive())["type"] != "websocket.disconnect":
            pass

    return app


def test_text_bytes_and_json_go_there_and_back() -> None:
    with TestClient(echo).websocket_connect("/") as websocket:
        websocket.send_text("a")
        assert websocket.receive_text() == "a"
        websocket.send_bytes(b"b")
        assert websocket.receive_bytes() == b"b"
        websocket.send_json({"c": "é"})
        assert websocket.receive_text() == '{"c":"é"}'
        websocket.send_json([1], mode="binary")
        assert websocket.receive_json(mode="binary") == [1]


def test_the_scope_is_that_of_a_websocket() -> None:
    scope = TestClient(echo).websocket_connect("/a%20b?c=d", headers={"x-a": "b"}).scope
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == ("websocket", "ws", "/a b", b"c=d")
    assert scope["asgi"]["spec_version"] == "2.5"
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope
    headers = dict(scope["headers"])
    assert (headers[b"host"], headers[b"connection"], headers[b"x-a"]) == (b"testserver", b"upgrade", b"b")
    assert headers[b"sec-websocket-version"] == b"13"


@pytest.mark.parametrize(
    ("base_url", "url", "expected"),
    [
        ("http://testserver", "ws", ("ws", "testserver", "/ws")),
        ("https://example.org/api", "/ws", ("wss", "example.org", "/ws")),
        ("http://testserver", "wss://other.org:8/x", ("wss", "other.org:8", "/x")),
    ],
)
def test_a_relative_url_is_on_the_clients_host(base_url: str, url: str, expected: tuple[str, str, str]) -> None:
    scope = TestClient(echo, base_url=base_url).websocket_connect(url).scope
    assert (scope["scheme"], dict(scope["headers"])[b"host"].decode(), scope["path"]) == expected


def test_an_http_url_is_refused() -> None:
    with pytest.raises(ValueError, match="a URL with 'ws' or 'wss', not 'http://testserver/'"):
        TestClient(lambda scope, receive, send: respond(send)).websocket_connect("http://testserver/")


def test_a_subprotocol_is_offered_and_chosen() -> None:
    with TestClient(echo).websocket_connect("/", subprotocols=["soap", "wamp"]) as websocket:
        assert websocket.scope["subprotocols"] == ["soap", "wamp"]
        assert websocket.accepted_subprotocol == "soap"


def test_the_headers_of_the_acceptance_are_kept() -> None:
    app = answering({"type": "websocket.accept", "headers": [(b"x-a", b"b")]})
    with TestClient(app).websocket_connect("/") as websocket:
        assert websocket.extra_headers == [(b"x-a", b"b")]


def test_cookies_of_the_client_are_sent() -> None:
    client = TestClient(echo, cookies={"id": "7"})
    assert (b"cookie", b"id=7") in client.websocket_connect("/").scope["headers"]


def test_a_close_of_the_application_is_raised_with_code_and_reason() -> None:
    app = answering({"type": "websocket.accept"}, {"type": "websocket.close", "code": 4001, "reason": "why"})
    with TestClient(app).websocket_connect("/") as websocket:
        for _ in range(2):
            with pytest.raises(WebSocketDisconnect) as caught:
                websocket.receive_text()
            assert (caught.value.code, caught.value.reason) == (4001, "why")


def test_a_refusal_is_raised_on_entering() -> None:
    with pytest.raises(WebSocketDisconnect) as caught:
        TestClient(answering({"type": "websocket.close", "code": 1001})).websocket_connect("/").__enter__()
    assert caught.value.code == 1001


def test_a_denial_response_is_raised_with_its_body() -> None:
    app = answering(
        {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"b")]},
        {"type": "websocket.http.response.body", "body": b"who ", "more_body": True},
        {"type": "websocket.http.response.body", "body": b"are you"},
    )
    with pytest.raises(WebSocketDenialResponse) as caught:
        TestClient(app).websocket_connect("/").__enter__()
    denial = caught.value
    assert isinstance(denial, WebSocketDisconnect)
    assert (denial.status_code, denial.text, denial.headers["x-a"]) == (401, "who are you", "b")


def test_a_close_of_the_test_reaches_the_application() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        seen.append(await receive())
        seen.append(await receive())
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "too late"})

    with TestClient(app).websocket_connect("/") as websocket:
        websocket.close(4000, "enough")
    assert seen == [{"type": "websocket.disconnect", "code": 4000, "reason": "enough"}] * 2


def test_leaving_closes_with_1000_and_waits_for_the_application() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        seen.append((await receive())["code"])
        await asyncio.sleep(0.2)
        seen.append("cleaned up")

    with TestClient(app).websocket_connect("/"):
        pass
    assert seen == [1000, "cleaned up"]


def test_leaving_cancels_an_application_that_does_not_notice() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with TestClient(app).websocket_connect("/"):
        pass
    assert ended == ["cancelled"]


def test_an_application_that_sends_without_end_is_held_up_and_can_be_left() -> None:
    sent: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "x"})
            sent.append(1)

    with TestClient(app).websocket_connect("/") as websocket:
        assert websocket.receive_text() == "x"
    assert len(sent) < 1100


@pytest.mark.parametrize("accepts", [True, False])
def test_what_the_application_raises_reaches_the_test_that_waits(accepts: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if accepts:
            await send({"type": "websocket.accept"})
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"), TestClient(app).websocket_connect("/") as websocket:
        websocket.receive_text()


def test_what_the_application_raises_reaches_the_test_that_leaves_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"), TestClient(app).websocket_connect("/"):
        pass
    with TestClient(app).websocket_connect("/") as websocket:
        websocket.send_text("x")
        with pytest.raises(LookupError):
            websocket.receive_text()


def test_an_application_that_returns_closes_with_1000() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    with TestClient(app).websocket_connect("/") as websocket:
        with pytest.raises(WebSocketDisconnect) as caught:
            websocket.receive_text()
        assert caught.value.code == 1000


def test_an_application_that_returns_without_an_answer_fails_the_test() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    with pytest.raises(ProtocolViolation, match=r"expected 'websocket\.accept' or 'websocket\.close'"):
        TestClient(app).websocket_connect("/").__enter__()


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"type": "websocket.send", "text": "x"}], r"expected 'websocket\.accept'"),
        ([{"type": "websocket.accept"}] * 2, r"expected 'websocket\.send' or 'websocket\.close'"),
        ([{"type": "websocket.accept"}, {"type": "websocket.send"}], "exactly one of 'text' and 'bytes'"),
        (
            [{"type": "websocket.accept"}, {"type": "websocket.close"}, {"type": "websocket.send", "text": "x"}],
            "the WebSocket is closed",
        ),
    ],
)
def test_what_asgi_does_not_allow_fails_the_test(messages: list[Message], text: str) -> None:
    with pytest.raises(ProtocolViolation, match=text), TestClient(answering(*messages)).websocket_connect("/"):
        pass


def test_text_for_bytes_is_said_so() -> None:
    app = answering({"type": "websocket.accept"}, {"type": "websocket.send", "bytes": b"x"})
    with (
        TestClient(app).websocket_connect("/") as websocket,
        pytest.raises(AssertionError, match="sent bytes, and the test receives text"),
    ):
        websocket.receive_text()


def test_a_session_shares_the_loop_and_the_state_of_an_entered_client() -> None:
    loops: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loops.append(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            scope["state"]["key"] = "value"
            await run_lifespan(receive, send)
        elif scope["type"] == "http":
            await respond(send, scope["state"]["key"].encode())
        else:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": scope["state"]["key"]})
            await receive()

    with TestClient(app) as client, client.websocket_connect("/") as websocket:
        assert websocket.receive_text() == "value"
        assert client.get("/").text == "value"
    assert len(set(map(id, loops))) == 1


def test_no_thread_is_left_by_a_refused_websocket() -> None:
    before = set(threading.enumerate())
    with pytest.raises(WebSocketDisconnect):
        TestClient(answering({"type": "websocket.close"})).websocket_connect("/").__enter__()
    assert set(threading.enumerate()) == before


def test_a_websocket_that_was_never_left_ends_with_the_client() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await receive()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with TestClient(app, lifespan="off") as client:
        client.websocket_connect("/").__enter__()
    assert ended == ["cancelled"]
