"""What a server counts of real requests and WebSockets, to the byte."""

import asyncio
import threading
from pathlib import Path

import pytest
from tests import websocket
from tests.live import CLOSING, LOOPS, Wire, http_only, live, reply
from tests.server.metrics.counting import OFTEN, Counted, until

from portico.asgi import Receive, Scope, Send
from portico.server.config import Config
from portico.server.service import Service


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    path = scope["path"]
    if path == "/fails":
        raise ValueError("on purpose")
    if path == "/redirects":
        await reply(send, b"", 307)
        return
    if path == "/breaks":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        raise ValueError("on purpose")
    if path == "/reads":
        while (await receive()).get("more_body"):
            pass
    await reply(send)


def told(data: bytes, **settings: object) -> Counted:
    """Return what was counted of a connection that has sent `data` and was served to its end."""
    counted = Counted()
    with live(http_only(app), cells=counted.cells, **settings) as server, Wire(server.port) as wire:
        wire.send(data)
        wire.rest()
    return counted


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_is_counted_by_its_method(method: str) -> None:
    counted = told(CLOSING.replace(b"GET", method.encode()))
    assert counted.requests == {f"{method} 2xx": 1}


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "BREW"])
def test_any_other_method_is_counted_as_one(method: str) -> None:
    assert next(iter(told(CLOSING.replace(b"GET", method.encode())).requests)).startswith("OTHER ")


def test_requests_of_one_connection_are_all_counted() -> None:
    counted = told(CLOSING.replace(b"Connection: close\r\n", b"") * 3 + CLOSING)
    assert (counted.requests, counted.timed, counted.connections_total) == ({"GET 2xx": 4}, 4, 1)


def test_a_request_is_counted_by_the_class_of_its_status() -> None:
    assert told(CLOSING.replace(b"/bye", b"/redirects")).requests == {"GET 3xx": 1}


def test_an_application_that_fails_is_counted_as_its_500() -> None:
    counted = told(CLOSING.replace(b"/bye", b"/fails"))
    assert (counted.requests, counted.timed) == ({"GET 5xx": 1}, 1)


def test_a_response_that_the_application_breaks_off_is_counted_with_its_status_and_as_cut() -> None:
    counted = told(CLOSING.replace(b"/bye", b"/breaks"))
    assert (counted.requests, counted.timed) == ({"GET 2xx": 1}, 1)
    assert (counted.cut_by_application, counted.cut_by_peer) == (1, 0)


def test_a_whole_response_is_not_counted_as_cut() -> None:
    counted = told(CLOSING)
    assert (counted.cut_by_application, counted.cut_by_peer) == (0, 0)


def test_what_is_no_request_is_counted_without_a_method_and_without_a_duration() -> None:
    counted = told(b"no request\r\n\r\n")
    assert (counted.requests, counted.timed) == ({"OTHER 4xx": 1}, 0)


def test_a_body_that_is_refused_while_the_application_reads_is_counted_once_with_the_status_that_was_sent() -> None:
    head = b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    counted = told(head + b"no chunk\r\n")
    assert (counted.requests, counted.timed) == ({"POST 4xx": 1}, 1)


def test_a_request_beyond_the_limit_of_concurrency_is_counted_as_the_503() -> None:
    counted = Counted()
    leave = threading.Event()

    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(leave.wait, 10)
        await reply(send)

    with (
        live(http_only(holding), cells=counted.cells, limit_concurrency=1, **OFTEN) as server,
        Wire(server.port) as first,
        Wire(server.port) as second,
    ):
        first.send(CLOSING)
        until(lambda: counted.in_flight == 1)
        second.send(CLOSING.replace(b"GET", b"PUT"))
        assert second.rest().startswith(b"HTTP/1.1 503 ")
        leave.set()
        first.rest()
    assert counted.requests == {"PUT 5xx": 1, "GET 2xx": 1}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_goes_in_the_middle_of_a_response_is_counted_as_having_cut_it(loop: str) -> None:
    counted = Counted()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await asyncio.sleep(0)

    with live(http_only(endless), on=loop, cells=counted.cells) as server, Wire(server.port) as wire:
        wire.send(CLOSING)
        wire.until(b"xxx")
        wire.abort()
        until(lambda: counted.requests)
    assert (counted.requests, counted.timed) == ({"GET 2xx": 1}, 1)
    assert (counted.cut_by_peer, counted.cut_by_application) == (1, 0)


def test_a_client_that_goes_before_there_is_an_answer_is_counted_without_a_status() -> None:
    counted = Counted()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass

    with live(http_only(waiting), cells=counted.cells, **OFTEN) as server, Wire(server.port) as wire:
        wire.send(CLOSING)
        until(lambda: counted.in_flight == 1)
        wire.abort()
        until(lambda: counted.requests)
    assert (counted.requests, counted.timed, counted.cut_by_peer) == ({"GET none": 1}, 1, 0)


def test_a_request_in_flight_is_one_until_it_has_ended() -> None:
    counted = Counted()
    leave = threading.Event()

    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(leave.wait, 10)
        await reply(send)

    with live(http_only(holding), cells=counted.cells, **OFTEN) as server, Wire(server.port) as wire:
        wire.send(CLOSING)
        until(lambda: (counted.in_flight, counted.connections) == (1, 1))
        leave.set()
        wire.rest()
        until(lambda: (counted.in_flight, counted.connections) == (0, 0))


def test_bytes_are_counted_as_the_client_sees_them() -> None:
    counted = Counted()
    sent = b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + CLOSING
    with live(http_only(app), cells=counted.cells) as server, Wire(server.port) as wire:
        wire.send(sent)
        received = wire.rest()
    assert (counted.received, counted.sent) == (len(sent), len(received))


