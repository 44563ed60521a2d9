"""WebSockets over HTTP/2 (RFC 8441) and the upgrade from HTTP/1.1 as weapons: a tunnel is a stream like any other."""

import asyncio
import logging
import queue
from base64 import urlsafe_b64encode
from collections.abc import Iterator

import pytest
from tests import websocket as ws
from tests.frames import (
    ENABLE_CONNECT_PROTOCOL,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    block,
    data,
    headers,
    request,
    rst_stream,
    settings,
    window_update,
)
from tests.http2 import Client
from tests.live import Live, Wire, live, reply

from portico.asgi import Receive, Scope, Send

MEGABYTE = 1 << 20
SHORT = 0.3
PIECE = bytes(1000)


class Tunnels:
    """Serves WebSockets: what one does hangs on its path. `ended` has a line for each that has ended."""

    def __init__(self) -> None:
        self.running = 0
        self.received = 0
        self.sent = 0
        self.ended: queue.Queue[str] = queue.Queue()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await reply(send, scope["method"].encode())
            return
        self.running += 1
        try:
            await self.serve(scope["path"], receive, send)
        finally:
            self.running -= 1
            self.ended.put(scope["path"])

    async def serve(self, path: str, receive: Receive, send: Send) -> None:
        if path == "/undecided":
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await receive()
        await send({"type": "websocket.accept"})
        if path == "/endless":
            while True:
                await send({"type": "websocket.send", "bytes": PIECE})
                self.sent += len(PIECE)
        if path == "/deaf":
            await self.go.wait()
        while (message := await receive())["type"] != "websocket.disconnect":
            self.received += 1
            if path == "/echo":
                await send({"type": "websocket.send", "text": message["text"]})


@pytest.fixture
def tunnels() -> Tunnels:
    return Tunnels()


@pytest.fixture
def server(tunnels: Tunnels) -> Iterator[Live]:
    with live(tunnels) as server:
        yield server
        server.loop.call_soon_threadsafe(tunnels.go.set)


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def connect(path: bytes, *, protocol: bytes = b"websocket") -> list[tuple[bytes, bytes]]:
    """Return the fields of an extended CONNECT."""
    version = (b"sec-websocket-version", b"13")
    return [*request(path, method=b"CONNECT"), (b":protocol", protocol), version]


def opened(client: Client, path: bytes) -> int:
    """Open a tunnel; return its stream."""
    stream = client.ask(connect(path), end=False)
    response = client.streams[stream]
    client.until_true(lambda: response.status != 0)
    assert response.status == 200
    return stream


def test_a_tunnel_is_offered_and_echoes(server: Live) -> None:
    """RFC 8441 §3, §5."""
    with Client(server.port) as client:
        assert client.settings[ENABLE_CONNECT_PROTOCOL] == 1
        stream = opened(client, b"/echo")
        client.send_data(stream, ws.text("hello"))
        client.until_true(lambda: client.streams[stream].body == b"\x81\x05hello")
        client.send_data(stream, ws.closing())
        assert client.response(stream).body == b"\x81\x05hello\x88\x02\x03\xe8"


