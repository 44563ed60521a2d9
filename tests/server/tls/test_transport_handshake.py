"""Connections whose handshake does not come about: in time, at all, or because it is no TLS that is spoken."""

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest
from tests.certificates import local
from tests.live import LOOPS, Echo, Live, Wire, answers, live, seen
from tests.secured import Secured

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SHORT = 0.2


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Live]:
    with live(Echo(), on=request.param, **local().settings) as running:
        yield running


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever the peer does, it is nothing that the operator has to know."""
    with caplog.at_level(logging.DEBUG):
        yield
    loud = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert [record.getMessage() for record in loud if record.name != "portico" or record.levelno > logging.INFO] == []


def still_serves(server: Live) -> bool:
    with Secured(server.port) as client:
        client.send(BYE)
        (answer,) = answers(client.rest()[0])
    return seen(answer)["path"] == "/bye"


# --- what is no TLS -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_", [GET, b"POST / HTTP/1.1\r\n", b"get / http/1.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"]
)
@pytest.mark.usefixtures("quiet")
def test_plain_http_gets_a_400_that_can_be_read(server: Live, request_: bytes) -> None:
    with Wire(server.port) as wire:
        wire.send(request_)
        (answer,) = answers(wire.rest())
    assert answer.status == 400
    assert b"TLS" in answer.body
    assert answer.closes


def test_plain_http_that_goes_on_is_read_until_the_answer_has_arrived(server: Live) -> None:
    with Wire(server.port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
        (answer,) = answers(wire.rest())
    assert answer.status == 400


@pytest.mark.parametrize(
    "data", [b"\x00" * 20, b"\x80\x2e\x01\x00\x02" + b"\x00" * 50, b"\xff" * 600, b"\x16\x03\x01\xff\xff"]
)
@pytest.mark.usefixtures("quiet")
def test_what_is_neither_is_refused(server: Live, data: bytes) -> None:
    with Wire(server.port) as wire:
        wire.send(data)
        answer = wire.rest()
    assert len(answer) <= 7, "more than an alert"
    assert still_serves(server)


@pytest.mark.usefixtures("quiet")
def test_a_damaged_hello_is_refused(server: Live) -> None:
    with Secured(server.port, handshake=False) as client:
        hello = client.hello()
        client.push(hello[:40] + b"\xff" * (len(hello) - 40))
        while client.fill():
            pass
        (alert,) = client.taken()
    assert alert.kind == 21
    assert still_serves(server)


@pytest.mark.usefixtures("quiet")
def test_an_alert_in_place_of_the_last_message_ends_the_connection(server: Live) -> None:
    """So does a client that does not know the authority."""
    with Secured(server.port, handshake=False) as client:
        client.push(client.hello())
        assert client.fill()
        client.push(b"\x15\x03\x03\x00\x02\x02\x30")  # unknown_ca
        while client.fill():
            pass
    assert still_serves(server)


def test_a_version_that_is_too_old_is_refused() -> None:
    from tests.secured import TLS_1_2

    with live(Echo(), ssl_minimum_version="1.3", **local().settings) as server:
        with Secured(server.port, version=TLS_1_2, handshake=False) as client:
            client.push(client.hello())
            while client.fill():
                pass
            (alert,) = client.taken()
        assert alert.kind == 21
        assert alert.body[1] == 70
        assert still_serves(server)


@pytest.mark.usefixtures("quiet")
def test_a_client_that_vanishes_in_the_handshake_leaves_nothing(server: Live) -> None:
    for size in (0, 3, 100, 10_000):
        with Secured(server.port, handshake=False) as client:
            client.push(client.hello()[:size])
    with Secured(server.port, handshake=False) as client:
        client.push(client.hello())
        assert client.fill()
    assert still_serves(server)
    service = server.server._service
    assert service is not None
    with Wire(server.port) as last:
        last.send(GET)
        last.rest()
    assert all(connection.transport is not None for connection in list(service.connections))


# --- time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4, 5, 60])
@pytest.mark.usefixtures("quiet")
def test_a_handshake_that_does_not_come_in_time_is_cut(size: int) -> None:
    with live(Echo(), timeout_handshake=SHORT, **local().settings) as server:
        with Secured(server.port, handshake=False) as client:
            client.push(client.hello()[:size])
            assert not client.fill()
        assert still_serves(server)


def test_a_handshake_that_is_not_finished_in_time_is_cut() -> None:
    settings = {"timeout_handshake": SHORT} | local().settings
    with live(Echo(), **settings) as server, Secured(server.port, handshake=False) as client:
        client.push(client.hello())
        while client.fill():
            pass
        assert client.wire


def test_the_time_of_the_handshake_is_not_that_of_the_request() -> None:
    settings = {"timeout_handshake": SHORT, "timeout_header": 60} | local().settings
    with live(Echo(), **settings) as server, Secured(server.port) as client:
        client.socket.settimeout(4 * SHORT)
        with pytest.raises(TimeoutError):
            client.rest()
        client.send(BYE)
        assert client.rest()[1]


def test_the_request_has_its_own_time() -> None:
    with live(Echo(), timeout_header=SHORT, **local().settings) as server, Secured(server.port) as client:
        client.send(GET[:10])
        data, ended = client.rest()
    assert data.startswith(b"HTTP/1.1 408 ")
    assert ended


def test_who_goes_on_after_plain_http_was_refused_is_cut(server: Live) -> None:
    with Wire(server.port) as wire:
        wire.send(GET)
        wire.until(b"https://\n")
        for _ in range(16):
            try:
                wire.socket.sendall(bytes(1 << 20))
            except OSError:
                return
    pytest.fail("16 MB were read")


# --- limits ---------------------------------------------------------------------------------------------


def test_handshakes_count_as_connections() -> None:
    """One too many is closed before its own, which would cost more than the limit saves."""
    with live(Echo(), limit_connections=1, **local().settings) as server:
        with Secured(server.port, handshake=False) as first:
            first.push(first.hello())
            assert first.fill()
            with Secured(server.port, handshake=False) as second:
                second.push(second.hello())
                assert not second.fill()
            first.handshake()
            first.send(BYE)
            assert first.rest()[1]
        assert still_serves(server)


def test_who_has_said_nothing_makes_room() -> None:
    with live(Echo(), limit_connections=1, **local().settings) as server, Wire(server.port) as silent:
        with Secured(server.port) as client:
            client.send(BYE)
            assert client.rest()[1]
        assert silent.rest() == b""


def test_idle_connections_make_room() -> None:
    with live(Echo(), limit_connections=1, **local().settings) as server, Secured(server.port) as idle:
        idle.send(GET)
        idle.until(b"}")
        with Secured(server.port) as client:
            client.send(BYE)
            assert client.rest()[1]
        assert idle.rest() == (b"", True)


# --- stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", LOOPS)
def test_who_has_said_nothing_does_not_hold_up_the_stop(on: str) -> None:
    """Neither does `live` wait as long as the grace."""
    settings = {"timeout_graceful_shutdown": 60.0, "timeout_handshake": 60.0, "timeout_header": 60.0}
    with live(Echo(), on=on, **settings, **local().settings) as server, Wire(server.port) as silent:
        with Secured(server.port) as client:  # the server knows the other one by now
            client.send(BYE)
            client.rest()
        stopped = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)
        assert silent.rest() == b""
        stopped.result(10)


@pytest.mark.parametrize("on", LOOPS)
def test_a_handshake_that_has_begun_is_served_before_the_stop(on: str) -> None:
    with live(Echo(), on=on, timeout_graceful_shutdown=30.0, **local().settings) as server:
        with Secured(server.port, handshake=False) as client:
            client.push(client.hello())
            assert client.fill()
            stopped = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)
            refused = socket.socket()
            while refused.connect_ex(("127.0.0.1", server.port)) == 0:  # until nothing new is accepted
                refused.close()
                refused = socket.socket()
            refused.close()
            client.handshake()
            client.send(GET)
            data, ended = client.rest()
        (answer,) = answers(data)
        assert answer.status == 200
        assert ended
        stopped.result(10)
