"""Limits and timeouts: each one a setting, each one ending in the right status or a silent close.

Timeouts are set short and waited for by blocking on the socket: the close is the event.
"""

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from tests.live import Echo, Live, Wire, answers, finished, live, raw, read_body, reply, seen

from portico.asgi import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
BYE = GET + b"Connection: close\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = 0.3


def statuses(data: bytes) -> list[int]:
    """Return the statuses of all answers."""
    return [answer.status for answer in answers(data)]


# --- the head ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Iterator[Live]:
    with live(Echo(), limit_request_line=100, limit_request_fields=5, limit_request_head=500) as server:
        yield server


def line_of(size: int) -> bytes:
    """Return a request whose first line has `size` bytes without its CRLF."""
    return b"GET /" + b"a" * (size - len("GET / HTTP/1.1")) + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_a_request_line_at_its_limit(small: Live) -> None:
    """limit_request_line bytes are allowed."""
    assert statuses(finished(small.port, line_of(100))) == [200]


@pytest.mark.parametrize("size", [101, 120, 5000, 200_000])
def test_a_request_line_over_its_limit_is_414(small: Live, size: int) -> None:
    """RFC 9112 §3: a server MUST answer 414 to a target longer than any it wishes to parse."""
    assert statuses(finished(small.port, line_of(size) + BYE)) == [414]


def test_an_endless_request_line_is_414_before_it_ends(small: Live) -> None:
    """The limit does not wait for the end of the line."""
    assert statuses(finished(small.port, b"GET /" + b"a" * 1000)) == [414]


def test_an_endless_method_is_refused(small: Live) -> None:
    """RFC 9112 §3: a method longer than any it implements SHOULD get 501; 400 and 414 say as much."""
    assert statuses(finished(small.port, b"A" * 1000))[0] in (400, 414, 501)


@pytest.mark.parametrize(("count", "status"), [(5, 200), (6, 431), (400, 431)])
def test_the_number_of_fields(small: Live, count: int, status: int) -> None:
    """limit_request_fields, Host and Connection counted like any other; RFC 6585 §5: 431."""
    data = GET + b"Connection: close\r\n" + b"A:\r\n" * (count - 2) + b"\r\n"
    assert statuses(finished(small.port, data)) == [status]


