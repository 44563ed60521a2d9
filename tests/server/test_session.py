"""WebSockets under load and over time: backpressure, limits, floods, pings, and what peers do that leave halfway.

Timeouts are set short and waited for by blocking on the socket: the close is the event. Memory is what Python's own
objects take, of the server and the test together, whose own part is constant.
"""

import asyncio
import socket
from typing import Any

import pytest
from tests.live import LOOPS, Wire, live
from tests.stage import Notes, dial, narrow, peak, stage
from tests.websocket import (
    BINARY,
    CONTINUATION,
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
    ping,
    saying,
    text,
)
from websockets.asyncio.client import connect

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
SEND: Message = {"type": "websocket.send"}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ON = pytest.mark.parametrize("on", LOOPS)
MB = 1 << 20
SHORT = 0.1


def blocked_after(client: Client, data: bytes, most: int) -> int:
    """Send `data` again and again, until nothing is taken for half a second; return how many bytes were taken."""
    taken = 0
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)  # let the kernel hold little
    client.socket.settimeout(0.5)
    try:
        while taken < most:
            taken += client.socket.send(data[taken % len(data) :])
    except TimeoutError:
        pass
    client.socket.settimeout(5)
    return taken


def finish(client: Client, data: bytes, taken: int) -> int:
    """Send the rest of the last `data`; return how many there were."""
    client.send(data[taken % len(data) :] if taken % len(data) else b"")
    return -(-taken // len(data))


async def until(receive: Receive, kind: str) -> Message:
    """Return the next event of this type; others are dropped."""
    while (event := await receive())["type"] != kind:
        pass
    return event


async def idle(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Accept, and note how it ends."""
    await send(ACCEPT)
    event = await until(receive, "websocket.disconnect")
    notes.put((event["code"], event["reason"]))


# --- a peer that does not read ------------------------------------------------------------------------


@ON
def test_a_peer_that_reads_nothing_makes_send_wait(on: str) -> None:
    """A bounded number of sends completes; when the peer reads, they go on, and nothing is lost."""
    completed = 0

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        nonlocal completed
        await send(ACCEPT)
        for number in range(300):
            sending = asyncio.ensure_future(send({**SEND, "bytes": number.to_bytes(4, "big") * 5_000}))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            if not done and number == completed:
                notes.put("waits")
                await sending
            completed += 1

    with peak() as taken, stage(app, on=on, fd=narrow()) as there, opened(there.port, receive_buffer=4096) as client:
        assert there.note() == "waits"
        assert completed < 50
        assert taken() < MB
        for number in range(300):
            assert client.message() == number.to_bytes(4, "big") * 5_000
        assert client.read_close() == (1000, "")


@ON
def test_a_send_that_waits_ends_with_the_peer(on: str) -> None:
    """A ClientDisconnected, as for any later one."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        while True:
            sending = asyncio.ensure_future(send({**SEND, "bytes": bytes(100_000)}))
            if not (await asyncio.wait([sending], timeout=0.3))[0]:
                notes.put("waits")
            await sending

    with stage(app, on=on, fd=narrow()) as there, opened(there.port, receive_buffer=4096) as client:
        assert there.note() == "waits"
        client.abort()
        assert isinstance(there.note(), ClientDisconnected)


def test_a_peer_that_never_reads_is_cut() -> None:
    """timeout_write: the same as for a response."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        while True:
            await send({**SEND, "bytes": bytes(100_000)})

    with stage(app, timeout_write=0.2, fd=narrow()) as there, opened(there.port, receive_buffer=4096):
        assert isinstance(there.note(), ClientDisconnected)


# --- an application that does not receive ---------------------------------------------------------------


@ON
@pytest.mark.parametrize("size", [0, 10, 1000, 100_000])
def test_an_application_that_does_not_receive_stops_the_reading(on: str, size: int) -> None:
    """The peer is held back after a bounded number of bytes, of messages of any size; nothing is lost."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        await notes.go.wait()
        count = 0
        while (event := await receive())["type"] == "websocket.receive":
            assert len(event["bytes"]) == size
            count += 1
        notes.put((count, event["code"]))

    data = binary(bytes(size))
    with stage(app, on=on) as there, Client(there.port) as client:
        client.send(handshake())
        client.switched()
        with peak() as taken:
            sent = blocked_after(client, data * (1 + 10_000 // len(data)), 64 * MB)
            assert sent < 2 * MB
            assert taken() < 3 * MB
        there.go()
        times = finish(client, data, sent)
        client.send(closing(4000))
        assert there.note() == (times, 4000)


def test_a_queue_of_one_message() -> None:
    """ws_max_queue: what is read ahead; a peer that sends faster than the application receives loses nothing."""
    app = Echo()
    words = [str(number) for number in range(2000)]
    with live(app, ws_max_queue=1) as server, opened(server.port) as client:
        client.send(b"".join(map(text, words)))
        assert [client.message() for _ in words] == words


def test_the_number_of_messages_that_wait_is_a_setting() -> None:
    """ws_max_queue: empty messages take no bytes of the queue, and are counted all the same."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await notes.go.wait()

    def taken(queue: int) -> int:
        with stage(app, ws_max_queue=queue, fd=narrow()) as there, opened(there.port) as client:
            return blocked_after(client, text("") * 1000, 8 * MB)

    assert taken(1) < 6 * 40_000 <= taken(40_000)  # six bytes each, and what the kernel holds


def test_pings_are_answered_while_messages_wait() -> None:
    """The application's pace is not the connection's, as long as there is room in the queue."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await notes.go.wait()

    with stage(app) as there, Client(there.port) as client:
        client.send(handshake() + text("waits") + ping(b"?"))
        client.switched()
        assert client.pong() == b"?"
        there.go()


@pytest.mark.parametrize("end", [closing(), frame(b"\xff"), frame(b"", 5)], ids=["close", "not UTF-8", "opcode"])
def test_what_follows_an_end_that_waits_for_its_turn_is_not_kept(end: bytes) -> None:
    """A peer that has said its last word behind a message that nobody receives, and goes on sending."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        await notes.go.wait()
        notes.put([(await receive())["type"], (await receive())["type"]])

    with stage(app) as there, Client(there.port) as client, peak() as taken:
        client.send(handshake())
        client.switched()
        client.send(text("waits") + end)
        blocked_after(client, bytes(100_000), 6 * MB)
        assert taken() < 2 * MB
        there.go()
        assert there.note() == ["websocket.receive", "websocket.disconnect"]


# --- sizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("message", ["x" * 1000, b"y" * 1000, "ü" * 500])
def test_a_message_at_the_limit(message: str | bytes, compression: str | None) -> None:
    """ws_max_size: bytes of the message, not characters."""
    app = Echo()
    with live(app, ws_max_size=1000) as server, dial(server.port, compression=compression) as client:
        client.send(message)
        assert client.recv(5) == message


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("message", ["x" * 1001, b"y" * 1001, "ü" * 501, "z" * 3 * MB])
def test_a_message_over_the_limit_is_1009(message: str | bytes, compression: str | None) -> None:
    """ws_max_size: also of what a small message decompresses to; the application is told."""
    with stage(idle, ws_max_size=1000) as there, dial(there.port, compression=compression) as client:
        client.send(message)
        code, reason = there.note()
    assert (code, "1000" in reason) == (1009, True)
    assert client.close_code == 1009


def test_a_length_over_the_limit_is_believed() -> None:
    """The connection ends before any byte of such a message comes."""
    with stage(idle, ws_max_size=1000) as there, opened(there.port) as client:
        client.send(frame(b"", length=1001, form=16))
        assert client.closed_with()[0] == 1009


def test_fragments_are_counted_together() -> None:
    """ws_max_size is for messages."""
    with stage(idle, ws_max_size=1000) as there, opened(there.port) as client:
        client.send(frame(b"x" * 600, fin=False) + frame(b"x" * 600, CONTINUATION, fin=False))
        assert client.closed_with()[0] == 1009


# --- floods ---------------------------------------------------------------------------------------------


@ON
def test_a_flood_of_pings_from_a_peer_that_reads_nothing_is_bounded(on: str) -> None:
    """RFC 6455 §5.5.3: of the pings that wait for an answer only the latest needs one."""
    with stage(idle, on=on, fd=narrow()) as there, Client(there.port, receive_buffer=4096) as client, peak() as taken:
        client.send(handshake())
        client.switched()
        data = ping(bytes(125)) * 800
        for _ in range(30):
            client.send(data)
        client.send(ping(b"last"))
        assert taken() < 2 * MB
        client.until(b"\x8a\x04last")
        client.send(closing(4000))
        assert there.note() == (4000, "")


def test_a_flood_of_empty_fragments_is_bounded() -> None:
    """A message that never grows takes no memory, and comes to its end."""
    with live(Echo()) as server, opened(server.port) as client, peak() as taken:
        client.send(frame(b"he", fin=False))
        data = frame(b"", CONTINUATION, fin=False) * 10_000
        for _ in range(4):
            client.send(data)
        client.send(frame(b"llo", CONTINUATION))
        assert client.message() == "hello"
        assert taken() < MB


def test_tiny_fragments_take_no_more_than_their_message() -> None:
    """Tens of thousands, in a message of twice as many bytes."""
    with live(Echo()) as server, opened(server.port) as client, peak() as taken:
        client.send(frame(b"", BINARY, fin=False))
        data = frame(b"xy", CONTINUATION, fin=False) * 10_000
        for _ in range(2):
            client.send(data)
        client.send(frame(b"", CONTINUATION))
        assert client.message() == b"xy" * 20_000
        assert taken() < MB


def test_a_peer_that_goes_on_after_our_close_is_not_kept_in_memory() -> None:
    """What comes between the two closes is dropped."""
    app, _ = saying(ACCEPT, CLOSE)
    with live(app) as server, opened(server.port) as client, peak() as taken:
        assert client.read_close() == (1000, "")
        data = binary(bytes(100_000))
        for _ in range(100):
            client.send(data)
        assert taken() < 4 * MB
        client.send(closing())
        assert client.rest() == b""


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
    with live(app, ws_ping_interval=SHORT, ws_ping_timeout=SHORT) as server, opened(server.port) as client:
        pings = 0
        while pings < 5:
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


@ON
def test_two_hundred_peers_at_once(on: str) -> None:
    """Each gets its own messages back."""

    async def talk(port: int, name: int) -> bool:
        async with connect(f"ws://127.0.0.1:{port}/{name}", proxy=None, open_timeout=20) as client:
            words = [f"{name}.{number}" for number in range(10)]
            for word in words:
                await client.send(word)
            return [await client.recv() for _ in words] == words

    async def talk_all(port: int) -> list[bool]:
        return await asyncio.gather(*[talk(port, name) for name in range(200)])

    with live(Echo(), on=on) as server:
        assert asyncio.run(talk_all(server.port)) == [True] * 200