def test_the_bytes_of_refusals_and_of_interim_responses_are_counted() -> None:
    counted = Counted()
    head = b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with live(http_only(app), cells=counted.cells) as server, Wire(server.port) as wire:
        wire.send(head)
        received = wire.until(b"100 Continue\r\n\r\n")
        wire.send(b"helloGARBAGE\r\n\r\n")
        received += wire.rest()
    assert counted.sent == len(received)
    assert b"400" in received


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_the_bytes_of_files_and_of_large_bodies_are_counted(size: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    counted = Counted()

    async def serving(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/file":
            await send({"type": "http.response.pathsend", "path": str(file)})
        else:
            await send({"type": "http.response.body", "body": file.read_bytes(), "more_body": True})
            await send({"type": "http.response.body", "body": file.read_bytes()})

    received = b""
    with live(http_only(serving), cells=counted.cells) as server:
        for path in (b"/file", b"/body"):
            with Wire(server.port) as wire:
                wire.send(CLOSING.replace(b"/bye", path))
                received += wire.rest()
    assert counted.sent == len(received) > 3 * size


def test_a_connection_beyond_the_limit_is_counted_with_its_503() -> None:
    counted = Counted()
    leave = threading.Event()

    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(leave.wait, 10)
        await reply(send)

    with (
        live(http_only(holding), cells=counted.cells, limit_connections=1, **OFTEN) as server,
        Wire(server.port) as first,
    ):
        first.send(CLOSING)
        until(lambda: counted.in_flight == 1)
        with Wire(server.port) as second:
            refusal = second.rest()
        leave.set()
        answer = first.rest()
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert (counted.connections_total, counted.sent) == (2, len(refusal) + len(answer))
    assert counted.requests == {"GET 2xx": 1}


def test_a_websocket_is_counted_as_a_request_and_as_open_until_it_is_closed() -> None:
    counted = Counted()
    with (
        live(websocket.Echo(), lifespan="off", cells=counted.cells) as server,
        websocket.opened(server.port) as client,
    ):
        client.send(websocket.text("hello"))
        assert client.message() == "hello"
        assert (counted.websockets, counted.websockets_total) == (1, 1)
        client.send(websocket.closing())
        client.closed_with()
        until(lambda: counted.websockets == 0)
    assert (counted.requests, counted.timed, counted.websockets_total) == ({"GET 1xx": 1}, 1, 1)


def test_a_websocket_whose_client_vanishes_is_open_no_more() -> None:
    counted = Counted()
    with live(websocket.Echo(), lifespan="off", cells=counted.cells) as server:
        client = websocket.opened(server.port)
        until(lambda: counted.websockets == 1)
        client.abort()
        until(lambda: counted.websockets == 0)
    assert counted.websockets_total == 1


def test_the_bytes_of_a_websocket_are_counted() -> None:
    counted = Counted()
    with (
        live(websocket.Echo(), lifespan="off", cells=counted.cells) as server,
        websocket.opened(server.port) as client,
    ):
        received, sent = counted.received, counted.sent
        message = websocket.text("x" * 100)
        client.send(message)
        client.message()
        assert (counted.received - received, counted.sent - sent) == (len(message), 2 + 100)
        client.send(websocket.closing())
        client.closed_with()


def test_a_websocket_that_is_denied_is_a_request_with_its_status_and_no_session() -> None:
    counted = Counted()
    denying, _ = websocket.saying({"type": "websocket.close"})
    with live(denying, lifespan="off", cells=counted.cells) as server, Wire(server.port) as wire:
        wire.send(websocket.handshake(b"/"))
        wire.rest()
    assert (counted.requests, counted.websockets_total) == ({"GET 4xx": 1}, 0)


def test_a_handshake_that_is_refused_is_counted() -> None:
    counted = Counted()
    with (
        live(websocket.Echo(), lifespan="off", cells=counted.cells, ws_origins=("https://a.example",)) as server,
        Wire(server.port) as wire,
    ):
        wire.send(websocket.handshake(b"/", b"Origin: https://b.example\r\n"))
        wire.rest()
    assert (counted.requests, counted.timed) == ({"GET 4xx": 1}, 0)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_heart_beats_while_the_application_starts_and_stops_and_while_requests_are_drained(loop: str) -> None:
    counted = Counted()
    beats = []

    async def beating() -> None:
        before = counted.heartbeat
        async with asyncio.timeout(10):
            while counted.heartbeat == before:
                await asyncio.sleep(0.005)
        beats.append(counted.heartbeat)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await beating()
                await beating()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        leave.set()
        await beating()
        await beating()
        await reply(send)

    leave = threading.Event()
    with live(slow, on=loop, cells=counted.cells, timeout_graceful_shutdown=20.0, **OFTEN) as server:
        wire = Wire(server.port, timeout=20)
        wire.send(CLOSING)
        assert leave.wait(10)
    assert wire.rest().endswith(b"ok")
    wire.socket.close()
    assert len(beats) == 6
    assert beats == sorted(set(beats))


def test_the_heart_beats_once_a_second_though_nothing_else_is_due() -> None:
    patient = dict.fromkeys(("timeout_header", "timeout_body", "timeout_write", "timeout_keep_alive"), 600.0)
    config = Config(app="a:b", ws_ping_interval=600.0, ws_ping_timeout=600.0, **patient)  # type: ignore[arg-type]
    loop = asyncio.new_event_loop()
    try:
        service = Service(config, http_only(app), loop, None)
        assert service.tick == 1.0
    finally:
        loop.close()


def test_a_server_without_a_place_counts_for_itself() -> None:
    with live(http_only(app)) as server, Wire(server.port) as wire:
        wire.send(CLOSING)
        assert wire.rest().endswith(b"ok")