@pytest.mark.parametrize(("size", "status"), [(300, 200), (600, 431), (100_000, 431)])
def test_the_bytes_of_the_header_section(small: Live, size: int, status: int) -> None:
    """limit_request_head, in one field or in several."""
    for fields in (b"A: %b\r\n" % (b"x" * size), b"A: %b\r\nB: %b\r\n" % (b"x" * (size // 2), b"x" * (size // 2))):
        assert statuses(finished(small.port, GET + fields + b"Connection: close\r\n\r\n")) == [status]


def test_an_endless_field_is_431_before_it_ends(small: Live) -> None:
    """Neither a name nor a value is collected beyond the limit."""
    for data in (GET + b"A" * 1000, GET + b"A: " + b"x" * 1000):
        assert statuses(finished(small.port, data)) == [431]


def test_the_defaults() -> None:
    """8190 bytes of line, 100 fields, 32768 bytes of head."""
    with live(Echo()) as server:
        assert statuses(finished(server.port, line_of(8190))) == [200]
        assert statuses(finished(server.port, line_of(8191))) == [414]
        fields = b"".join(b"A%d: b\r\n" % i for i in range(98))
        assert statuses(finished(server.port, GET + b"Connection: close\r\n" + fields + b"\r\n")) == [200]
        assert statuses(finished(server.port, GET + b"Connection: close\r\n" + fields + b"A: b\r\n\r\n")) == [431]
        assert statuses(finished(server.port, GET + b"A: %b\r\n\r\n" % (b"x" * 33000))) == [431]


# --- the body ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ten() -> Iterator[Live]:
    with live(Echo(), limit_request_body=10) as server:
        yield server


def test_bodies_within_the_limit(ten: Live) -> None:
    """Ten bytes, declared or in chunks."""
    close = b"Connection: close\r\n"
    for data in (
        POST + close + b"Content-Length: 10\r\n\r\n0123456789",
        POST + close + b"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
    ):
        (answer,) = answers(finished(ten.port, data))
        assert seen(answer)["body"] == b"0123456789"


@pytest.mark.parametrize("length", [11, 1000, 10**15])
def test_a_declared_body_over_the_limit_is_413(ten: Live, length: int) -> None:
    """RFC 9110 §15.5.14: refused before a byte of it is read, and the connection is not used again."""
    with Wire(ten.port) as wire:
        wire.send(POST + b"Content-Length: %d\r\n\r\n" % length)
        answer = wire.answer()
        assert (answer.status, answer.closes) == (413, True)
        wire.send(BYE)
        assert wire.rest() == b""


def test_a_declared_body_over_the_limit_gets_no_100(ten: Live) -> None:
    """RFC 9110 §10.1.1: a final status instead of 100, so that the client never sends."""
    assert statuses(finished(ten.port, POST + b"Content-Length: 11\r\nExpect: 100-continue\r\n\r\n")) == [413]


@pytest.mark.parametrize("chunks", [b"b\r\n0123456789a\r\n", b"5\r\n01234\r\n6\r\n56789a\r\n", b"ffffffffff\r\n"])
def test_a_chunked_body_over_the_limit_is_413(ten: Live, chunks: bytes) -> None:
    """The limit counts what arrives, and believes a size before its data."""
    found = answers(finished(ten.port, CHUNKED + chunks + b"0\r\n\r\n" + BYE))
    assert [(answer.status, answer.closes) for answer in found] == [(413, True)]


def test_there_is_no_body_limit_by_default() -> None:
    """limit_request_body is off."""
    with live(Echo()) as server:
        data = POST + b"Connection: close\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
        (answer,) = answers(finished(server.port, data))
        assert len(seen(answer)["body"]) == 3_000_000


# --- connections and requests at once -----------------------------------------------------------------


class Gate:
    """Holds every request to `/hold` until the test lets it go; answers others at once."""

    def __init__(self) -> None:
        self.entered: queue.Queue[str] = queue.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/hold":
            self.entered.put("/hold")
            await read_body(receive)  # the test holds the body back
        await reply(send)


HOLD = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"


def test_requests_over_the_limit_are_503_with_retry_after() -> None:
    """limit_concurrency counts requests being answered, not connections."""
    gate = Gate()
    with (
        live(gate, limit_concurrency=1) as server,
        Wire(server.port) as idle,
        Wire(server.port) as first,
        Wire(server.port) as second,
    ):
        first.send(HOLD)
        assert gate.entered.get(timeout=5) == "/hold"
        second.send(GET + b"\r\n")
        refusal = second.answer()
        assert refusal.status == 503
        assert int(refusal.field(b"retry-after") or b"") >= 0
        first.send(b"x")
        assert first.answer().status == 200
        idle.send(GET + b"\r\n")
        assert idle.answer().status == 200


def test_a_503_with_a_body_stays_in_step() -> None:
    """The body of a refused request is drained or the connection is closed."""
    gate = Gate()
    with live(gate, limit_concurrency=1) as server, Wire(server.port) as first:
        first.send(HOLD)
        gate.entered.get(timeout=5)
        found = answers(finished(server.port, POST + b"Content-Length: %d\r\n\r\n" % len(BYE) + BYE + BYE))
        assert {answer.status for answer in found} == {503}
        assert len(found) == (1 if found[0].closes else 2)
        first.send(b"x")
        assert first.answer().status == 200


def test_a_finished_request_makes_room() -> None:
    """The count goes down again, also when the client left or the application failed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/fails":
            raise ValueError("as it should")
        await reply(send)

    with live(app, limit_concurrency=1) as server:
        for _ in range(3):
            assert statuses(finished(server.port, BYE.replace(b"/ ", b"/fails "))) == [500]
            assert statuses(finished(server.port, GET + b"\r\n" + BYE)) == [200, 200]


def test_a_connection_over_the_limit_is_refused() -> None:
    """limit_connections: where all are at work, one more gets a 503 or a close, and a free place is used again."""
    gate = Gate()
    with live(gate, limit_connections=2) as server, Wire(server.port) as first, Wire(server.port) as second:
        for wire in (first, second):
            wire.send(HOLD)
            gate.entered.get(timeout=5)
        with Wire(server.port) as third:
            third.send(GET + b"\r\n")
            assert statuses(third.rest()) in ([], [503])
        second.send(b"x" + BYE)
        assert statuses(second.rest()) == [200, 200]
        with Wire(server.port) as fourth:
            fourth.send(BYE)
            assert fourth.answer().status == 200
        first.send(b"x")
        assert first.answer().status == 200


def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    """limit_connections: idle connections are shed first; closing one is no error (RFC 9112 §9.5)."""
    with live(Echo(), limit_connections=1) as server, Wire(server.port) as idle:
        idle.send(GET + b"\r\n")
        assert idle.answer().status == 200
        with Wire(server.port) as busy:
            busy.send(BYE)
            assert statuses(busy.rest()) == [200]
        assert idle.rest() == b""


def test_pipelined_requests_are_held_up_to_a_bound() -> None:
    """limit_pipeline: beyond it the server stops reading; nothing is lost."""
    gate = Gate()
    with live(gate, limit_pipeline=4096) as server, Wire(server.port, timeout=1) as wire:
        wire.send(b"GET /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer().status == 200
        wire.send(HOLD)
        for _ in range(2):
            gate.entered.get(timeout=5)
        wire.send(b"x" + (GET + b"\r\n") * 2000 + BYE)
        assert statuses(wire.rest()) == [200] * 2002


# --- time -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick() -> Iterator[Live]:
    settings: dict[str, Any] = dict.fromkeys(
        ("timeout_header", "timeout_keep_alive", "timeout_body", "timeout_write"), SHORT
    )
    with live(Echo(), **settings) as server:
        yield server


@pytest.mark.parametrize("part", [b"G", b"GET / HT", GET, GET + b"A: b", GET + b"A: b\r\n"])
def test_a_slow_header_is_408(quick: Live, part: bytes) -> None:
    """RFC 9110 §15.5.9: a request that was begun and not finished in time gets 408 and the close."""
    found = answers(finished(quick.port, part))
    assert [(answer.status, answer.closes) for answer in found] == [(408, True)]


def test_a_trickle_does_not_extend_the_header_timeout() -> None:
    """The time runs from the first byte, not from the last."""
    with live(Echo(), timeout_header=SHORT) as server, Wire(server.port, timeout=0.05) as wire:
        sent = 0
        while not wire.at_end and sent < 200:
            wire.send(b"GET / HTTP/1.1\r\n"[sent : sent + 1] or b"A")
            sent += 1
            try:
                wire.fill()
            except TimeoutError:
                continue
        assert wire.at_end
        assert statuses(wire.held) == [408]


def test_a_second_request_has_its_own_header_timeout(quick: Live) -> None:
    """Also on a connection that has already served."""
    assert statuses(finished(quick.port, GET + b"\r\nGET /")) == [200, 408]


def test_a_connection_that_says_nothing_is_closed_in_silence(quick: Live) -> None:
    """From accept: there is no request that a 408 could answer."""
    assert finished(quick.port, b"") == b""


def test_an_idle_connection_is_closed_in_silence(quick: Live) -> None:
    """RFC 9112 §9.5: a server closes an idle connection when it likes; after the answer nothing more is said."""
    assert statuses(finished(quick.port, GET + b"\r\n")) == [200]


@pytest.mark.parametrize(
    "head", [POST + b"Content-Length: 5\r\n\r\n", POST + b"Content-Length: 5\r\n\r\nhe", CHUNKED, CHUNKED + b"5\r\nhe"]
)
def test_a_slow_body_is_408(quick: Live, head: bytes) -> None:
    """A body that stops gets a 408 where nothing has been answered yet."""
    found = answers(finished(quick.port, head))
    assert [(answer.status, answer.closes) for answer in found] == [(408, True)]


def test_a_body_that_moves_is_not_slow() -> None:
    """timeout_body is for standing still: each part starts it anew."""
    with live(Echo(), timeout_body=SHORT) as server, Wire(server.port, timeout=SHORT / 3) as wire:
        wire.send(POST + b"Content-Length: 9\r\n\r\n")
        for _ in range(8):
            wire.send(b"x")
            with pytest.raises(TimeoutError):
                wire.fill()
        wire.send(b"x")
        wire.socket.settimeout(5)
        assert seen(wire.answer())["body"] == b"x" * 9


def test_a_slow_body_wakes_the_application() -> None:
    """The application sees the disconnect, and its late answer goes nowhere."""
    notes: queue.Queue[Any] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        message = await receive()
        while message["type"] == "http.request" and message["more_body"]:
            message = await receive()
        notes.put(message)

    with live(app, timeout_body=SHORT) as server:
        assert statuses(finished(server.port, POST + b"Content-Length: 5\r\n\r\nhe")) == [408]
        assert notes.get(timeout=5) == {"type": "http.disconnect"}


def test_a_slow_application_is_not_timed() -> None:
    """No timeout runs while the server itself is at work."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        import asyncio

        assert scope["type"] == "http"
        await asyncio.sleep(SHORT * 4)
        await reply(send)

    settings: dict[str, Any] = dict.fromkeys(
        ("timeout_header", "timeout_keep_alive", "timeout_body", "timeout_write"), SHORT
    )
    with live(app, **settings) as server:
        assert statuses(finished(server.port, BYE)) == [200]


def test_a_client_that_stops_reading_is_cut() -> None:
    """timeout_write: the waiting `send` ends with an OSError."""
    notes: queue.Queue[BaseException] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        try:
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        except BaseException as error:
            notes.put(error)
            raise

    with live(app, timeout_write=SHORT) as server, Wire(server.port, receive_buffer=4096) as wire:
        wire.send(GET + b"\r\n")
        assert isinstance(notes.get(timeout=15), OSError)


def test_a_client_that_reads_slowly_is_not_cut() -> None:
    """A stall is no progress at all: a slow reader that moves keeps its connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await reply(send, b"x" * 3_000_000)

    with live(app, timeout_write=SHORT * 3) as server, Wire(server.port) as wire:
        wire.send(BYE)
        (answer,) = answers(wire.rest())
        assert (len(answer.body), answer.complete) == (3_000_000, True)


def test_the_unread_rest_of_an_early_answer_is_bounded_in_time() -> None:
    """A client that never sends the body it announced does not hold the connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await reply(send)

    with live(app, timeout_body=SHORT, timeout_keep_alive=SHORT) as server:
        assert statuses(finished(server.port, POST + b"Content-Length: 5\r\n\r\nhe", timeout=12)) == [200]


@pytest.mark.parametrize(("status", "closes"), [(413, True), (200, False)])
def test_an_early_refusal_of_a_body_without_a_length_ends_the_connection(status: int, closes: bool) -> None:
    """RFC 9112 §9.6: nobody knows how much of it is still to come, and who refuses does not read it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    with live(app) as server, Wire(server.port) as wire:
        wire.send(CHUNKED + b"5\r\n01234\r\n")
        head = wire.until(b"\r\n\r\n")
        assert (b"connection: close" in head) is closes


def test_raw_is_not_cut_short(quick: Live) -> None:
    """The suite's own client: `raw` gives back everything that came before the close."""
    assert statuses(raw(quick.port, (GET + b"\r\n") * 3)) == [200] * 3
