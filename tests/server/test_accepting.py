"""Accepting: what the system refuses, who has gone already, and whose turn it is."""

import asyncio
import errno
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from tests.live import LOOPS, Wire, live, reply

from portico.asgi import Receive, Scope, Send
from portico.server import accepting
from portico.server.accepting import Acceptor, Neighbours
from portico.server.metrics.board import ACCEPTING, HEARTBEAT, PID, Board

ON = pytest.mark.parametrize("on", LOOPS)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Listener(socket.socket):
    """A listening socket; `accept` raises the errors of `refusals` first, and is counted."""

    def __init__(self, *refusals: int) -> None:
        super().__init__()
        self.refusals = list(refusals)
        self.calls = 0
        self.bind(("127.0.0.1", 0))
        self.listen()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept, or fail."""
        self.calls += 1
        if self.refusals:
            number = self.refusals.pop(0)
            raise OSError(number, errno.errorcode[number])
        return super().accept()

    def dial(self) -> socket.socket:
        """Return a client that has connected."""
        return socket.create_connection(self.getsockname(), timeout=10)


class Greeting(asyncio.Protocol):
    """Says hello, and notes who came."""

    def __init__(self, came: list[Any]) -> None:
        self.came = came

    def connection_made(self, transport: Any) -> None:
        """Say it."""
        self.came.append(transport)
        transport.write(b"hello")
        transport.close()


async def turns(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def run(on: str, test: Any) -> None:
    """Run a coroutine on one of the loops."""
    with asyncio.Runner(loop_factory=LOOPS[on]) as runner:
        runner.run(asyncio.wait_for(test, 20))


async def hears(client: socket.socket) -> bytes:
    """Return what the server says to the end."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    said = b""
    while data := await loop.sock_recv(client, 100):
        said += data
    return said


