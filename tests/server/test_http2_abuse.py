"""Floods: frames that cost the server work and the client none. Each ends with ENHANCE_YOUR_CALM, none in an exception.

What honest clients do as a matter of course, in bursts too, is tested beside it and goes through.
"""

import logging
import queue
import time
from collections.abc import Callable, Iterator

import pytest
from tests.frames import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PRIORITY,
    REFUSED_STREAM,
    SETTINGS,
    block,
    data,
    frame,
    headers,
    ping,
    priority,
    priority_update,
    request,
    rst_stream,
    settings,
    window_update,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.tally import Tally, peak

ATTEMPTS = 20_000
WAIT = block(request(b"/wait"))
DEAF = block(request(b"/deaf"))
POST = block(request(method=b"POST"))
DECLARED = block(request(method=b"POST", extra=[(b"content-length", b"1")]))
MALFORMED = block([*request(), (b"Upper", b"a")])


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


def streams(count: int) -> range:
    """Return the numbers of so many streams."""
    return range(1, 2 * count, 2)


def expect(client: Client, numbers: range) -> None:
    """Let the server send on streams that the client resets or spoils."""
    for number in numbers:
        client.expect(number).dropped = True
    client.next_stream = numbers[-1] + 2


def is_at_rest(tally: Tally, *, timeout: float = 5) -> bool:
    """Wait until no call of the application is running."""
    due = time.monotonic() + timeout
    while tally.running and time.monotonic() < due:
        try:
            tally.ended.get(timeout=max(0, due - time.monotonic()))
        except queue.Empty:
            break
    return tally.running == 0


# --- rapid reset (CVE-2023-44487) and the resets that a client brings about (CVE-2025-8671) -----------


@pytest.mark.parametrize("code", [CANCEL, NO_ERROR, REFUSED_STREAM, 0xFFFFFFFF])
def test_requests_that_are_reset_at_once_end_the_connection(server: Live, tally: Tally, code: int) -> None:
    with Client(server.port) as client:
        expect(client, streams(ATTEMPTS))
        sent = client.flood(b"".join(headers(i, WAIT, end=True) + rst_stream(i, code) for i in streams(ATTEMPTS)))
        assert client.goodbye().code == ENHANCE_YOUR_CALM
        assert sent > 0
    assert is_at_rest(tally)
    with Client(server.port) as client:
        assert client.answer_of(body=b"after", method=b"POST").body == b"after"


def test_one_reset_in_each_segment_is_a_rapid_reset_too(server: Live) -> None:
    with Client(server.port) as client:
        expect(client, streams(ATTEMPTS))
        for i in streams(ATTEMPTS):
            client.send(headers(i, WAIT, end=True))
            if client.flood(rst_stream(i)) == 0 or client.at_end:
                break
        assert client.goodbye().code == ENHANCE_YOUR_CALM


def test_applications_that_outlive_their_requests_are_bounded() -> None:
    """A reset makes room for no further request while the application, deaf to it, is still running."""
    tally = Tally()
    with live(tally, timeout_graceful_shutdown=0.1) as server:
        with Client(server.port) as client:
            expect(client, streams(ATTEMPTS))
            client.flood(b"".join(headers(i, DEAF, end=True) + rst_stream(i) for i in streams(ATTEMPTS)))
            assert client.goodbye().code == ENHANCE_YOUR_CALM
        assert 0 < tally.most <= 100


def test_resets_of_requests_without_an_end_count_alike(server: Live, tally: Tally) -> None:
    with Client(server.port) as client:
        expect(client, streams(ATTEMPTS))
        client.flood(b"".join(headers(i, POST) + rst_stream(i) for i in streams(ATTEMPTS)))
        assert client.goodbye().code == ENHANCE_YOUR_CALM
    assert is_at_rest(tally)