def test_a_closed_window_holds_back_what_a_websocket_sends(server: Live, tunnels: Tunnels) -> None:
    with Client(server.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        for _ in range(20):
            opened(client, b"/endless")
        assert client.is_alive()
        assert client.is_alive()
        assert tunnels.sent < 20 * MEGABYTE // 2


def test_a_websocket_that_finds_no_window_is_given_up_in_time(tunnels: Tunnels) -> None:
    with live(tunnels, timeout_write=SHORT) as server, Client(server.port, refill=False) as client:
        stream = opened(client, b"/endless")
        assert tunnels.ended.get(timeout=5) == "/endless"
        client.until_true(lambda: client.streams[stream].reset is not None)
        assert client.is_alive()


@pytest.mark.parametrize("frame", [ws.ping(bytes(125)), ws.text("a" * 100)], ids=["pings", "messages"])
def test_answers_of_a_websocket_under_a_closed_window_are_not_collected(server: Live, frame: bytes) -> None:
    """Pongs and echoes that cannot be sent close the window for what asks for them."""
    with Client(server.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        stream = opened(client, b"/echo")
        frames = frame * 100
        taken = 0
        while client.is_alive() and min(client.room(0), client.room(stream)) >= len(frames):
            client.send_data(stream, frames)
            taken += len(frames)
            if taken > 8 * MEGABYTE:
                raise AssertionError("the server takes more and more")


def test_messages_that_nobody_receives_close_the_window(server: Live) -> None:
    with Client(server.port) as client:
        stream = opened(client, b"/deaf")
        message = ws.text("a" * 10_000)
        taken = 0
        while client.is_alive() and min(client.room(0), client.room(stream)) >= len(message):
            client.send_data(stream, message)
            taken += len(message)
            if taken > 8 * MEGABYTE:
                raise AssertionError("the server takes more and more")
        assert client.answer_of(b"/").body == b"GET"


def test_frames_before_the_websocket_is_accepted_are_bounded(server: Live) -> None:
    with Client(server.port) as client:
        stream = client.ask(connect(b"/undecided"), end=False)
        message = ws.text("a" * 10_000)
        taken = 0
        while client.is_alive() and min(client.room(0), client.room(stream)) >= len(message):
            client.send_data(stream, message)
            taken += len(message)
            if taken > 8 * MEGABYTE:
                raise AssertionError("the server takes more and more")
        assert client.answer_of(b"/").body == b"GET"


@pytest.mark.parametrize("path", [b"/echo", b"/endless", b"/deaf", b"/undecided"])
@pytest.mark.parametrize("how", ["reset", "end", "window", "fields", "garbage", "vanish"])
def test_however_a_tunnel_ends_the_rest_goes_on(server: Live, tunnels: Tunnels, path: bytes, how: str) -> None:
    with Client(server.port) as client:
        stream = client.ask(connect(path), end=False)
        response = client.streams[stream]
        if path != b"/undecided":
            client.until_true(lambda: response.status != 0)
        if how == "reset":
            client.drop(stream, rst_stream(stream))
        elif how == "end":
            client.send(data(stream, end=True))
        elif how == "window":
            client.send(window_update(stream, MAX_WINDOW))
        elif how == "fields":
            client.send(headers(stream, block([(b"a", b"b")]), end=True))
        elif how == "garbage":
            client.send(data(stream, b"\xff" * 100))
        else:
            client.abort()
        if how != "vanish":
            assert client.is_alive()
            assert client.answer_of(b"/").body == b"GET"
        if path != b"/deaf" and (how, path) != ("garbage", b"/undecided"):
            assert tunnels.ended.get(timeout=5) == path.decode()
    with Client(server.port) as client:
        assert client.answer_of(b"/").body == b"GET"


def test_empty_frames_in_a_tunnel_end_the_connection(server: Live) -> None:
    with Client(server.port) as client:
        stream = opened(client, b"/echo")
        client.flood(data(stream), times=20_000)
        assert client.goodbye().code != NO_ERROR


def test_tunnels_that_are_opened_and_reset_end_the_connection(server: Live, tunnels: Tunnels) -> None:
    with Client(server.port) as client:
        numbers = range(1, 20_000, 2)
        for number in numbers:
            client.expect(number).dropped = True
        fragment = block(connect(b"/undecided"))
        client.flood(b"".join(headers(number, fragment) + rst_stream(number) for number in numbers))
        assert client.goodbye().code != NO_ERROR


def test_tunnels_count_as_streams(tunnels: Tunnels) -> None:
    with live(tunnels, http2_max_concurrent_streams=3) as server, Client(server.port) as client:
        for _ in range(3):
            opened(client, b"/echo")
        assert client.reset_of(client.ask(connect(b"/echo"), end=False)) == REFUSED_STREAM


@pytest.mark.parametrize(
    "fields",
    [
        connect(b"/echo", protocol=b"connect-udp"),
        connect(b"/echo", protocol=b"\0"),
        [field for field in connect(b"/echo") if field[0] != b":path"],
        [(name, value) if name != b":method" else (name, b"GET") for name, value in connect(b"/echo")],
        [(b":method", b"CONNECT"), (b":authority", b"internal:22")],
        [(b":method", b"CONNECT"), (b":authority", b"a"), (b":path", b"/"), (b":scheme", b"http")],
    ],
    ids=["another protocol", "no token", "no path", "a GET", "a proxy's", "no protocol"],
)
def test_no_other_tunnel_is_opened(server: Live, fields: list[tuple[bytes, bytes]]) -> None:
    """RFC 9113 §8.5, RFC 8441 §4: refused with 4xx or 501, or reset; the connection goes on."""
    with Client(server.port) as client:
        response = client.response(client.ask(fields, end=False))
        assert response.status >= 400 or response.reset == PROTOCOL_ERROR
        assert client.answer_of(b"/").body == b"GET"


# --- Upgrade: h2c -----------------------------------------------------------------------------------


@pytest.fixture
def upgrading(tunnels: Tunnels) -> Iterator[Live]:
    with live(tunnels, http2_upgrade=True) as server:
        yield server


def upgrade(value: bytes, extra: bytes = b"", line: bytes = b"GET / HTTP/1.1") -> bytes:
    """Return a request that asks for the upgrade with this HTTP2-Settings."""
    return (
        line + b"\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: " + value + b"\r\n" + extra + b"\r\n"
    )


WRONG = {
    "no base64": b"!!!!",
    "half a setting": urlsafe_b64encode(b"\0\0\0"),
    "a window too large": urlsafe_b64encode(settings({INITIAL_WINDOW_SIZE: MAX_WINDOW + 1})[9:]),
    "push of 2": urlsafe_b64encode(settings({2: 2})[9:]),
    "not ascii": b"\xff\xfe",
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_an_upgrade_with_wrong_settings_is_none(upgrading: Live, value: bytes) -> None:
    """RFC 7540 §3.2.1: malformed is an answer in HTTP/1.1 or an error, and never an exception."""
    with Wire(upgrading.port) as wire:
        wire.send(upgrade(value.rstrip(b"=")))
        assert wire.answer().status in (101, 200, 400)


@pytest.mark.parametrize(
    "extra",
    [b"HTTP2-Settings: AAMAAABk\r\n", b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n0\r\n"],
    ids=["two fields", "a body", "chunks"],
)
def test_an_upgrade_that_is_not_right_is_an_ordinary_request(upgrading: Live, extra: bytes) -> None:
    with Wire(upgrading.port) as wire:
        wire.send(upgrade(b"AAMAAABk", extra, b"POST / HTTP/1.1"))
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"POST")


def test_an_upgrade_is_not_taken_unless_it_is_wished_for(server: Live) -> None:
    with Wire(server.port) as wire:
        wire.send(upgrade(b"AAMAAABk"))
        assert wire.answer().status == 200


def test_what_follows_an_upgrade_must_be_the_preface(upgrading: Live) -> None:
    """Upgrade smuggling: a second request of HTTP/1.1 behind is not one."""
    with Wire(upgrading.port) as wire:
        wire.send(upgrade(b"AAMAAABk") + b"DELETE /second HTTP/1.1\r\nHost: a\r\n\r\n" + bytes(100))
        assert b"DELETE" not in wire.rest()
