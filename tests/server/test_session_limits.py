"""WebSockets and the rest of the server: limits on connections and requests, the access log, `--ws none`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import Wire, live
from tests.stage import Notes, Stage, stage
from tests.websocket import Client, Echo, closing, handshake, opened, saying, text

from portico.asgi import Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def by_path(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Accept at `/`; at `/hold` when the test says so."""
    if scope["path"] == "/hold":
        notes.put("in")
        await notes.go.wait()
    await send(ACCEPT)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    notes.put("out")


# --- limits ---------------------------------------------------------------------------------------------


@pytest.fixture
def one_at_a_time() -> Iterator[Stage]:
    with stage(by_path, limit_concurrency=1) as there:
        yield there


def test_a_handshake_over_the_limit_is_503_with_retry_after(one_at_a_time: Stage) -> None:
    """limit_concurrency: a handshake is a request that is being answered."""
    there = one_at_a_time
    with Client(there.port) as first, Wire(there.port) as second:
        first.send(handshake(b"/hold"))
        assert there.note() == "in"
        second.send(handshake() + text("hello") + GET)
        refusal = second.answer()
        assert (refusal.status, refusal.closes) == (503, True)
        assert int(refusal.field(b"retry-after") or b"") >= 0
        assert second.rest() == b""
        there.go()
        first.switched()


def test_open_websockets_do_not_count_as_requests(one_at_a_time: Stage) -> None:
    """limit_concurrency is for answers that are due; an open WebSocket has had its own."""
    port = one_at_a_time.port
    with opened(port), opened(port), opened(port) as third:
        third.send(closing())
        assert third.closed_with() == (1000, "")


@pytest.mark.parametrize("messages", [[CLOSE], [{"type": "websocket.nonsense"}], []], ids=["403", "error", "silence"])
def test_a_handshake_that_came_to_nothing_makes_room(messages: list[Message]) -> None:
    """The count goes down again, however it ended."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        for message in messages:
            await send(message)

    with stage(app, limit_concurrency=1) as there:
        for _ in range(3):
            with Wire(there.port) as wire:
                wire.send(handshake())
                assert wire.answer().status == (403 if messages == [CLOSE] else 500)
                assert wire.rest() == b""


def test_a_client_that_left_before_accept_makes_room(one_at_a_time: Stage) -> None:
    """The count goes down when the application has ended."""
    there = one_at_a_time
    with Wire(there.port) as wire:
        wire.send(handshake(b"/hold"))
        assert there.note() == "in"
        wire.abort()
    there.go()
    assert isinstance(there.note(), OSError)
    with opened(there.port) as client:
        client.send(closing())
        assert client.closed_with() == (1000, "")


def test_websockets_count_as_connections() -> None:
    """limit_connections: they are at work, and make no room; one that was closed does."""
    with stage(by_path, limit_connections=2) as there, opened(there.port) as first, opened(there.port):
        with Wire(there.port) as third:
            third.send(handshake())
            assert third.answer().status == 503
            assert third.rest() == b""
        first.send(closing())
        assert first.closed_with() == (1000, "")
        first.socket.close()
        assert there.note() == "out"
        with opened(there.port) as fourth:
            fourth.send(closing())
            assert fourth.closed_with() == (1000, "")


def test_an_idle_connection_makes_room_for_a_websocket() -> None:
    """limit_connections: one between two requests goes first."""
    with live(Echo(), limit_connections=1) as server, Wire(server.port) as idle:
        idle.send(GET)
        assert idle.answer().status == 200
        with opened(server.port) as client:
            client.send(text("hello"))
            assert client.message() == "hello"
        assert idle.rest() == b""


def test_an_open_websocket_is_not_timed_as_a_request() -> None:
    """timeout_keep_alive, timeout_header and timeout_body are for requests."""
    settings: dict[str, Any] = dict.fromkeys(("timeout_header", "timeout_keep_alive", "timeout_body"), 0.1)
    with live(Echo(), **settings) as server, opened(server.port, timeout=0.6) as client:
        with pytest.raises(TimeoutError):
            client.fill()
        client.send(text("hello"))
        assert client.message() == "hello"


def test_a_handshake_that_waits_for_the_application_is_not_timed() -> None:
    """No timeout runs while the server itself is at work."""
    settings: dict[str, Any] = dict.fromkeys(("timeout_header", "timeout_keep_alive", "timeout_body"), 0.1)
    with stage(by_path, **settings) as there, Client(there.port, timeout=0.6) as client:
        client.send(handshake(b"/hold"))
        with pytest.raises(TimeoutError):
            client.fill()
        there.go()
        client.switched()


# --- the access log -------------------------------------------------------------------------------------


def logged(path: Path, *messages: Message, data: bytes = b"") -> list[str]:
    """Return the access log's lines of a handshake that is answered with these messages."""
    file = path / "access.log"
    app, _ = saying(*messages)
    settings: dict[str, Any] = {"access_log": True, "access_log_file": str(file), "access_log_format": "%(r)s %(s)s"}
    with live(app, **settings) as server, Wire(server.port) as wire:
        wire.send(data or handshake(b"/chat?a=b", b"Sec-WebSocket-Protocol: a\r\n") + closing())
        wire.rest()
    return file.read_text().splitlines()


