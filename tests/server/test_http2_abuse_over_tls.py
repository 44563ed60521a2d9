"""The same abuse over TLS, where another transport has to hold back, give up and close: one of each kind."""

import logging
import ssl
from collections.abc import Iterator

import pytest
from tests.certificates import local, trusting
from tests.frames import (
    DEFAULT_WINDOW,
    ENHANCE_YOUR_CALM,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    block,
    continuation,
    headers,
    ping,
    request,
    rst_stream,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.tally import PIECE, Tally, growth, peak

MEGABYTE = 1 << 20
SHORT = 0.3


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return trusting(alpn=["h2"])


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def server(tally: Tally) -> Iterator[Live]:
    with live(tally, **local().settings) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_large_bodies_pass_both_ways(server: Live, context: ssl.SSLContext) -> None:
    with Client(server.port, tls=context, timeout=20) as client:
        stream = client.request(method=b"POST", end=False)
        assert client.upload(stream, PIECE * 3000) == 3_000_000
        assert client.response(stream).body == PIECE * 3000


def test_a_rapid_reset_ends_the_connection(server: Live, context: ssl.SSLContext) -> None:
    fragment = block(request(b"/wait"))
    with Client(server.port, tls=context) as client:
        numbers = range(1, 20_000, 2)
        for number in numbers:
            client.expect(number).dropped = True
        client.flood(b"".join(headers(number, fragment, end=True) + rst_stream(number) for number in numbers))
        assert client.goodbye().code == ENHANCE_YOUR_CALM


def test_floods_end_the_connection(server: Live, context: ssl.SSLContext) -> None:
    with Client(server.port, tls=context) as client:
        client.flood(ping(), times=20_000)
        assert client.goodbye().code == ENHANCE_YOUR_CALM
    with Client(server.port, tls=context) as client:
        client.expect(1)
        client.send(headers(1, b"", end_headers=False))
        client.flood(continuation(1, bytes(1000), end_headers=False), times=20_000)
        assert client.goodbye().code != NO_ERROR


def test_a_closed_window_holds_back_and_is_given_up_in_time(tally: Tally, context: ssl.SSLContext) -> None:
    with (
        live(tally, timeout_write=SHORT, **local().settings) as server,
        Client(server.port, {INITIAL_WINDOW_SIZE: 0}, tls=context) as client,
    ):
        for _ in range(20):
            client.request(b"/endless")
        for _ in range(20):
            assert tally.ended.get(timeout=5) == "/endless"
        assert tally.sent < 20 * MEGABYTE // 2


def test_a_client_that_reads_nothing_is_cut_off_in_time(tally: Tally, context: ssl.SSLContext) -> None:
    initial = {INITIAL_WINDOW_SIZE: MAX_WINDOW}
    with (
        live(tally, timeout_write=SHORT, **local().settings) as server,
        Client(server.port, initial, tls=context, receive_buffer=4096) as client,
    ):
        client.give(0, MAX_WINDOW - DEFAULT_WINDOW)
        for _ in range(4):
            client.request(b"/endless")
        for _ in range(4):
            assert tally.ended.get(timeout=5) == "/endless"
        assert tally.sent < 32 * MEGABYTE


def test_heads_that_the_client_does_not_read_are_not_collected(server: Live, context: ssl.SSLContext) -> None:
    fragment = block(request(b"/fields", method=b"HEAD"))
    with Client(server.port, tls=context, receive_buffer=4096) as client:
        client.socket.settimeout(2)

        def send() -> None:
            for first in range(1, 1_000_000, 100):
                client.socket.sendall(b"".join(headers(first + 2 * i, fragment, end=True) for i in range(50)))

        def until_it_stops() -> None:
            with pytest.raises(OSError):
                send()

        assert peak(until_it_stops) < 8 * MEGABYTE


def test_connections_that_vanish_leave_nothing(server: Live, tally: Tally, context: ssl.SSLContext) -> None:
    def come_and_go() -> None:
        for _ in range(10):
            client = Client(server.port, tls=context)
            for path in (b"/endless", b"/wait", b"/bytes/100000", b"/"):
                client.request(path, method=b"POST", end=False)
            assert client.is_alive()
            client.abort()
            for _ in range(4):
                tally.ended.get(timeout=5)

    assert growth(come_and_go, times=3) < MEGABYTE
    assert tally.running == 0
