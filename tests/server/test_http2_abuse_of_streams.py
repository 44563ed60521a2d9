"""Streams out of order: numbers used twice, frames for what is closed or was never open, and noise."""

import logging
import random
from collections.abc import Iterator

import pytest
from tests.frames import (
    INITIAL_WINDOW_SIZE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    block,
    continuation,
    data,
    frame,
    get,
    goaway,
    headers,
    ping,
    post,
    priority,
    push_promise,
    request,
    rst_stream,
    settings,
    window_update,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.tally import Tally, growth

MEGABYTE = 1 << 20
LAST = (1 << 31) - 1


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally()


@pytest.fixture(scope="module")
def server(tally: Tally) -> Iterator[Live]:
    with live(tally) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_number_is_used_once(server: Live, number: int) -> None:
    """RFC 9113 §5.1.1: 1 was skipped, 3 has been answered, 5 has been answered last."""
    with Client(server.port) as client:
        for stream in (3, 5):
            client.expect(stream)
            client.send(get(stream, b"/bytes/10"))
            assert client.response(stream).body == bytes(10)
        client.expect(number).dropped = True
        client.send(get(number, b"/bytes/10"))
        assert client.goodbye().code in (PROTOCOL_ERROR, STREAM_CLOSED)
        assert client.goaways[-1].last == 5


@pytest.mark.parametrize("number", [0, 2, 4, LAST - 1])
def test_numbers_of_the_server_are_not_the_clients(server: Live, number: int) -> None:
    """RFC 9113 §5.1.1."""
    with Client(server.port) as client:
        client.send(get(number))
        assert client.goodbye().code == PROTOCOL_ERROR


def test_the_highest_number_is_the_last(server: Live) -> None:
    """RFC 9113 §5.1.1: the client needs another connection then."""
    with Client(server.port) as client:
        client.expect(LAST)
        client.send(get(LAST, b"/bytes/10"))
        assert client.response(LAST).body == bytes(10)
        assert client.is_alive()
        client.send(get(1))
        assert client.goodbye().code in (PROTOCOL_ERROR, STREAM_CLOSED)


def test_numbers_may_leave_gaps(server: Live) -> None:
    with Client(server.port) as client:
        for number in (1, 7, 9, 10_001, 1_000_001, (1 << 31) - 3):
            client.expect(number)
            client.send(get(number, b"/bytes/10"))
            assert client.response(number).body == bytes(10)


def test_a_second_head_on_an_open_stream_is_no_second_request(server: Live, tally: Tally) -> None:
    calls = tally.calls
    with Client(server.port) as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.send(get(stream, b"/bytes/10"))
        client.until_true(lambda: bool(client.goaways) or client.streams[stream].reset is not None)
        assert client.is_alive()  # the loop has had the turn in which a task begins before Python 3.12
    assert tally.calls == calls + 1


# --- frames for streams that are closed, half-closed or idle -------------------------------------------

FRAMES = {
    "data": data(1, b"a"),
    "empty data": data(1),
    "data that ends": data(1, b"a", end=True),
    "headers": headers(1, block(request()), end=True),
    "trailers": headers(1, block([(b"a", b"b")]), end=True),
    "priority": priority(1, 3),
    "reset": rst_stream(1),
    "window update": window_update(1, 1),
    "continuation": continuation(1, b""),
    "push promise": push_promise(1, 2, block(request())),
    "unknown": frame(0xBB, 0xFF, 1, b"abc"),
}
HARMLESS = ("priority", "reset", "window update", "unknown")


def ways_to_close() -> dict[str, bytes]:
    """Return what a client sends to have stream 1 closed."""
    return {
        "answered": get(1, b"/bytes/10"),
        "reset by the client": post(1, path=b"/wait") + rst_stream(1),
        "reset by the server": headers(1, block([*request(), (b"te", b"gzip")]), end=True),
        "reset after its end": get(1, b"/wait") + rst_stream(1),
    }


@pytest.mark.parametrize("closing", ways_to_close().values(), ids=ways_to_close())
@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
def test_frames_for_a_closed_stream_do_no_harm(server: Live, closing: bytes, kind: str, together: bool) -> None:
    """RFC 9113 §5.1: ignored, an error of the stream, or one of the connection, and never anything else."""
    with Client(server.port) as client:
        client.expect(1).dropped = True
        client.send(closing + (FRAMES[kind] if together else b""))
        alive = client.is_alive()
        if not together:
            assert alive
            client.send(FRAMES[kind])
            alive = client.is_alive()
        if kind in HARMLESS:
            assert alive
        if alive:
            client.next_stream = 3
            assert client.answer_of(method=b"POST", body=b"on").body == b"on"
        else:
            assert client.goaways[-1].code in (PROTOCOL_ERROR, STREAM_CLOSED)


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_for_a_stream_that_was_never_open(server: Live, kind: str) -> None:
    """RFC 9113 §5.1: only HEADERS and PRIORITY (and what is not known) may come on an idle stream."""
    fine = kind in ("headers", "priority", "unknown")
    with Client(server.port) as client:
        client.expect(1)
        client.send(FRAMES[kind])
        if kind == "trailers":  # a request without its fields
            client.until_true(lambda: bool(client.goaways) or client.streams[1].reset is not None)
        elif fine:
            assert client.is_alive()
        else:
            assert client.goodbye().code == PROTOCOL_ERROR


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_for_a_stream_that_the_client_has_ended(server: Live, tally: Tally, kind: str) -> None:
    """RFC 9113 §5.1, half-closed (remote): the application is told where the stream is reset."""
    with Client(server.port) as client:
        client.expect(1).dropped = True
        client.send(get(1, b"/wait") + FRAMES[kind])
        alive = client.is_alive()
        if kind in ("priority", "window update", "unknown"):
            assert alive
            assert client.streams[1].reset is None
        elif kind != "reset":
            assert not alive or client.streams[1].reset == STREAM_CLOSED
    while tally.ended.get(timeout=5) != "/wait":
        pass


# --- beyond the limits ----------------------------------------------------------------------------------


def test_streams_beyond_the_limit_are_refused_and_may_be_tried_again() -> None:
    """RFC 9113 §5.1.2, §8.7."""
    tally = Tally()
    with live(tally, http2_max_concurrent_streams=10) as server, Client(server.port) as client:
        held = [client.request(b"/wait") for _ in range(10)]
        for _ in range(20):
            assert client.reset_of(client.request(b"/bytes/10")) == REFUSED_STREAM
        client.drop(held[0], rst_stream(held[0]))
        assert tally.ended.get(timeout=5) == "/wait"
        assert client.is_alive()
        assert client.answer_of(b"/bytes/10").body == bytes(10)


def test_what_is_closed_is_forgotten(server: Live) -> None:
    """Hundreds of requests leave nothing in memory."""
    with Client(server.port, timeout=30) as client:

        def ask() -> None:
            for _ in range(3):
                numbers = [client.request(b"/bytes/10") for _ in range(90)]
                numbers += [client.request(method=b"POST", body=b"a") for _ in range(10)]
                for number in numbers:
                    client.response(number)
                client.forget()

        assert growth(ask) < MEGABYTE // 4


@pytest.mark.parametrize("method", [b"POST", b"GET"], ids=["uploads", "downloads"])
def test_streams_that_were_once_waited_for_are_forgotten(server: Live, method: bytes) -> None:
    """A deadline that was set for a stream does not keep it, with its request, until the time has come."""
    large = [(b"x-large", b"x" * 10_000)]
    with Client(server.port, {INITIAL_WINDOW_SIZE: 1000}, timeout=30) as client:

        def ask() -> None:
            for _ in range(5):
                if method == b"POST":
                    numbers = [client.request(method=method, end=False, extra=large) for _ in range(5)]
                    assert client.is_alive()
                    for number in numbers:
                        client.upload(number, b"a")
                else:
                    numbers = [client.request(b"/bytes/3000", extra=large) for _ in range(5)]
                for number in numbers:
                    client.response(number)
                client.forget()

        assert growth(ask) < MEGABYTE // 3


def test_priorities_of_idle_streams_are_not_remembered(server: Live) -> None:
    """RFC 9113 §5.3.2: there is no tree to build, so that none can be made to grow."""
    with Client(server.port, timeout=30) as client:
        numbers = iter(range(1, 10_000, 2))

        def send() -> None:
            chosen = [next(numbers) for _ in range(150)]
            client.send(b"".join(priority(number, max(0, number - 2)) for number in chosen))
            assert client.is_alive()
            client.forget()

        assert growth(send, times=4) < 40_000


def test_a_request_after_the_clients_own_goaway_is_still_a_request(server: Live) -> None:
    with Client(server.port) as client:
        stream = client.request(b"/bytes/10")
        client.send(goaway(0) * 3)
        assert client.response(stream).body == bytes(10)


# --- noise ----------------------------------------------------------------------------------------------


def noise(chance: random.Random) -> bytes:
    """Return a frame that is often wrong in one way or another."""
    stream = chance.choice((0, 1, 1, 3, 5, 2, 99, LAST))
    kind = chance.choice((*range(10), 10, 16, 200))
    flags = chance.choice((0, 1, 4, 5, 8, 0x20, 0x25, 0xFF))
    payload = chance.choice(
        (
            b"",
            bytes(4),
            bytes(8),
            bytes(5),
            b"\x00\x00\x00\x01",
            b"\x7f\xff\xff\xff",
            block(request(b"/bytes/10")),
            block([(b"a", b"b")]),
            chance.randbytes(chance.randrange(40)),
            bytes((chance.randrange(256),)) + bytes(20),
        )
    )
    if chance.random() < 0.05:
        return frame(kind, flags, stream, payload, length=chance.randrange(1 << 24))
    return frame(kind, flags, stream, payload)


def likely(chance: random.Random) -> bytes:
    """Return frames that a client may well send."""
    stream = chance.choice((1, 3, 5, 7))
    return chance.choice(
        (
            get(stream, b"/bytes/100"),
            post(stream),
            post(stream, b"abc"),
            data(stream, b"abc", end=chance.random() < 0.5),
            data(stream, b"abc", padding=chance.randrange(256)),
            rst_stream(stream),
            window_update(stream, chance.randrange(1, 1000)),
            window_update(0, 1000),
            settings({chance.randrange(1, 10): chance.choice((0, 1, 16384, 100_000))}),
            settings(ack=True),
            ping(),
            priority(stream, 0),
        )
    )


@pytest.mark.parametrize("seed", range(60))
def test_noise_is_answered_in_order_or_ends_the_connection(server: Live, seed: int) -> None:
    """Whatever comes, what the server sends is well-formed, no exception is logged, and others are served."""
    chance = random.Random(seed)
    sent = b"".join(likely(chance) if chance.random() < 0.9 else noise(chance) for _ in range(chance.randrange(60)))
    with Client(server.port) as client:
        client.loose = True
        for number in (1, 3, 5, 7, 99, LAST):
            client.expect(number)
        size = chance.choice((1, 7, 1000, len(sent) + 1))
        client.send(b"", (sent[i : i + size] for i in range(0, len(sent), size)))
        client.half_close()
        client.rest_of_frames()
    with Client(server.port) as client:
        assert client.answer_of(b"/bytes/10").body == bytes(10)
