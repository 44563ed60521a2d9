"""Streaming both ways, clients that go, threads and shutdown."""

import contextvars
import queue
import threading
from contextlib import ExitStack
from typing import Any

import pytest
from tests.live import Wire, live, one_by_one
from tests.wsgi.asked import PLAIN, asking, request

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.wsgi import Gateway

CHUNK = b"x" * 65536


def test_a_part_is_sent_before_the_next_is_made() -> None:
    go: queue.Queue[None] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        for number in range(3):
            yield b"part %d" % number
            go.get(timeout=10)

    with asking(app) as wire:
        wire.send(request())
        for number in range(3):
            wire.until(b"part %d\r\n" % number)
            go.put(None)
        wire.until(b"0\r\n\r\n")


def test_an_echo_streams_both_ways() -> None:
    def echo(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        yield from environ["wsgi.input"]

    with asking(echo) as wire:
        wire.send(request("POST", fields="Transfer-Encoding: chunked\r\n"))
        for line in (b"one\n", b"two\n"):
            wire.send(b"4\r\n" + line + b"\r\n")
            wire.until(line)
        wire.send(b"0\r\n\r\n")
        wire.until(b"0\r\n\r\n")


def test_the_application_is_not_far_ahead_of_a_slow_client() -> None:
    made = 0

    def app(environ: Any, start_response: Any) -> Any:
        nonlocal made
        start_response("200 OK", PLAIN)
        for _ in range(1000):
            made += len(CHUNK)
            yield CHUNK

    received, furthest = 0, 0
    with live(app, interface="wsgi") as server, Wire(server.port, receive_buffer=65536) as wire:
        wire.send(request())
        while not wire.held.endswith(b"0\r\n\r\n"):
            furthest = max(furthest, made - received)
            assert wire.fill()
            received += len(wire.held)
            wire.held = wire.held[-5:]
    assert made == 1000 * len(CHUNK)
    assert furthest < made / 2  # what the sockets of both sides hold, mostly


def endless(left: "queue.Queue[str]") -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        try:
            while True:
                yield CHUNK
        finally:
            left.put("closed")

    return app


def test_the_result_is_closed_when_the_client_goes(caplog: pytest.LogCaptureFixture) -> None:
    left: queue.Queue[str] = queue.Queue()
    with live(endless(left), interface="wsgi") as server:
        with Wire(server.port) as wire:
            wire.send(request())
            wire.until(CHUNK)
        assert left.get(timeout=5) == "closed"
    assert not [record for record in caplog.records if record.exc_info]


def test_write_raises_when_the_client_has_gone() -> None:
    raised: queue.Queue[BaseException] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        try:
            while True:
                write(CHUNK)
        except OSError as error:
            raised.put(error)
            raise

    with live(app, interface="wsgi") as server:
        with Wire(server.port) as wire:
            wire.send(request())
            wire.until(CHUNK)
        assert "disconnected" in str(raised.get(timeout=5))


def test_a_response_that_outlives_the_grace_is_cut() -> None:
    left: queue.Queue[str] = queue.Queue()
    with live(endless(left), interface="wsgi", timeout_graceful_shutdown=0.2) as server, Wire(server.port) as wire:
        wire.send(request())
        wire.until(CHUNK)
        server.loop.call_soon_threadsafe(server.server.stop)
        server.loop.call_soon_threadsafe(server.server.stop)
        assert left.get(timeout=10) == "closed"


def test_a_running_request_is_finished_at_shutdown() -> None:
    inside, go = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        inside.set()
        go.wait(10)
        start_response("200 OK", PLAIN)
        return [b"finished"]

    with ExitStack() as stack:
        with live(app, interface="wsgi", timeout_graceful_shutdown=10) as server:
            wire = stack.enter_context(Wire(server.port))
            wire.send(request())
            assert inside.wait(5)
            server.loop.call_soon_threadsafe(server.server.stop)
            server.loop.call_soon_threadsafe(go.set)
        assert wire.answer().body == b"finished"


def test_an_application_that_never_returns_does_not_keep_the_server() -> None:
    inside, stuck = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        inside.set()
        stuck.wait()
        return []

    with live(app, interface="wsgi", timeout_graceful_shutdown=0.1) as server, Wire(server.port) as wire:
        wire.send(request())
        assert inside.wait(5)
    stuck.set()


def test_more_requests_than_threads_wait_in_order() -> None:
    begun: queue.Queue[str] = queue.Queue()
    go: queue.Queue[None] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        begun.put(environ["PATH_INFO"])
        go.get(timeout=10)
        start_response("200 OK", PLAIN)
        return [b"done"]

    with live(app, interface="wsgi", threads=2) as server:
        wires = [Wire(server.port) for _ in range(4)]
        for number, wire in enumerate(wires):
            wire.send(request(target=f"/{number}"))
            if number < 2:
                assert begun.get(timeout=5) == f"/{number}"
        for number in range(4):
            go.put(None)
            if number < 2:
                assert begun.get(timeout=5) == f"/{number + 2}"
        assert [wire.answer().body for wire in wires] == [b"done"] * 4
        for wire in wires:
            wire.socket.close()


def test_requests_that_take_their_time_run_beside_each_other() -> None:
    barrier = threading.Barrier(8, timeout=10)

    def app(environ: Any, start_response: Any) -> Any:
        barrier.wait()
        start_response("200 OK", PLAIN)
        return [b"together"]

    with live(app, interface="wsgi", threads=8) as server:
        wires = [Wire(server.port) for _ in range(8)]
        for wire in wires:
            wire.send(request())
        assert [wire.answer().body for wire in wires] == [b"together"] * 8
        for wire in wires:
            wire.socket.close()


def test_the_context_is_that_of_the_asgi_call_and_comes_back() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(variable.get())
        variable.set("inside")
        start_response("200 OK", PLAIN)
        yield b"a"
        seen.append(variable.get())

    def outer(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                variable.set("outside")
            await app(scope, receive, send)
            seen.append(variable.get())

        return middleware

    with live(outer(Gateway(app))) as server, Wire(server.port) as wire:
        wire.send(request())
        assert wire.answer().body == b"a"
    assert seen == ["outside", "inside", "inside"]


def test_the_input_may_be_read_in_another_thread() -> None:
    lines: list[bytes] = []

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        reader = threading.Thread(target=lambda: lines.extend(environ["wsgi.input"]))
        reader.start()
        for _ in range(20):
            write(b"-")
        reader.join(10)
        return []

    body = b"".join(b"%d\n" % number for number in range(20))
    with asking(app) as wire:
        data = request("POST", body=body)
        wire.send(data, one_by_one(data))
        assert wire.answer("POST").body == b"-" * 20
    assert b"".join(lines) == body


def test_nothing_can_be_read_or_written_when_the_request_is_over() -> None:
    kept: queue.Queue[Any] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        kept.put((environ["wsgi.input"], start_response("200 OK", PLAIN)))
        return [b"done"]

    with asking(app) as wire:
        wire.send(request("POST", fields="Content-Length: 5\r\n"))
        assert wire.answer("POST").body == b"done"
        file, write = kept.get(timeout=5)
        for use in (file.read, lambda: write(b"late")):
            with pytest.raises(OSError, match=r"has disconnected|has gone"):
                use()


def test_a_request_may_come_byte_by_byte() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return [environ["wsgi.input"].read()]

    with asking(app) as wire:
        data = request("POST", body=b"slowly")
        wire.send(data, one_by_one(data))
        assert wire.answer("POST").body == b"slowly"