def test_an_accepted_handshake_is_a_line_of_101(tmp_path: Path) -> None:
    """One line: the WebSocket that follows has none of its own."""
    send: Message = {"type": "websocket.send", "text": "hello"}
    assert logged(tmp_path, ACCEPT, send) == ["GET /chat?a=b HTTP/1.1 101"]


def test_the_line_of_101_comes_with_the_answer(tmp_path: Path) -> None:
    """Not with the end of the WebSocket, which may be days later."""
    file = tmp_path / "access.log"
    with live(Echo(), access_log=True, access_log_file=str(file)) as server, opened(server.port) as client:
        client.send(text("hello"))
        assert client.message() == "hello"
        lines: list[str] = []
        while not lines:  # it is written within a tenth of a second
            client.send(text("hello"))
            assert client.message() == "hello"
            lines = file.read_text().splitlines()
    assert re.fullmatch(r'127\.0\.0\.1:\d+ - - \[.*\] "GET / HTTP/1\.1" 101 .*', lines[0])


def test_the_fields_of_the_101_are_there_for_the_log(tmp_path: Path) -> None:
    """%({name}o)s: those that the application gave, and the agreement."""
    file = tmp_path / "access.log"
    app, _ = saying({**ACCEPT, "subprotocol": "a", "headers": [(b"x-id", b"7")]})
    settings: dict[str, Any] = {
        "access_log": True,
        "access_log_file": str(file),
        "access_log_format": "%({x-id}o)s %({sec-websocket-protocol}o)s %({sec-websocket-protocol}i)s",
    }
    with live(app, **settings) as server, opened(server.port, "/", b"Sec-WebSocket-Protocol: a,b\r\n"):
        pass
    assert file.read_text() == "7 a a,b\n"


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([CLOSE], 403),
        ([{"type": "websocket.http.response.start", "status": 401}, {"type": "websocket.http.response.body"}], 401),
        ([{"type": "websocket.nonsense"}], 500),
    ],
)
def test_a_refused_handshake_is_a_line_of_its_answer(tmp_path: Path, messages: list[Message], status: int) -> None:
    """As for any request."""
    assert logged(tmp_path, *messages) == [f"GET /chat?a=b HTTP/1.1 {status}"]


# --- ws=none --------------------------------------------------------------------------------------------


def test_without_websockets_an_upgrade_is_an_ordinary_request() -> None:
    """`--ws none`: RFC 9110 §7.8, a server may ignore an Upgrade; the connection lives on."""
    with live(Echo(), ws="none") as server, Wire(server.port) as wire:
        wire.send(handshake())
        answer = wire.answer()
        assert (answer.status, answer.body, answer.field(b"upgrade"), answer.closes) == (200, b"http", None, False)
        wire.send(GET)
        assert wire.answer().body == b"http"


def test_without_websockets_the_application_sees_the_fields() -> None:
    """So that it can tell the client."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put((scope["type"], scope["method"], dict(scope["headers"])[b"upgrade"]))

    with stage(app, ws="none") as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert there.note() == ("http", "GET", b"websocket")


@pytest.mark.parametrize("deflates", [True, False])
def test_compression_is_a_setting(deflates: bool) -> None:
    """ws_per_message_deflate: whether an offer is taken."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    with live(Echo(), ws_per_message_deflate=deflates) as server, opened(server.port, "/", offer) as client:
        assert client.field(b"sec-websocket-extensions") == (b"permessage-deflate" if deflates else None)
