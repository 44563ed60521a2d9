"""Flow control as a weapon: windows that stay closed, open a byte at a time, overflow, or are never given back."""

import asyncio
import logging
import select
import time
from collections.abc import Iterator

import pytest
from tests.frames import (
    CANCEL,
    DATA,
    DEFAULT_WINDOW,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PROTOCOL_ERROR,
    data,
    rst_stream,
    window_update,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.tally import PIECE, Tally, peak

MEGABYTE = 1 << 20
SHORT = 0.3
HELD = MEGABYTE // 2  # bytes of one response that may wait for a window


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def server(tally: Tally) -> Iterator[Live]:
    with live(tally) as server:
        yield server
        server.loop.call_soon_threadsafe(tally.go.set)


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def settled(server: Live) -> None:
    """Let the server's loop take a few turns."""

    async def turns() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(turns(), server.loop).result(5)


# --- windows that stay closed (nginx CVE-2019-9517 and its like) -------------------------------------


def test_a_closed_window_holds_back_the_application(server: Live, tally: Tally) -> None:
    """The head goes out, `send` waits, and a hundred endless responses take bounded memory."""
    with Client(server.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        numbers = [client.request(b"/endless") for _ in range(100)]
        client.until_true(lambda: all(client.streams[number].status for number in numbers))
        assert client.is_alive()
        settled(server)
        assert tally.sent <= 100 * HELD
        before = tally.sent
        settled(server)
        assert tally.sent == before
        assert all(not client.streams[number].body for number in numbers)


def test_a_closed_window_of_the_connection_holds_back_all_streams(server: Live, tally: Tally) -> None:
    with Client(server.port, {INITIAL_WINDOW_SIZE: MAX_WINDOW}, refill=False) as client:
        numbers = [client.request(b"/endless") for _ in range(100)]
        client.until_true(lambda: client.window == 0)
        assert client.is_alive()
        settled(server)
        assert sum(len(client.streams[number].body) for number in numbers) == DEFAULT_WINDOW
        assert tally.sent <= 100 * HELD


@pytest.mark.parametrize("initial", [{INITIAL_WINDOW_SIZE: 0}, {INITIAL_WINDOW_SIZE: MAX_WINDOW}])
def test_responses_that_find_no_window_are_given_up_in_time(initial: dict[int, int]) -> None:
    """timeout_write: on the stream or on the connection, whichever is closed; the applications end."""
    tally = Tally()
    with live(tally, timeout_write=SHORT) as server:
        with Client(server.port, initial, refill=False) as client:
            numbers = [client.request(b"/endless") for _ in range(10)]
            client.until_true(
                lambda: client.at_end or bool(client.goaways) or all(client.streams[n].reset for n in numbers)
            )
        for _ in numbers:
            assert tally.ended.get(timeout=5) == "/endless"
        assert tally.running == 0


def test_a_whole_response_under_a_closed_window_is_given_up_too() -> None:
    """The application has ended long ago: what it left behind must not stay for ever."""
    tally = Tally()
    initial = {INITIAL_WINDOW_SIZE: 10}
    with live(tally, timeout_write=SHORT) as server, Client(server.port, initial, refill=False) as client:
        stream = client.request(b"/bytes/1000")
        response = client.streams[stream]
        client.until_true(lambda: client.at_end or bool(client.goaways) or response.reset is not None)
        assert len(response.body) <= 10
        assert not response.ended


def test_other_streams_go_on_beside_one_without_a_window(server: Live) -> None:
    with Client(server.port) as client:
        held = client.request(b"/endless")
        client.refill = False
        client.until_true(lambda: client.streams[held].window == 0)
        client.give(0, MEGABYTE)
        for _ in range(20):
            assert len(client.answer_of(b"/bytes/3000").body) == 3000
        assert client.streams[held].reset is None


def test_a_client_that_reads_nothing_is_cut_off_in_time() -> None:
    """All windows are open, and TCP's is closed: timeout_write as in HTTP/1."""
    tally, initial = Tally(), {INITIAL_WINDOW_SIZE: MAX_WINDOW}
    with live(tally, timeout_write=SHORT) as server, Client(server.port, initial, receive_buffer=4096) as client:
        client.give(0, MAX_WINDOW - DEFAULT_WINDOW)
        for _ in range(4):
            client.request(b"/endless")
        for _ in range(4):
            assert tally.ended.get(timeout=5) == "/endless"
        assert tally.sent < 32 * MEGABYTE


# --- windows that open a little ----------------------------------------------------------------------


def test_a_response_may_come_byte_by_byte(server: Live) -> None:
    with Client(server.port, {INITIAL_WINDOW_SIZE: 1}) as client:
        response = client.answer_of(b"/", method=b"POST", body=b"a byte at a time")
        assert response.body == b"a byte at a time"
        sizes = [len(frame.payload) for frame in client.frames if frame.kind == DATA]
        assert max(sizes) == 1


def test_a_large_response_byte_by_byte_is_too_much(server: Live, tally: Tally) -> None:
    """RFC 9113 §10.5: a client that asks for a million frames of one byte."""
    with Client(server.port, {INITIAL_WINDOW_SIZE: 0}) as client:
        stream = client.request(b"/endless")
        client.streams[stream].window = MAX_WINDOW  # it is not what is tested
        client.flood(window_update(stream, 1), times=200_000)
        assert client.goodbye().code == ENHANCE_YOUR_CALM
    assert tally.ended.get(timeout=5) == "/endless"


def test_a_window_may_become_negative(server: Live) -> None:
    """RFC 9113 §6.9.2: the new size holds for open streams too, and what they have used stays used."""
    with Client(server.port, {INITIAL_WINDOW_SIZE: 1000}, refill=False) as client:
        stream = client.request(b"/bytes/5000")
        response = client.streams[stream]
        client.until_true(lambda: len(response.body) == 1000)
        client.change({INITIAL_WINDOW_SIZE: 0})
        client.until_true(lambda: not client.pending)
        assert response.window == -1000
        client.give(stream, 1000)
        assert client.is_alive()
        assert len(response.body) == 1000
        client.give(stream, 1)
        client.until_true(lambda: len(response.body) == 1001)
        client.change({INITIAL_WINDOW_SIZE: 5000})
        assert len(client.response(stream).body) == 5000


def test_windows_that_shrink_and_grow_lose_nothing(server: Live) -> None:
    with Client(server.port, timeout=20) as client:
        stream = client.request(b"/bytes/2000000")
        for size in [0, 1, 100_000, 7, 65535, 0, 3_000_000] * 3:
            client.change({INITIAL_WINDOW_SIZE: size})
            assert client.is_alive()
        assert len(client.response(stream).body) == 2_000_000


# --- windows that overflow ---------------------------------------------------------------------------


def test_a_window_of_the_connection_that_overflows_ends_it(server: Live) -> None:
    """RFC 9113 §6.9.1."""
    with Client(server.port) as client:
        client.send(window_update(0, MAX_WINDOW - DEFAULT_WINDOW))
        assert client.is_alive()
        client.send(window_update(0, 1))
        assert client.goodbye().code == FLOW_CONTROL_ERROR


def test_a_window_of_a_stream_that_overflows_ends_the_stream(server: Live, tally: Tally) -> None:
    """RFC 9113 §6.9.1."""
    with Client(server.port) as client:
        stream = client.request(b"/wait")
        client.send(window_update(stream, MAX_WINDOW - DEFAULT_WINDOW))
        assert client.is_alive()
        client.send(window_update(stream, 1))
        assert client.reset_of(stream) == FLOW_CONTROL_ERROR
        assert client.is_alive()
    assert tally.ended.get(timeout=5) == "/wait"


def test_an_initial_window_that_makes_one_overflow_ends_the_connection(server: Live) -> None:
    """RFC 9113 §6.9.2."""
    with Client(server.port) as client:
        stream = client.request(b"/wait")
        client.send(window_update(stream, MAX_WINDOW - DEFAULT_WINDOW))
        client.change({INITIAL_WINDOW_SIZE: DEFAULT_WINDOW + 1})
        assert client.goodbye().code == FLOW_CONTROL_ERROR


@pytest.mark.parametrize("size", [MAX_WINDOW + 1, 0xFFFFFFFF])
def test_an_initial_window_that_is_too_large_ends_the_connection(server: Live, size: int) -> None:
    """RFC 9113 §6.5.2."""
    with Client(server.port) as client:
        client.change({INITIAL_WINDOW_SIZE: size})
        assert client.goodbye().code == FLOW_CONTROL_ERROR


@pytest.mark.parametrize("size", [0, 1, 16383, 1 << 24, 0xFFFFFFFF])
def test_a_frame_size_out_of_bounds_ends_the_connection(server: Live, size: int) -> None:
    """RFC 9113 §6.5.2."""
    with Client(server.port) as client:
        client.change({MAX_FRAME_SIZE: size})
        assert client.goodbye().code == PROTOCOL_ERROR


def test_the_largest_frames_and_windows_are_no_invitation(server: Live, tally: Tally) -> None:
    """However much a client would take at once, what waits for it in memory is bounded."""
    with Client(
        server.port, {INITIAL_WINDOW_SIZE: MAX_WINDOW, MAX_FRAME_SIZE: (1 << 24) - 1}, receive_buffer=4096
    ) as client:
        client.give(0, MAX_WINDOW - DEFAULT_WINDOW)
        client.request(b"/endless")
        client.wait()
        client.fill()
        settled(server)
        assert tally.sent < 8 * MEGABYTE  # most of it in the socket's buffers


def test_a_large_body_is_not_copied_for_large_frames(server: Live) -> None:
    """A client may allow frames of 16 MB; none is put together while nobody takes it."""
    with Client(
        server.port, {INITIAL_WINDOW_SIZE: MAX_WINDOW, MAX_FRAME_SIZE: (1 << 24) - 1}, receive_buffer=4096
    ) as client:
        client.give(0, MAX_WINDOW - DEFAULT_WINDOW)

        def ask() -> None:
            client.request(b"/whole")
            client.wait()
            client.fill()
            settled(server)

        assert peak(ask) < 4 * MEGABYTE


# --- the server's own windows ------------------------------------------------------------------------


def test_data_beyond_the_window_of_a_stream_is_an_error(tally: Tally) -> None:
    """RFC 9113 §6.9.1."""
    with live(tally, http2_initial_window_size=1000) as server, Client(server.port) as client:
        stream = client.request(b"/late", method=b"POST", end=False)
        client.send_data(stream, bytes(1000))
        assert client.is_alive()
        client.send_data(stream, b"a")
        client.until_true(lambda: client.at_end or bool(client.goaways) or client.streams[stream].reset is not None)
        codes = {client.streams[stream].reset, *(each.code for each in client.goaways)} - {None}
        assert codes == {FLOW_CONTROL_ERROR}
        server.loop.call_soon_threadsafe(tally.go.set)


def test_data_beyond_the_window_of_the_connection_ends_it(server: Live) -> None:
    """RFC 9113 §6.9.1."""
    with Client(server.port) as client:
        while client.room(0) >= 0:
            stream = client.request(b"/late", method=b"POST", end=False)
            while client.room(0) >= 0 and client.room(stream) > 0:
                client.send_data(stream, bytes(min(16384, client.room(stream))))
        assert client.goodbye().code == FLOW_CONTROL_ERROR


def test_bodies_that_nobody_reads_are_bounded_for_the_whole_connection(server: Live, tally: Tally) -> None:
    """A hundred streams may not hold a hundred windows' worth of memory."""
    with Client(server.port) as client:
        numbers = [client.request(b"/late", method=b"POST", end=False) for _ in range(100)]
        assert client.is_alive()
        for number in numbers:
            while client.room(0) > 0 and client.room(number) > 0:
                client.send_data(number, bytes(min(16384, client.room(0), client.room(number))))
            assert client.is_alive()
        assert sum(client.uploaded[number] for number in numbers if number in client.uploaded) <= 4 * MEGABYTE


@pytest.mark.parametrize("size", [2, 5])
def test_bodies_in_tiny_pieces_take_no_more_memory(server: Live, size: int) -> None:
    """Each piece costs as much as its object, where nobody puts them together."""
    with Client(server.port, timeout=30) as client:
        stream = client.request(b"/late", method=b"POST", end=False)
        assert client.is_alive()
        frames = data(stream, bytes(size)) * 30_000

        def send() -> None:
            client.flood(frames)
            client.is_alive()

        assert peak(send) < MEGABYTE


def test_an_application_that_does_not_read_gets_no_more_than_a_window(server: Live, tally: Tally) -> None:
    with Client(server.port) as client:
        stream = client.request(b"/late", method=b"POST", end=False)
        while client.room(0) > 0 and client.room(stream) > 0:
            client.send_data(stream, bytes(min(16384, client.room(0), client.room(stream))))
            assert client.is_alive()
        assert client.uploaded[stream] <= client.settings.get(INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)
        server.loop.call_soon_threadsafe(tally.go.set)
        assert client.response(stream).status == 200


def test_data_of_streams_that_were_reset_is_given_back(server: Live) -> None:
    """Otherwise a few cancelled uploads would close the connection's window for all others."""
    with Client(server.port) as client:
        for _ in range(60):
            stream = client.request(b"/late", method=b"POST", end=False)
            client.upload(stream, bytes(60_000), end=False)
            client.drop(stream, rst_stream(stream))
        stream = client.request(method=b"POST", end=False)
        assert client.upload(stream, bytes(500_000)) == 500_000
        assert len(client.response(stream).body) == 500_000


def test_data_that_is_on_its_way_to_a_stream_that_was_reset_is_given_back(server: Live) -> None:
    """RFC 9113 §5.1: DATA for a closed stream counts for the connection's window."""
    with Client(server.port) as client:
        stream = client.request(b"/late", method=b"POST", end=False)
        client.send(window_update(stream, MAX_WINDOW))  # has the server reset it
        for _ in range(40):
            client.wait()
            while client.room(0) < 16384:
                client.read_frame()
            client.send_data(stream, bytes(16384))
        stream = client.request(method=b"POST", end=False)
        assert client.upload(stream, bytes(300_000)) == 300_000
        assert len(client.response(stream).body) == 300_000


def test_data_of_refused_requests_is_given_back() -> None:
    tally = Tally()
    with live(tally, http2_max_concurrent_streams=1) as server, Client(server.port) as client:
        held = client.request(b"/wait")
        for _ in range(40):
            client.wait()
            while client.room(0) < 16384:
                client.read_frame()
            stream = client.request(method=b"POST", end=False)
            client.send_data(stream, bytes(16384), end=True)
            client.reset_of(stream)
        client.drop(held, rst_stream(held))
        assert tally.ended.get(timeout=5) == "/wait"
        assert client.is_alive()
        stream = client.request(method=b"POST", end=False)
        assert client.upload(stream, bytes(300_000)) == 300_000
        assert len(client.response(stream).body) == 300_000


def test_bodies_that_are_too_large_are_given_back() -> None:
    """413, and the next one goes through."""
    with live(Tally(), limit_request_body=1000) as server, Client(server.port) as client:
        for _ in range(40):
            client.wait()
            while client.room(0) < 16384:
                client.read_frame()
            stream = client.request(method=b"POST", end=False)
            client.send_data(stream, bytes(16384))
            assert client.response(stream).status == 413
        for _ in range(500):
            assert len(client.answer_of(method=b"POST", body=bytes(1000)).body) == 1000


def test_a_body_that_is_too_large_is_answered_once() -> None:
    """What the client had sent before it read the 413, or goes on to send, is dropped."""
    with live(Tally(), limit_request_body=1000) as server, Client(server.port) as client:
        for _ in range(20):
            stream = client.request(method=b"POST", end=False)
            response = client.streams[stream]
            client.send(data(stream, bytes(1001)) + data(stream, bytes(500)) * 3)
            client.until_true(lambda r=response: r.status != 0)
            client.send(data(stream, bytes(500)) * 3 + data(stream, bytes(500), end=True))
            assert client.is_alive()
            assert response.status == 413
        assert client.answer_of(method=b"POST", body=bytes(1000)).body == bytes(1000)


def test_padding_is_given_back(server: Live) -> None:
    """RFC 9113 §6.1: all of the payload counts."""
    with Client(server.port) as client:
        stream = client.request(method=b"POST", end=False)
        for _ in range(4000):
            client.wait()
            while min(client.room(0), client.room(stream)) < 257:
                client.read_frame()
            client.send_data(stream, b"a", padding=255)
        client.send_data(stream, b"", end=True)
        assert len(client.response(stream).body) == 4000


def test_bodies_that_the_application_leaves_are_given_back(server: Live, tally: Tally) -> None:
    """An answer without having read: what the client still sends is dropped, for longer than a window."""
    with Client(server.port) as client:
        for _ in range(40):
            stream = client.request(b"/bytes/10", method=b"POST", end=False)
            client.upload(stream, bytes(50_000), end=False)
            response = client.response(stream)
            assert response.status == 200
            if response.reset is None:
                client.upload(stream, b"")
        stream = client.request(method=b"POST", end=False)
        assert client.upload(stream, bytes(300_000)) == 300_000
        assert len(client.response(stream).body) == 300_000


# --- stalled streams and connections -----------------------------------------------------------------


def test_a_body_that_does_not_come_ends_its_stream_in_time() -> None:
    """timeout_body; the connection goes on."""
    tally = Tally()
    with live(tally, timeout_body=SHORT) as server, Client(server.port) as client:
        stalled = [client.request(method=b"POST", end=False) for _ in range(5)]
        for number in stalled:
            response = client.response(number)
            assert response.status == 408 or response.reset not in (None, NO_ERROR)
        assert client.answer_of(method=b"POST", body=b"on").body == b"on"
        for _ in stalled:
            tally.ended.get(timeout=5)
        assert client.is_alive()


def test_a_body_that_comes_beside_others_is_timed_by_itself() -> None:
    """The client is busy on other streams: the one that stalls is ended all the same."""
    with live(Tally(), timeout_body=SHORT) as server, Client(server.port) as client:
        stalled = client.streams[client.request(method=b"POST", end=False)]
        client.wait()
        while not stalled.status and stalled.reset is None and client.deadline > time.monotonic():
            stream = client.request(method=b"POST", body=b"busy")
            while not client.streams[stream].ended:
                assert client.read_frame() is not None
            select.select([client.socket], [], [], SHORT / 10)
        assert stalled.status == 408 or stalled.reset is not None
        assert client.is_alive()


def test_an_idle_connection_is_told_and_closed() -> None:
    """timeout_keep_alive, from the preface on."""
    with live(Tally(), timeout_keep_alive=SHORT, timeout_header=SHORT) as server:
        with Client(server.port) as client:
            assert client.goodbye().code == NO_ERROR
        with Client(server.port) as client:
            client.answer_of(b"/bytes/10")
            assert client.goodbye().code == NO_ERROR


@pytest.mark.parametrize("sent", [b"P", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"])
def test_an_unfinished_preface_is_timed(sent: bytes) -> None:
    with live(Tally(), timeout_header=SHORT) as server, Client(server.port, start=False) as client:
        client.send(sent)
        client.wait()
        while client.fill():
            pass


@pytest.mark.parametrize("sent", [b"\0", b"\0\0\x08\x06\0\0\0\0\0", b"\0\x40\0\x01\x05\0\0\0\x01" + bytes(1000)])
def test_an_unfinished_frame_is_timed(sent: bytes) -> None:
    with live(Tally(), timeout_header=SHORT, timeout_keep_alive=SHORT) as server, Client(server.port) as client:
        client.send(sent)
        client.rest_of_frames()


def test_streams_that_are_cancelled_while_they_send_leave_nothing(server: Live, tally: Tally) -> None:
    with Client(server.port, {INITIAL_WINDOW_SIZE: 10_000}) as client:
        for _ in range(60):
            stream = client.request(b"/endless")
            client.until_true(lambda s=stream: bool(client.streams[s].body))
            client.drop(stream, rst_stream(stream, CANCEL))
            assert tally.ended.get(timeout=5) == "/endless"
        assert client.answer_of(b"/bytes/20000").body == PIECE * 20


def test_a_client_that_vanishes_leaves_nothing(server: Live, tally: Tally) -> None:
    for _ in range(5):
        client = Client(server.port)
        for path in (b"/endless", b"/wait", b"/bytes/100000", b"/"):
            client.request(path, method=b"POST", end=False)
        assert client.is_alive()
        client.abort()
        for _ in range(4):
            tally.ended.get(timeout=5)
    assert tally.running == 0
