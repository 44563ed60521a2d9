"""Peers over time: pings that are answered or not, and peers that leave halfway, before and after accept."""

from typing import Any

import pytest
from tests.live import LOOPS, Wire, live
from tests.stage import Notes, blocked_after, dial, finish, idle, narrow, stage, until
from tests.websocket import (
    PING,
    PONG,
    TEXT,
    Client,
    Echo,
    binary,
    closing,
    frame,
    handshake,
    opened,
    saying,
    text,
)

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
SEND: Message = {"type": "websocket.send"}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ON = pytest.mark.parametrize("on", LOOPS)
MB = 1 << 20
SHORT = 0.1


# --- pings over time --------------------------------------------------------------------------------------


@ON
def test_a_peer_that_answers_no_ping_is_closed(on: str) -> None:
    """ws_ping_timeout: the peer is told with 1011, the application sees the loss."""
    with stage(idle, ws_ping_interval=SHORT, ws_ping_timeout=SHORT, on=on) as there, opened(there.port) as client:
        assert client.read_frame() == (True, 0, PING, b"")
        assert there.note() == (1006, "")
        assert client.closed_with() == (1011, "ping timeout")


def test_a_peer_that_answers_lives() -> None:
    """ws_ping_interval: one ping after the other."""
    app = Echo()
    with live(app, ws_ping_interval=0.05, ws_ping_timeout=0.5) as server, opened(server.port) as client:
        for _ in range(5):
            asked = client.read_frame()
            assert asked.opcode == PING
            client.send(frame(asked.payload, PONG))
        client.send(text("alive"))
        while (answer := client.read_frame()).opcode == PING:
            pass
        assert answer.payload == b"alive"


def test_a_peer_that_sends_lives() -> None:
    """Who speaks is there, whatever it says of pings: a peer that is held back cannot answer."""
    app = Echo()
    with live(app, ws_ping_interval=0.05, ws_ping_timeout=0.5) as server, opened(server.port) as client:
        pings = 0
        while pings < 20:  # longer than the timeout
            asked = client.read_frame()
            if asked.opcode == PING:
                pings += 1
                client.send(text("no pong"))
            else:
                assert (asked.opcode, asked.payload) == (TEXT, b"no pong")


def test_libraries_answer_pings() -> None:
    """`websockets` answers them without its user."""
    with live(Echo(), ws_ping_interval=0.05, ws_ping_timeout=0.5) as server, dial(server.port) as client:
        with pytest.raises(TimeoutError):
            client.recv(0.6)
        client.send("alive")
        assert client.recv(5) == "alive"


@pytest.mark.parametrize("interval", [0, None])
def test_no_interval_no_ping(interval: float | None) -> None:
    """ws_ping_interval=0: nothing comes, and nobody is closed."""
    with (
        stage(idle, ws_ping_interval=interval, ws_ping_timeout=SHORT) as there,
        opened(there.port, timeout=0.5) as client,
    ):
        with pytest.raises(TimeoutError):
            client.read_frame()
        client.socket.settimeout(5)
        client.send(closing(4000))
        assert client.closed_with() == (4000, "")
        assert there.note() == (4000, "")


@pytest.mark.parametrize("timeout", [0, None])
def test_no_timeout_no_end(timeout: float | None) -> None:
    """ws_ping_timeout=0: pings go out, and nobody waits for an answer."""
    settings: dict[str, Any] = {"ws_ping_interval": 0.05, "ws_ping_timeout": timeout}
    with stage(idle, **settings) as there, opened(there.port) as client:
        assert [client.read_frame().opcode for _ in range(5)] == [PING] * 5
        client.send(closing(4000))
        assert there.note() == (4000, "")


def test_a_peer_that_is_held_back_is_not_taken_for_dead() -> None:
    """Its pong may wait behind the messages that the application does not receive."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        await notes.go.wait()
        event = await until(receive, "websocket.disconnect")
        notes.put(event["code"])

    with stage(app, ws_ping_interval=SHORT, ws_ping_timeout=SHORT) as there, Client(there.port) as client:
        client.send(handshake())
        client.switched()
        data = binary(bytes(100_000))
        sent = blocked_after(client, data, 64 * MB)  # which takes longer than an interval and its timeout
        there.go()
        finish(client, data, sent)
        client.send(closing(4000))
        assert there.note() == 4000


# --- peers that leave halfway -----------------------------------------------------------------------------


@ON
def test_a_peer_that_closes_its_side_is_gone(on: str) -> None:
    """A WebSocket has no half: the end of the stream without a close frame is a loss, and the server closes."""
    with stage(idle, on=on) as there, opened(there.port) as client:
        client.half_close()
        assert there.note() == (1006, "")
        assert client.rest() == b""


def test_a_peer_that_closes_its_side_and_reads_nothing_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """timeout_write: what is left to be written does not keep its connection, nor the server, for ever."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        await send({**SEND, "bytes": bytes(80_000)})  # more than the kernel takes, less than makes it wait
        notes.put((await receive())["code"])

    with stage(app, timeout_write=0.2, fd=narrow()) as there:
        client = opened(there.port, receive_buffer=4096)
        client.half_close()
        assert there.note() == 1006
    client.socket.close()
    assert "took too long" not in caplog.text


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@ON
def test_a_client_that_is_gone_before_accept(on: str, resets: bool) -> None:
    """The application receives a disconnect of 1006, and an accept raises an OSError."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        notes.put("in")
        notes.put(await receive())
        await send(ACCEPT)

    with stage(app, on=on) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert there.note() == "in"
        if resets:
            wire.abort()
        else:
            wire.socket.close()
        assert there.note() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        assert isinstance(there.note(), ClientDisconnected)


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_close_for_a_client_that_is_gone_before_accept_is_harmless(resets: bool) -> None:
    """As it is after accept."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        notes.put("in")
        assert (await receive())["type"] == "websocket.disconnect"
        await send(CLOSE)
        notes.put("closed")

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert there.note() == "in"
        if resets:
            wire.abort()
        else:
            wire.socket.close()
        assert there.note() == "closed"


def test_a_client_that_has_only_closed_its_side_gets_its_refusal() -> None:
    """It may still read."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.http.response.start", "status": 401})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        wire.half_close()
        answer = wire.answer()
        assert (answer.status, answer.body) == (401, b"no")
        assert wire.rest() == b""


def test_requests_behind_a_refused_handshake_are_not_answered() -> None:
    """What a client sends without waiting may be frames: nothing of it is read as a request."""
    app, _ = saying(CLOSE)
    with live(app) as server, Wire(server.port) as wire:
        wire.send(handshake() + GET * 2 + text("hello"))
        assert wire.answer().status == 403
        assert wire.rest() == b""


def test_a_request_before_a_handshake_is_answered_first() -> None:
    """On one connection, in order."""
    with live(Echo()) as server, Client(server.port) as client:
        client.send(GET + handshake() + text("hello"))
        assert client.answer().body == b"http"
        client.switched()
        assert client.message() == "hello"


def test_a_close_that_comes_with_the_handshake() -> None:
    """All that a client ever says, in one packet."""
    with stage(idle) as there, Client(there.port) as client:
        client.send(handshake() + text("hello") + closing(4000, b"bye"))
        client.switched()
        assert client.closed_with() == (4000, "")
        assert there.note() == (4000, "bye")
