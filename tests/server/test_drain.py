"""Draining: a server that stops loses no request that could have been on its way."""

import asyncio
import queue
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from tests.live import CLOSING, LOOPS, Live, Wire, live, reply
from tests.stage import Notes, Stage, stage
from tests.websocket import closing, opened

import portico.server.server
from portico.asgi import Receive, Scope, Send

ON = pytest.mark.parametrize("on", LOOPS)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
LONG, SHORT = 30.0, 0.05


async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Answer with the path: one of /later when the test says so, one of /stream then, but for its beginning."""
    path = scope["path"].encode()
    if path == b"/stream":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    if path in (b"/later", b"/stream"):
        notes.put("in")
        await notes.go.wait()
    if path == b"/stream":
        await send({"type": "http.response.body", "body": b" and ended"})
    else:
        await reply(send, path)


@contextmanager
def served(on: str, reuse_s: float, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Stage]:
    """Serve `app`; `reuse_s` is for how long a connection may be used again after its last use."""
    monkeypatch.setattr(portico.server.server, "REUSE_S", reuse_s)
    with stage(app, on=on, **{"timeout_graceful_shutdown": 2 * LONG, "timeout_keep_alive": LONG} | settings) as there:
        yield there


def stop(there: Stage, *, later: float = 0.0) -> "Future[None]":
    """Begin to stop the server, `later` seconds after all that has happened; the future is done when it has."""
    begun: queue.SimpleQueue[None] = queue.SimpleQueue()

    async def shut_down() -> None:
        service = there.server.server._service
        assert service is not None
        service.now += later
        begun.put(None)
        await there.server.server.shutdown()

    stopped = asyncio.run_coroutine_threadsafe(shut_down(), there.server.loop)
    begun.get(timeout=10)
    return stopped


# --- connections that are just coming -------------------------------------------------------------------


@ON
def test_a_connection_that_was_not_yet_accepted_is_served(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel holds it, with its request, when the stop begins: it gets an answer, the only one."""

    async def connect_and_stop(server: Live) -> list[socket.socket]:
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(5)]
        for client in clients:
            client.sendall(GET)
        await server.server.shutdown()  # the loop has not looked at them
        return clients

    with served(on, LONG, monkeypatch) as there:
        ended = asyncio.run_coroutine_threadsafe(connect_and_stop(there.server), there.server.loop)
        for client in ended.result(20):
            with client:
                assert client.makefile("rb").read().endswith(b"connection: close\r\n\r\n/")


