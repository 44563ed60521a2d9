"""Backpressure through TLS, both ways: what nobody takes is not read, and not encrypted ahead of time."""

import asyncio
import logging
import queue
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.certificates import local
from tests.live import LOOPS, Live, Notes, http_only, live, noted, reply
from tests.secured import Secured

from portico.asgi import Receive, Scope, Send

SLOW, FAST = 16384, 1 << 20  # bytes of the client's buffer
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PIECE = b"x" * 16384
MANY = 1536  # pieces: more than all buffers on the way take


@pytest.fixture(params=LOOPS)
def on(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


async def streams(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Send piece after piece, and count them."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(MANY):
        notes.put(number)
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def settled(notes: Notes) -> int:
    """Return the last number, once none has come for a while."""
    last = 0
    while True:
        try:
            last = notes.get(timeout=0.5)
        except queue.Empty:
            return last


def buffered(server: Live) -> int:
    """Return the bytes that wait in the only connection."""
    service = server.server._service
    assert service is not None
    (connection,) = service.connections
    size: int = connection.transport.get_write_buffer_size()
    return size


def test_an_application_waits_for_a_client_that_does_not_read(on: str) -> None:
    app, notes = noted(streams)
    with live(app, on=on, **local().settings) as server, Secured(server.port, receive_buffer=SLOW) as client:
        client.send(GET)
        sent = settled(notes)
        assert sent < MANY - 1
        assert buffered(server) < 1 << 20
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FAST)
        size = 0
        while size < MANY * len(PIECE):
            data = client.read()
            assert data
            size += len(data)
        assert settled(notes) == MANY - 1


def test_a_large_body_waits_as_it_is(on: str) -> None:
    """All of it counts as waiting, and it goes on when the client reads, to the last byte and in order."""
    body = b"".join(b"%07d\n" % number for number in range(4 << 20 >> 3))  # 4 MB

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, body)

    with live(app, on=on, **local().settings) as server, Secured(server.port, receive_buffer=SLOW) as client:
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        client.until(b"\r\n\r\n")
        assert buffered(server) > 0
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FAST)
        data, ended = client.rest()
    assert data == body
    assert ended


def test_a_body_that_the_application_does_not_take_is_not_read(on: str) -> None:
    taken: Notes = queue.Queue()
    size = MANY * len(PIECE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        goes = asyncio.Event()
        taken.put(goes)
        await goes.wait()
        length = 0
        more = True
        while more:
            event = await receive()
            length += len(event["body"])
            more = event.get("more_body", False)
        await reply(send, b"%d" % length)

    with live(http_only(app), on=on, **local().settings) as server, Secured(server.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
        goes = taken.get(timeout=5)
        client.socket.settimeout(0.5)
        pushed = 0
        left = b""
        try:
            while pushed < size:
                left = client.seal(PIECE)
                while left:
                    left = left[client.socket.send(left) :]
                pushed += len(PIECE)
        except TimeoutError:
            pass
        assert pushed < size, "everything was read"
        client.socket.settimeout(5)
        server.loop.call_soon_threadsafe(goes.set)
        client.push(left)
        pushed += len(PIECE)
        while pushed < size:
            client.send(PIECE)
            pushed += len(PIECE)
        assert client.rest()[0].endswith(b"\r\n\r\n%d" % size)


def test_a_client_that_takes_nothing_is_cut(on: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        except OSError as error:
            notes.put(type(error).__name__)

    served, notes = noted(app)
    settings = {"timeout_write": 0.3} | local().settings
    with live(served, on=on, **settings) as server, Secured(server.port, receive_buffer=SLOW) as client:
        client.send(GET)
        assert notes.get(timeout=10) == "ClientDisconnected"


def test_a_client_that_goes_while_its_response_waits_is_forgotten(on: str) -> None:
    app, notes = noted(streams)
    with live(app, on=on, **local().settings) as server:
        with Secured(server.port, receive_buffer=SLOW) as client:
            client.send(GET)
            settled(notes)
        while not isinstance(note := notes.get(timeout=5), BaseException):
            pass
        assert type(note).__name__ == "ClientDisconnected"


def test_a_large_response_to_who_has_gone_is_quiet(on: str, caplog: pytest.LogCaptureFixture) -> None:
    """The loop has not noticed the reset when the response is written: it must not be written slice after slice."""
    begun: queue.Queue[None] = queue.Queue()
    gone = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.put(None)
        assert gone.wait(5)
        await reply(send, bytes(4 << 20))

    with live(http_only(app), on=on, **local().settings) as server, Secured(server.port) as client:
        client.send(GET)
        begun.get(timeout=5)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.socket.close()
        gone.set()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def test_an_application_that_never_waits_is_held_back_within_one_packet(on: str) -> None:
    """What is written while a packet is handled is collected, but not for ever."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with live(app, on=on, **local().settings) as server, Secured(server.port) as client:
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        data, ended = client.rest()
    assert data.count(PIECE) == 100
    assert ended
