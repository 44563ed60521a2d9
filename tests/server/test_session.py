"""WebSockets under load and over time: backpressure, limits, floods, pings, and what peers do that leave halfway.

Timeouts are set short and waited for by blocking on the socket: the close is the event. Memory is what Python's own
objects take, of the server and the test together, whose own part is constant.
"""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from tests.live import LOOPS, Wire, live
from tests.stage import Notes, blocked_after, dial, finish, idle, narrow, peak, stage, until
from tests.websocket import (
    BINARY,
    CONTINUATION,
    PING,
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


def test_a_peer_that_reads_slowly_is_not_cut() -> None:
    """timeout_write: who moves is not slow, however much several tasks have sent at once."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        if scope["path"] == "/slow":
            await asyncio.gather(*[send({**SEND, "bytes": bytes(50_000)}) for _ in range(20)])
        await until(receive, "websocket.disconnect")

    settings: dict[str, Any] = {"timeout_write": 0.4, "ws_ping_interval": 0.05, "ws_ping_timeout": 0, "fd": narrow()}
    with (
        stage(app, **settings) as there,
        opened(there.port, "/clock") as clock,
        opened(there.port, "/slow", receive_buffer=4096) as slow,
    ):
        for _ in range(20):  # a second at least
            assert clock.read_frame().opcode == PING
            assert slow.message() == bytes(50_000)


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


@ON
def test_an_application_that_accepts_late_stops_the_reading(on: str) -> None:
    """What a client sends without waiting for the handshake is kept, up to a bound, and received after it."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await notes.go.wait()
        await send(ACCEPT)
        count = 0
        while (await receive())["type"] == "websocket.receive":
            count += 1
        notes.put(count)

    data = binary(bytes(1000))
    with stage(app, on=on) as there, Client(there.port) as client:
        client.send(handshake())
        with peak() as taken:
            sent = blocked_after(client, data * 10, 64 * MB)
            assert sent < 2 * MB
            assert taken() < 2 * MB
        there.go()
        client.switched()
        times = finish(client, data, sent)
        client.send(closing())
        assert there.note() == times


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
            sent = blocked_after(client, text("") * 1000, 8 * MB)
            there.go()
        return sent

    assert taken(1) < 6 * 40_000 <= taken(40_000)  # six bytes each, and what the kernel holds


def test_what_a_peer_sent_before_it_vanished_is_received() -> None:
    """Also where it waited outside the queue; then comes the loss."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        await notes.go.wait()
        notes.put([(await receive()).get("text") for _ in words] + [(await receive())["code"]])

    words = [str(number) for number in range(2000)]
    with stage(app, ws_max_queue=1) as there:
        with opened(there.port) as client:
            client.send(b"".join(map(text, words)))
        there.go()
        assert there.note() == [*words, 1006]


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
        blocked_after(client, bytes(100_000), 4 * MB)
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


# --- what remains ---------------------------------------------------------------------------------------


class Mark:
    """Something that can be told to have gone."""


@ON
@pytest.mark.parametrize("end", ["close", "vanish", "refuse"])
def test_nothing_is_kept_of_a_websocket_that_has_ended(on: str, end: str) -> None:
    """Neither its scope nor what the application has put there."""
    marks: list[weakref.ref[Mark]] = []

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        scope["mark"] = Mark()
        marks.append(weakref.ref(scope["mark"]))
        await send(CLOSE if scope["path"] == "/refuse" else ACCEPT)
        await until(receive, "websocket.disconnect")
        notes.put("out")

    with stage(app, on=on) as there, opened(there.port, "/other"):
        with Wire(there.port) as wire:
            wire.send(handshake(b"/" + end.encode()))
            if end == "close":
                wire.send(closing())
            if end != "vanish":
                wire.rest()
            else:
                wire.until(b"\r\n\r\n")
        assert there.note() == "out"
        with opened(there.port, "/another") as another:  # the loop has gone on
            gc.collect()
            assert [mark() is None for mark in marks] == [False, True, False]
            another.abort()


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