@ON
@pytest.mark.parametrize("rounds", range(4))
def test_a_connection_that_is_being_opened_is_served(on: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted, but not yet known to the protocol, when the stop begins."""

    async def connect_and_stop(server: Live) -> list[socket.socket]:
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(3)]
        for _ in range(rounds):  # of the loop
            await asyncio.sleep(0)
        for client in clients:
            client.sendall(GET)
        await server.server.shutdown()
        return clients

    with served(on, LONG, monkeypatch) as there:
        ended = asyncio.run_coroutine_threadsafe(connect_and_stop(there.server), there.server.loop)
        for client in ended.result(20):
            with client:
                assert client.makefile("rb").read().endswith(b"connection: close\r\n\r\n/")


@ON
def test_a_connection_that_is_just_coming_may_ask_in_a_moment(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is still on its way when everything that is long idle has been closed."""

    async def connect_and_stop(server: Live) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        stopping = asyncio.ensure_future(server.server.shutdown())
        for _ in range(10):  # of the loop
            await asyncio.sleep(0)
        client.sendall(GET)
        await stopping
        return client

    with served(on, LONG / 6, monkeypatch, timeout_header=LONG) as there:
        ended = asyncio.run_coroutine_threadsafe(connect_and_stop(there.server), there.server.loop)
        with ended.result(20) as client:
            assert client.makefile("rb").read().endswith(b"connection: close\r\n\r\n/")


@ON
def test_a_connection_that_comes_and_says_nothing_does_not_hold_up_the_stop(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has as long as one that was just used."""

    async def connect_and_stop(server: Live) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        await server.server.shutdown()
        return client

    with served(on, SHORT, monkeypatch) as there:
        ended = asyncio.run_coroutine_threadsafe(connect_and_stop(there.server), there.server.loop)
        with ended.result(10) as client:
            assert client.recv(1) == b""


def test_connections_that_come_after_the_stop_are_the_next_servers() -> None:
    """On a socket that lives on: they wait in it."""

    async def web(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await reply(send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with live(web, fd=listener.dup().detach()):
            pass
        with Wire(port) as wire:
            wire.send(CLOSING)
            with live(web, fd=listener.dup().detach()):
                assert wire.answer().status == 200


# --- connections that were used -------------------------------------------------------------------------


@ON
def test_a_connection_that_was_just_used_answers_once_more(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next request may be on its way: its answer says that it was the last one."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert not wire.answer().closes
        stopped = stop(there)
        wire.send(GET)
        answer = wire.answer()
        assert (answer.status, answer.closes) == (200, True)
        assert wire.rest() == b""
        stopped.result(10)


@ON
def test_a_connection_that_was_just_used_is_closed_when_nothing_more_comes(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After REUSE_S."""
    with served(on, SHORT, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert not wire.answer().closes
        stop(there).result(10)
        assert wire.rest() == b""


@ON
def test_a_connection_that_was_long_idle_is_closed_at_once(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So an idle server stops at once, whatever browsers keep open."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert not wire.answer().closes
        stop(there, later=2 * LONG).result(10)
        assert wire.rest() == b""


@ON
def test_a_request_that_has_come_is_answered_however_long_its_connection_was_idle(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel has it, and the loop has not looked, when the stop begins."""

    async def send_and_stop(server: Live, client: socket.socket) -> None:
        client.sendall(GET)
        assert server.server._service is not None
        server.server._service.now += 2 * LONG
        await server.server.shutdown()

    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert not wire.answer().closes
        asyncio.run_coroutine_threadsafe(send_and_stop(there.server, wire.socket), there.server.loop).result(10)
        assert wire.answer().closes
        assert wire.rest() == b""


@ON
def test_a_request_that_comes_while_the_loop_is_blocked_is_answered(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the loop goes on it is late, and time to close the connections that were not used."""

    async def stop_and_block(server: Live, client: socket.socket) -> None:
        stopping = asyncio.ensure_future(server.server.shutdown())
        for _ in range(10):  # of the loop
            await asyncio.sleep(0)
        time.sleep(2 * SHORT)
        client.sendall(GET)
        await stopping

    with served(on, SHORT, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert not wire.answer().closes
        asyncio.run_coroutine_threadsafe(stop_and_block(there.server, wire.socket), there.server.loop).result(10)
        assert wire.answer().closes
        assert wire.rest() == b""


@ON
def test_the_head_of_a_request_that_has_begun_to_come_is_awaited(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a connection is not idle, however long it was."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire, Wire(there.port) as other:
        wire.send(GET[:7])
        other.send(GET)  # behind it: the server has seen the other's when this one is answered
        assert other.answer().status == 200
        stopped = stop(there, later=2 * LONG)
        assert other.rest() == b""
        wire.send(GET[7:])
        assert wire.answer().closes
        assert wire.rest() == b""
        stopped.result(10)


@ON
def test_an_answer_in_flight_announces_the_end(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its head was not yet sent when the stop began."""
    with served(on, SHORT, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(LATER)
        assert there.note() == "in"
        stopped = stop(there)
        there.go()
        answer = wire.answer()
        assert (answer.body, answer.closes) == (b"/later", True)
        assert wire.rest() == b""
        stopped.result(10)


@ON
def test_a_connection_whose_answer_had_begun_answers_once_more(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head has announced no end, so the client may go on."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(LATER.replace(b"/later", b"/stream"))
        assert there.note() == "in"
        wire.until(b"begun")
        stopped = stop(there)
        there.go()
        wire.until(b"0\r\n\r\n")
        wire.send(GET)
        assert wire.answer().closes
        assert wire.rest() == b""
        stopped.result(10)


@ON
def test_a_connection_whose_answer_had_begun_is_closed_when_nothing_more_comes(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop does not wait for the keep-alive timeout of connections that become idle meanwhile."""
    with served(on, SHORT, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(LATER.replace(b"/later", b"/stream"))
        assert there.note() == "in"
        stopped = stop(there)
        there.go()
        stopped.result(10)
        assert b"connection: close" not in wire.rest()


@ON
def test_pipelined_requests_are_all_answered_and_the_last_announces_the_end(
    on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have come when the stop begins, in their order."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire:
        wire.send(LATER + GET + GET.replace(b"/", b"/last", 1))
        assert there.note() == "in"
        stopped = stop(there)
        there.go()
        answers = [wire.answer() for _ in range(3)]
        assert [answer.body for answer in answers] == [b"/later", b"/", b"/last"]
        assert [answer.closes for answer in answers] == [False, False, True]
        assert wire.rest() == b""
        stopped.result(10)


# --- bounds ---------------------------------------------------------------------------------------------


@ON
def test_the_grace_bounds_the_wait_for_connections_that_were_just_used(
    on: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of it at most: such connections are closed, and not cut."""
    with served(on, LONG, monkeypatch, timeout_graceful_shutdown=0.2) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert wire.answer().status == 200
        stop(there).result(10)
        assert wire.rest() == b""
    assert "took too long" not in caplog.text


@ON
def test_a_forced_stop_waits_for_no_connection(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for one that was just used nor for an answer in flight."""
    with served(on, LONG, monkeypatch) as there, Wire(there.port) as wire, Wire(there.port) as other:
        wire.send(GET)
        assert wire.answer().status == 200
        other.send(LATER)
        assert there.note() == "in"
        stopped = stop(there)
        there.server.loop.call_soon_threadsafe(lambda: there.server.server.stop(force=True))
        stopped.result(10)
        assert wire.rest() == other.rest() == b""


# --- shutdown_delay -------------------------------------------------------------------------------------


@ON
def test_a_server_with_a_shutdown_delay_goes_on_but_is_not_ready(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """New connections are accepted, and nothing announces an end."""
    with served(on, LONG, monkeypatch, shutdown_delay=LONG) as there:
        assert there.server.server.is_ready()
        stopped = stop(there)
        with Wire(there.port) as wire:
            for _ in range(2):
                wire.send(GET)
                assert not wire.answer().closes
        assert not there.server.server.is_ready()
        there.server.loop.call_soon_threadsafe(there.server.server.stop)
        stopped.result(10)


@ON
def test_the_health_fails_while_the_shutdown_is_delayed(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a load balancer takes the server out before it is gone."""
    with served(on, LONG, monkeypatch, shutdown_delay=LONG, health="/healthz") as there, Wire(there.port) as wire:
        ask = GET.replace(b"/", b"/healthz", 1)
        wire.send(ask)
        assert wire.answer().status == 200
        stopped = stop(there)
        wire.send(ask)
        assert wire.answer().status == 503
        there.server.loop.call_soon_threadsafe(lambda: there.server.server.stop(force=True))
        stopped.result(10)


@ON
def test_the_drain_follows_the_shutdown_delay(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used until then is treated as ever."""
    with served(on, LONG, monkeypatch, shutdown_delay=SHORT) as there, Wire(there.port) as wire:
        wire.send(LATER)
        assert there.note() == "in"
        stopped = stop(there)
        while True:
            try:
                socket.create_connection(("127.0.0.1", there.port)).close()
            except ConnectionRefusedError:
                break
        there.go()
        assert wire.answer().closes
        stopped.result(10)


# --- WebSockets -----------------------------------------------------------------------------------------


@ON
def test_a_websocket_is_closed_as_the_drain_begins(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1012, beside connections that still wait for a request."""

    async def web(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        if scope["type"] == "http":
            await reply(send)
            return
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    monkeypatch.setattr(portico.server.server, "REUSE_S", LONG)
    with stage(web, on=on, timeout_graceful_shutdown=2 * LONG) as there, Wire(there.port) as wire:
        wire.send(GET)
        assert wire.answer().status == 200
        with opened(there.port) as client:
            stopped = stop(there)
            assert client.read_close() == (1012, "")
            client.send(closing(1012))
            assert client.rest() == b""
        wire.send(GET)
        assert wire.answer().closes
        stopped.result(10)