SPOILT: dict[str, Callable[[int], bytes]] = {
    "a window update of nothing": lambda i: headers(i, WAIT, end=True) + window_update(i, 0),
    "a window that overflows": lambda i: headers(i, WAIT, end=True) + window_update(i, MAX_WINDOW),
    "data behind the end": lambda i: headers(i, WAIT, end=True) + data(i, b"a"),
    "fields behind the end": lambda i: headers(i, WAIT, end=True) + headers(i, WAIT, end=True),
    "trailers that do not end": lambda i: headers(i, POST) + headers(i, block([(b"a", b"b")])),
    "a body that is too long": lambda i: headers(i, DECLARED) + data(i, b"ab"),
    "a body that is too short": lambda i: headers(i, DECLARED) + data(i, b"", end=True),
    "a malformed request": lambda i: headers(i, MALFORMED, end=True),
    "a dependency on itself": lambda i: headers(i, WAIT, end=True, depends=i),
    "a priority of four octets": lambda i: headers(i, WAIT, end=True) + frame(PRIORITY, 0, i, bytes(4)),
    "a priority that depends on itself": lambda i: headers(i, WAIT, end=True) + priority(i, i),
    "trailers with a pseudo-field": lambda i: headers(i, POST) + headers(i, block([(b":path", b"/")]), end=True),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_requests_that_the_server_has_to_reset_end_the_connection(
    server: Live, tally: Tally, spoil: Callable[[int], bytes]
) -> None:
    """Whatever code it ends with, the server neither goes on for ever nor leaves applications running."""
    with Client(server.port) as client:
        expect(client, streams(ATTEMPTS))
        client.flood(b"".join(map(spoil, streams(ATTEMPTS))))
        assert client.goodbye().code != NO_ERROR
    assert is_at_rest(tally)


def test_requests_beyond_the_limit_of_streams_do_not_go_on_for_ever(server: Live, tally: Tally) -> None:
    """RFC 9113 §5.1.2: refused first; who does not take note is not an honest client."""
    calls = tally.calls
    with Client(server.port) as client:
        expect(client, streams(ATTEMPTS))
        client.flood(b"".join(headers(i, WAIT, end=True) for i in streams(ATTEMPTS)))
        assert client.goodbye().code == ENHANCE_YOUR_CALM
        refused = [stream for stream in client.streams.values() if stream.reset == REFUSED_STREAM]
        assert refused
    assert tally.calls - calls == 100
    assert is_at_rest(tally)


def test_a_page_that_is_left_cancels_its_requests_without_harm(server: Live, tally: Tally) -> None:
    """A browser that goes elsewhere resets all that is open, and goes on with the connection."""
    with Client(server.port) as client:
        for _ in range(2):
            numbers = [client.request(b"/wait") for _ in range(50)]
            assert client.is_alive()
            for number in numbers:
                client.drop(number, rst_stream(number))
            assert client.answer_of(body=b"next", method=b"POST").body == b"next"
    assert is_at_rest(tally)


# --- frames that ask for nothing ------------------------------------------------------------------

POSTED = headers(1, POST)
FLOODS: dict[str, tuple[bytes, bytes]] = {
    "pings": (b"", ping()),
    "ping answers that nobody asked for": (b"", ping(ack=True)),
    "settings": (b"", settings()),
    "settings with values": (b"", settings({INITIAL_WINDOW_SIZE: 1000})),
    "settings of many values": (b"", settings([(0xFF, 1)] * 2000)),
    "settings that change the windows of open streams again and again": (
        b"".join(headers(i, WAIT, end=True) for i in streams(100)),
        settings([(INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 2)] * 1300),
    ),
    "windows of initial size that change with open streams": (
        b"".join(headers(i, WAIT, end=True) for i in streams(100)),
        settings([(INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 2)]),
    ),
    "empty data": (POSTED, data(1)),
    "data of nothing but padding": (POSTED, data(1, padding=0)),
    "priorities": (b"", priority(3, 1)),
    "priorities of a stream that is open": (headers(1, WAIT, end=True), priority(1, 5, 256)),
    "priority updates": (headers(1, WAIT, end=True), priority_update(1, b"u=1")),
    "priority updates of streams to come": (b"", priority_update(101, b"u=1, i")),
    "tiny window updates of the connection": (b"", window_update(0, 1)),
    "tiny window updates of a stream": (headers(1, WAIT, end=True), window_update(1, 1)),
    "frames of an unknown kind": (b"", frame(0xEE, 0xFF, 0, b"")),
    "frames of an unknown kind on a stream": (headers(1, WAIT, end=True), frame(0xEE, 0xFF, 1, b"abc")),
    "resets of a closed stream": (headers(1, WAIT, end=True) + rst_stream(1), rst_stream(1)),
    "window updates of a closed stream": (headers(1, WAIT, end=True) + rst_stream(1), window_update(1, 1)),
    "data of a stream that was reset": (headers(1, POST) + rst_stream(1), data(1)),
}


@pytest.mark.parametrize(("before", "repeated"), FLOODS.values(), ids=FLOODS)
def test_frames_that_ask_for_nothing_end_the_connection(
    server: Live, tally: Tally, before: bytes, repeated: bytes
) -> None:
    """nginx CVE-2019-9511, -9512, -9513, -9515, -9518 and their like."""
    with Client(server.port) as client:
        expect(client, streams(101))
        client.loose = repeated[3] == SETTINGS
        client.send(before)
        client.flood(repeated, times=ATTEMPTS if len(repeated) < 1000 else 1000)
        assert client.goodbye().code != NO_ERROR
    assert is_at_rest(tally)


def not_read(client: Client, pieces: Iterator[bytes]) -> bool:
    """Send without ever reading; return whether the server stops taking, or ends the connection."""
    client.socket.settimeout(2)
    try:
        for piece in pieces:
            client.socket.sendall(piece)
    except (TimeoutError, OSError):
        return True
    return False


@pytest.mark.parametrize("repeated", [ping(), settings()], ids=["pings", "settings"])
def test_answers_that_the_client_does_not_read_are_not_collected(server: Live, repeated: bytes) -> None:
    """nginx CVE-2019-9512, -9515: the client sends and never reads."""
    with Client(server.port, receive_buffer=4096) as client:
        assert not_read(client, (repeated * 4096 for _ in range(400)))
    with Client(server.port) as client:
        assert client.is_alive()


def test_heads_of_responses_that_the_client_does_not_read_are_not_collected(server: Live) -> None:
    """No flow control holds for header blocks: what TCP does not take must hold back the requests."""
    fields = block(request(b"/fields", method=b"HEAD"))
    with Client(server.port, receive_buffer=4096) as client:
        frames = (b"".join(headers(i + 2 * n, fields, end=True) for n in range(50)) for i in range(1, 1_000_000, 100))

        def send() -> None:
            assert not_read(client, frames)

        assert peak(send) < 8 << 20
    with Client(server.port, timeout=30) as client:
        assert client.is_alive()


def test_what_an_honest_client_sends_beside_its_requests_is_no_flood(server: Live) -> None:
    with Client(server.port) as client:
        for i in range(60):
            stream = client.request(method=b"POST", end=False)
            client.send(priority(stream, 0, 200) + priority_update(stream, b"u=2") + frame(0xEE))
            client.send_data(stream, b"%d" % i)
            client.send_data(stream, b"", end=True)
            assert client.response(stream).body == b"%d" % i
            assert client.is_alive()


def test_a_download_may_be_acknowledged_frame_by_frame(server: Live) -> None:
    """Two window updates for each DATA frame is what simple clients send."""
    with Client(server.port, timeout=30) as client:
        assert len(client.answer_of(b"/bytes/20000000").body) == 20_000_000
        assert client.is_alive()


def test_an_upload_in_small_pieces_is_no_flood(server: Live) -> None:
    with Client(server.port, timeout=30) as client:
        stream = client.request(method=b"POST", end=False)
        for _ in range(5000):
            client.upload(stream, b"twenty bytes a frame", end=False)
        client.upload(stream, b"")
        assert len(client.response(stream).body) == 100_000


def test_thousands_of_honest_requests_are_no_flood(server: Live) -> None:
    with Client(server.port, timeout=30) as client:
        for _ in range(50):
            for stream in [client.request(b"/", method=b"POST", body=b"a") for _ in range(100)]:
                assert client.response(stream).body == b"a"
