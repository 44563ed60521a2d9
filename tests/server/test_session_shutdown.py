"""WebSockets when the server stops: each is closed with 1012, Service Restart, in order and within the grace."""

import asyncio
import concurrent.futures
import contextlib
import os
import signal
from typing import Any

import pytest
from tests.live import LOOPS, Wire, reply
from tests.served import ROOT, served
from tests.stage import Notes, Stage, dial, narrow, stage
from tests.websocket import Client, closing, handshake, opened, text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
SEND: Message = {"type": "websocket.send"}
ON = pytest.mark.parametrize("on", LOOPS)
SHORT = 0.3
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def stopping(there: Stage) -> "concurrent.futures.Future[None]":
    """Begin to stop the server; the future is done when it has."""
    return asyncio.run_coroutine_threadsafe(there.server.server.shutdown(), there.server.loop)


async def idle(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Accept, and note what comes."""
    await send(ACCEPT)
    assert (await receive())["type"] == "websocket.connect"
    while (event := await receive())["type"] != "websocket.disconnect":
        notes.put(event.get("text"))
    notes.put((event["code"], event["reason"]))


async def undecided(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
    """Answer the handshake when the test says so, by the path; a request at once."""
    if scope["type"] == "http":
        await reply(send)
        return
    assert (await receive())["type"] == "websocket.connect"
    notes.put("in")
    await notes.go.wait()
    await send({"type": f"websocket.{scope['path'][1:]}"})
    notes.put((await receive())["code"])


@ON
def test_a_websocket_is_closed_with_1012(on: str) -> None:
    """RFC 6455 §7.4, registry: Service Restart; a client may come back. The application sees the same."""
    with stage(idle, on=on) as there, dial(there.port) as client:
        stop = stopping(there)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert there.note() == (1012, "")
        stop.result(5)


@ON
def test_the_server_waits_for_the_close_of_the_peer(on: str) -> None:
    """The closing handshake is finished before the server is."""
    with stage(idle, on=on, timeout_graceful_shutdown=5) as there, opened(there.port) as client:
        stop = stopping(there)
        assert client.read_close() == (1012, "")
        with pytest.raises(concurrent.futures.TimeoutError):
            stop.result(SHORT)
        client.send(closing(1012))
        assert client.rest() == b""
        client.socket.close()
        stop.result(5)


@ON
def test_a_peer_that_does_not_answer_does_not_hold_up_the_stop(on: str) -> None:
    """timeout_graceful_shutdown: then the connection is cut."""
    with stage(idle, on=on, timeout_graceful_shutdown=SHORT) as there, opened(there.port) as client:
        stop = stopping(there)
        assert client.read_close() == (1012, "")
        stop.result(5)
        assert there.note() == (1012, "")
        with contextlib.suppress(ConnectionResetError):
            assert client.rest() == b""


def test_a_peer_that_reads_nothing_does_not_hold_up_the_stop() -> None:
    """The close frame is stuck behind a message; a `send` that waits ends with an OSError or is cancelled."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        asyncio.get_running_loop().call_later(0.05, notes.put, "sending")
        await send({**SEND, "bytes": bytes(10_000_000)})

    settings: dict[str, Any] = {"timeout_graceful_shutdown": SHORT, "fd": narrow()}
    with stage(app, **settings) as there, opened(there.port, receive_buffer=4096):
        assert there.note() == "sending"
        stopping(there).result(5)
        assert isinstance(there.note(), ClientDisconnected | asyncio.CancelledError)


def test_what_came_before_the_stop_is_received() -> None:
    """Messages that wait in the queue are the application's; then it sees the end."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        notes.put((await receive())["text"])
        await notes.go.wait()
        notes.put([(await receive()).get("text"), (await receive()).get("code")])

    with stage(app, timeout_graceful_shutdown=5) as there, opened(there.port) as client:
        client.send(text("one") + text("two"))
        assert there.note() == "one"
        stop = stopping(there)
        assert client.read_close() == (1012, "")
        client.send(closing(1012))
        there.go()
        assert there.note() == ["two", 1012]
        assert client.rest() == b""
        client.socket.close()
        stop.result(5)


def test_a_send_after_the_stop_is_an_oserror() -> None:
    """The application did not close, and cannot know: as after a close of the peer."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.connect"
        assert (await receive())["type"] == "websocket.disconnect"
        await send({**SEND, "text": "late"})

    with stage(app) as there, opened(there.port) as client:
        stopping(there)
        assert client.read_close() == (1012, "")
        assert isinstance(there.note(), ClientDisconnected)


def test_an_application_may_take_its_time_after_the_close() -> None:
    """To store what it has: the stop waits for it, within the grace."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await idle(scope, receive, send, notes)
        await notes.go.wait()
        notes.put("stored")

    with stage(app, timeout_graceful_shutdown=5) as there, opened(there.port) as client:
        stop = stopping(there)
        assert client.read_close() == (1012, "")
        client.send(closing(1012))
        assert client.rest() == b""
        client.socket.close()
        assert there.note() == (1012, "")
        with pytest.raises(concurrent.futures.TimeoutError):
            stop.result(SHORT)
        there.go()
        stop.result(5)
        assert there.note() == "stored"


@ON
def test_an_application_that_does_not_end_is_cancelled(on: str) -> None:
    """timeout_graceful_shutdown: however long it would go on."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await idle(scope, receive, send, notes)
        await asyncio.Event().wait()

    with stage(app, on=on, timeout_graceful_shutdown=SHORT) as there, dial(there.port):
        stopping(there).result(5)
        assert there.note() == (1012, "")
        assert isinstance(there.note(), asyncio.CancelledError)


# --- handshakes -----------------------------------------------------------------------------------------


@ON
def test_a_handshake_that_is_accepted_after_the_stop(on: str) -> None:
    """It is answered, and closed at once."""
    with stage(undecided, on=on, timeout_graceful_shutdown=5) as there, Client(there.port) as client:
        client.send(handshake(b"/accept"))
        assert there.note() == "in"
        with Wire(there.port) as other:
            other.send(GET)
            assert other.answer().status == 200
            stop = stopping(there)
            assert other.rest() == b""  # the stop has begun
        there.go()
        client.switched()
        assert client.read_close() == (1012, "")
        client.send(closing(1012))
        assert client.rest() == b""
        client.socket.close()
        stop.result(5)
        assert there.note() == 1012


def test_a_handshake_that_is_refused_after_the_stop() -> None:
    """The client gets its answer."""
    with stage(undecided, timeout_graceful_shutdown=5) as there, Wire(there.port) as wire:
        wire.send(handshake(b"/close"))
        assert there.note() == "in"
        stop = stopping(there)
        there.go()
        assert wire.answer().status == 403
        assert wire.rest() == b""
        wire.socket.close()
        stop.result(5)


def test_a_handshake_that_is_not_answered_does_not_hold_up_the_stop() -> None:
    """timeout_graceful_shutdown: the client sees an end, the application its cancellation."""
    with stage(undecided, timeout_graceful_shutdown=SHORT) as there, Wire(there.port) as wire:
        wire.send(handshake(b"/accept"))
        assert there.note() == "in"
        stopping(there).result(5)
        assert b" 101 " not in wire.rest()
        assert isinstance(there.note(), asyncio.CancelledError)


# --- processes ------------------------------------------------------------------------------------------


@pytest.mark.process
def test_a_process_that_is_told_to_end_closes_its_websockets() -> None:
    """SIGTERM: 1012 to everybody, exit status 0, no traceback."""
    with served("examples.chat:app", cwd=ROOT) as server:
        url = f"ws{server.url.removeprefix('http')}/chat?name=Ada"
        with connect(url, proxy=None) as ada, connect(url, proxy=None) as bob:
            os.kill(server.process.pid, signal.SIGTERM)
            codes = []
            for client in (ada, bob):
                with pytest.raises(ConnectionClosed) as closed:
                    list(client)
                assert closed.value.rcvd is not None
                codes.append(closed.value.rcvd.code)
        assert server.process.wait(20) == 0
    assert codes == [1012, 1012]
    assert "Traceback" not in server.log