@ON
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_system_that_has_run_out_is_left_alone_for_a_while(
    on: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket stays readable, and the loop does not spin."""
    monkeypatch.setattr(accepting, "RECOVERY_S", 60.0)

    async def test() -> None:
        with Listener(number) as listener, listener.dial():
            acceptor = Acceptor(listener, lambda: Greeting([]))
            await acceptor.start()
            while not listener.calls:
                await asyncio.sleep(0)
            await turns(20)
            assert listener.calls == 1
            acceptor.stop(0)

    run(on, test())


@ON
def test_accepting_goes_on_when_the_system_has_recovered(
    on: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, however often it is tried, and again the next time."""
    monkeypatch.setattr(accepting, "RECOVERY_S", 0.01)

    async def test() -> None:
        with Listener(errno.EMFILE, errno.EMFILE, errno.EMFILE) as listener:
            acceptor = Acceptor(listener, lambda: Greeting([]))
            await acceptor.start()
            for times in (1, 2):
                with listener.dial() as client:
                    assert await hears(client) == b"hello"
                assert caplog.text.count("Cannot accept connections, trying again every second: EMFILE") == times
                listener.refusals = [errno.EMFILE, errno.EMFILE]
            acceptor.stop(0)

    run(on, test())


@ON
def test_a_connection_that_was_reset_while_it_waited_is_passed_over(on: str) -> None:
    """accept(2): an error of the connection is not one of the socket."""

    async def test() -> None:
        with Listener(errno.ECONNABORTED, errno.EPROTO) as listener, listener.dial() as client:
            acceptor = Acceptor(listener, lambda: Greeting([]))
            await acceptor.start()
            assert await hears(client) == b"hello"
            acceptor.stop(0)

    run(on, test())


@ON
def test_a_peer_that_vanishes_at_once_is_no_error(on: str, caplog: pytest.LogCaptureFixture) -> None:
    """Reset before the loop has looked at it."""

    async def test() -> None:
        with Listener() as listener, listener.dial() as client:
            gone = listener.dial()
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            gone.close()
            acceptor = Acceptor(listener, lambda: Greeting([]))
            await acceptor.start()
            assert await hears(client) == b"hello"
            acceptor.stop(0)
            await acceptor.opened()

    run(on, test())
    assert caplog.text == ""


@ON
def test_what_waits_is_accepted_as_accepting_ends(on: str) -> None:
    """As many as are wanted; the rest is left in the socket."""

    async def test() -> None:
        with Listener() as listener:
            clients = [listener.dial() for _ in range(5)]
            came: list[Any] = []
            acceptor = Acceptor(listener, lambda: Greeting(came))
            await acceptor.start()
            acceptor.stop(3)
            await acceptor.opened()
            assert len(came) == 3
            await turns(10)
            assert len(came) == 3
            left = [super(Listener, listener).accept()[0] for _ in range(2)]
            for sock in (*clients, *left):
                sock.close()
            await turns(5)

    run(on, test())


@ON
def test_nothing_is_tried_again_after_the_end(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system had run out of descriptors as the accepting ended."""
    monkeypatch.setattr(accepting, "RECOVERY_S", 0.001)

    async def test() -> None:
        with Listener(errno.EMFILE) as listener, listener.dial():
            acceptor = Acceptor(listener, lambda: Greeting([]))
            await acceptor.start()
            acceptor.stop(1)
            await asyncio.sleep(0.01)
            await turns(5)
            assert listener.calls == 1

    run(on, test())


class Shared:
    """A board on which this process and a neighbour are, and a service that has so many connections."""

    def __init__(self, connections: int) -> None:
        self.board = Board.create()
        self.cells, self.other = self.board.place(0), self.board.place(5)
        self.service: Any = SimpleNamespace(connections=set(range(connections)), now=100.0)
        self.cells[PID] = os.getpid()
        self.other[PID] = os.getpid() + 1
        self.other[HEARTBEAT] = int(99e9)

    def neighbours(self, connections: int | None) -> Neighbours:
        """Return the neighbours, of whom the other accepts and has so many connections, or does not accept."""
        self.other[ACCEPTING] = 0 if connections is None else connections + 1
        return Neighbours(self.board, self.cells, self.service)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_theirs"),
    [
        (0, 0, False), (1, 0, False), (2, 0, True), (2, 3, False), (9, 8, False), (10, 8, True),
        (90, 80, False), (91, 80, True), (50, None, False),
    ],
)  # fmt: skip
def test_the_next_connection_is_theirs_who_have_less(ours: int, theirs: int | None, is_theirs: bool) -> None:
    """By more than one and more than an eighth; a worker that does not accept is none of them."""
    assert Shared(ours).neighbours(theirs).have_room(0) is is_theirs


def test_connections_that_are_being_opened_count() -> None:
    """They are not yet among those of the service."""
    neighbours = Shared(0).neighbours(0)
    assert not neighbours.have_room(1)
    assert neighbours.have_room(2)


def test_a_worker_shows_how_many_connections_it_has_while_it_accepts() -> None:
    """One more, so that it can be told from one that does not accept."""
    shared = Shared(7)
    neighbours = shared.neighbours(0)
    neighbours.show(2)
    assert shared.cells[ACCEPTING] == 10
    neighbours.leave()
    assert shared.cells[ACCEPTING] == 0


def test_nothing_is_left_to_a_worker_that_hangs() -> None:
    """Its heart has not beaten for some seconds."""
    shared = Shared(9)
    neighbours = shared.neighbours(0)
    assert neighbours.have_room(0)
    shared.service.now += 10.0
    assert not neighbours.have_room(0)


@ON
def test_a_connection_is_left_to_others_who_have_less(on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop does not look at the socket meanwhile."""
    monkeypatch.setattr(accepting, "HEAD_START_S", 60.0)

    async def test() -> None:
        with Listener() as listener, listener.dial():
            acceptor = Acceptor(listener, lambda: Greeting([]), Shared(9).neighbours(0))
            await acceptor.start()
            await turns(20)
            assert listener.calls == 0
            acceptor.stop(0)

    run(on, test())


@ON
def test_a_connection_that_is_left_to_others_is_accepted_when_none_takes_it(on: str) -> None:
    """They may be busy: no client waits for long."""
    came: list[Any] = []

    async def test() -> None:
        with Listener() as listener, listener.dial() as first, listener.dial() as second:
            acceptor = Acceptor(listener, lambda: Greeting(came), Shared(9).neighbours(0))
            await acceptor.start()
            assert await hears(first) == await hears(second) == b"hello"
            acceptor.stop(0)

    run(on, test())


@ON
def test_what_is_left_to_others_is_taken_as_accepting_ends(on: str) -> None:
    """They may have ended too."""
    came: list[Any] = []

    async def test() -> None:
        with Listener() as listener, listener.dial() as client:
            shared = Shared(9)
            acceptor = Acceptor(listener, lambda: Greeting(came), shared.neighbours(0))
            await acceptor.start()
            assert shared.cells[ACCEPTING]
            acceptor.stop(5)
            await acceptor.opened()
            assert len(came) == 1
            assert await hears(client) == b"hello"
            assert not shared.cells[ACCEPTING]

    run(on, test())


@ON
def test_several_servers_share_a_socket(on: str) -> None:
    """Each request is answered by one of them, and by the other one when the first has gone."""

    def answering(name: bytes) -> Any:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["type"] == "http"
            await reply(send, name)

        return app

    def ask(port: int) -> bytes:
        with Wire(port) as wire:
            wire.send(GET)
            return wire.answer().body

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with live(answering(b"first"), on=on, fd=listener.dup().detach()):
            with live(answering(b"second"), on=on, fd=listener.dup().detach()):
                assert {ask(port) for _ in range(20)} <= {b"first", b"second"}
            assert {ask(port) for _ in range(20)} == {b"first"}
