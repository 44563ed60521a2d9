"""Limits of the whole server, and stopping it, with clients of HTTP/2 that do not play along."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.frames import (
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PREFACE,
    block,
    get,
    headers,
    request,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.tally import Tally


@pytest.fixture(autouse=True)
def nothing_goes_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged above a warning: that the shutdown took too long is one."""
    yield
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []


# --- limits of the whole server ----------------------------------------------------------------------


def test_idle_connections_make_room_and_are_told() -> None:
    with live(Tally(), limit_connections=2) as server, Client(server.port) as first, Client(server.port) as second:
        first.answer_of(b"/bytes/10")
        with Client(server.port) as third:
            assert third.answer_of(b"/bytes/10").body == bytes(10)
            assert [each.goodbye().code for each in (first, second) if not each.is_alive()] == [NO_ERROR]


def test_a_connection_with_an_open_stream_is_not_idle() -> None:
    with live(Tally(), limit_connections=2) as server, Client(server.port) as first, Client(server.port) as second:
        held = [(client, client.request(b"/wait")) for client in (first, second)]
        assert first.is_alive()
        assert second.is_alive()
        with Client(server.port, start=False) as third:
            third.wait()
            assert third.rest()  # an answer of HTTP/1.1 or a GOAWAY, and the end
        for client, stream in held:
            assert client.is_alive()
            assert client.streams[stream].reset is None


def test_requests_beyond_the_limit_of_concurrency_are_answered() -> None:
    """503 on the stream, whose connection goes on."""
    with live(Tally(), limit_concurrency=2) as server, Client(server.port) as client:
        for _ in range(2):
            client.request(b"/wait")
        for _ in range(20):
            response = client.answer_of(b"/bytes/10")
            assert (response.status, response.field(b"retry-after")) == (503, b"1")
        assert client.is_alive()


def test_many_connections_that_only_connect_are_timed() -> None:
    with live(Tally(), timeout_header=0.3, timeout_keep_alive=0.3) as server, ExitStack() as stack:
        clients = [stack.enter_context(Client(server.port, start=False)) for _ in range(100)]
        for client in clients[::2]:
            client.send(PREFACE)
        for client in clients:
            client.wait()
            client.rest()


# --- stopping ----------------------------------------------------------------------------------------


class Stopping:
    """A server that is asked to stop while a test goes on; leaving the block waits for its end."""

    def __init__(self, server: Live) -> None:
        self.server = server
        self.end = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)

    def __enter__(self) -> "Stopping":
        return self

    def __exit__(self, *error: object) -> None:
        self.end.result(10)


def test_an_open_request_is_finished_and_the_client_told_first() -> None:
    """RFC 9113 §6.8: a warning, then the last stream, then the end."""
    tally = Tally()
    with live(tally) as server, Client(server.port) as client:
        stream = client.request(b"/late")
        assert client.is_alive()
        with Stopping(server):
            client.until_true(lambda: bool(client.goaways))
            assert (client.goaways[0].last, client.goaways[0].code) == (MAX_WINDOW, NO_ERROR)
            late = client.request(b"/bytes/10")  # was on its way
            assert client.response(late).body == bytes(10)
            server.loop.call_soon_threadsafe(tally.go.set)
            assert client.response(stream).status == 200
            assert client.goodbye().code == NO_ERROR
            assert client.goaways[-1].last == late


def test_a_client_that_goes_on_asking_does_not_hold_up_the_end() -> None:
    """Its requests are not taken once it knows; it is not waited for."""
    tally = Tally()
    with live(tally) as server, Client(server.port) as client:
        client.request(b"/bytes/10")
        with Stopping(server):
            for _ in range(5000):
                if client.at_end:
                    break
                stream = client.open()
                client.expect(stream).dropped = True
                client.flood(get(stream, b"/bytes/10"))
            client.goodbye()


def test_a_client_that_answers_no_ping_does_not_hold_up_the_end() -> None:
    tally = Tally()
    with live(tally) as server, Client(server.port) as client:
        client.request(b"/late")
        assert client.is_alive()
        client.answers_pings = False
        with Stopping(server):
            client.until_true(lambda: len(client.goaways) == 2)
            server.loop.call_soon_threadsafe(tally.go.set)
            assert client.goodbye().code == NO_ERROR


@pytest.mark.parametrize("how", ["no window", "no end", "no headers", "never reads", "endless"])
def test_a_client_that_stalls_does_not_hold_up_the_end(how: str) -> None:
    """timeout_graceful_shutdown is the most that anybody gets."""
    tally = Tally()
    initial = {INITIAL_WINDOW_SIZE: 0 if how == "no window" else MAX_WINDOW}
    with live(tally, timeout_graceful_shutdown=0.3) as server, Client(server.port, initial) as client:
        if how == "no end":
            client.request(method=b"POST", end=False)
        elif how == "no headers":
            client.expect(1)
            client.send(headers(1, block(request()), end=True, end_headers=False))
        else:
            client.request(b"/endless")
        if how == "never reads":
            client.give(0, MAX_WINDOW - 65535)
        elif how != "no headers":
            client.until_true(lambda: how == "no end" or bool(client.streams[1].status))
        with Stopping(server):
            pass
        assert tally.running == 0
