"""What a client sends, and what comes of it (RFC 9113 §3 to §6): bytes in; events, and frames in answer, out.

Every case is fed whole, byte by byte, and with bytes behind it.
"""

import pytest
from tests import frames as f
from tests.codec.http2.talk import Talk, Told, reset_frame, window_frame

from portico.codec.http2.bounds import Bounds
from portico.codec.limits import Limits

GET = f.block(f.request())
POST = f.block(f.request(method=b"POST"))
TUNNEL = f.block([*f.request(method=b"CONNECT"), (b":protocol", b"websocket")])
ASKED: Told = ("request", 1, "GET", "/")
POSTED: Told = ("request", 1, "POST", "/")
SETTINGS_ACK = f.Frame(f.SETTINGS, f.ACK, 0, b"")
PING_ACK = f.Frame(f.PING, f.ACK, 0, b"01234567")

BOUNDS = Bounds(Limits(head=2000, fields=20, body=1000), streams=3)


def converse(data: bytes, how: str) -> tuple[list[Told], list[f.Frame]]:
    """Return events and frames; where the connection goes on, it is fit to answer a PING."""
    talk = Talk(BOUNDS)
    if how == "whole":
        events = talk.hear(data)
    elif how == "byte by byte":
        events = talk.hear(*(data[at : at + 1] for at in range(len(data))))
    else:  # the last frame is not whole, and nothing may come of it
        events = talk.hear(data + f.ping()[:-1])
    frames = talk.said()
    if talk.multiplexer.violation is None:
        assert talk.hear(f.ping()[-1:] if how == "trailing" else f.ping()) == []
        assert talk.said() == [PING_ACK]
    else:
        assert talk.hear(f.ping()[-1:], f.ping(), f.get(99)) == []
        assert talk.said() == []
    return events, frames


HOW = pytest.mark.parametrize("how", ["whole", "byte by byte", "trailing"])

# --- what is right -----------------------------------------------------------------------------------

HALVES = f.headers(1, GET[:5], end=True, end_headers=False)
GOOD: dict[str, tuple[bytes, list[Told]]] = {
    "a request": (f.get(1), [ASKED]),
    "a request in three frames": (
        HALVES + f.continuation(1, GET[5:9], end_headers=False) + f.continuation(1, GET[9:]), [ASKED],
    ),
    "a request in frames of which some are empty": (
        f.headers(1, b"", end=True, end_headers=False) + f.continuation(1, b"", end_headers=False)
        + f.continuation(1, GET), [ASKED],
    ),
    "a padded request": (f.headers(1, GET, end=True, padding=255), [ASKED]),
    "a request whose padding is none": (f.headers(1, GET, end=True, padding=0), [ASKED]),
    "a request with a priority": (f.headers(1, GET, end=True, depends=3, weight=256, exclusive=True), [ASKED]),
    "a padded request with a priority": (f.headers(1, GET, end=True, depends=0, padding=9), [ASKED]),
    "requests": (
        f.get(1) + f.get(3, b"/a") + f.get(9, b"/b"), [ASKED, ("request", 3, "GET", "/a"), ("request", 9, "GET", "/b")],
    ),
    "a request on a high stream": (f.get(2**31 - 1), [("request", 2**31 - 1, "GET", "/")]),
    "a request with the reserved bit": (f.frame(f.HEADERS, 5, 1, GET, reserved=True), [ASKED]),
    "a request with flags that nobody knows": (f.frame(f.HEADERS, 0xD5 & ~f.PADDED & ~f.PRIORITIZED, 1, GET), [ASKED]),
    "a body": (
        f.headers(1, POST) + f.data(1, b"ab") + f.data(1, b"c", end=True),
        [POSTED, ("data", 1, b"ab"), ("data", 1, b"c"), ("end", 1, [])],
    ),
    "a body that ends with an empty frame": (
        f.headers(1, POST) + f.data(1, b"ab") + f.data(1, end=True), [POSTED, ("data", 1, b"ab"), ("end", 1, [])],
    ),
    "a body with padding": (
        f.headers(1, POST) + f.data(1, b"ab", padding=200) + f.data(1, padding=5) + f.data(1, end=True, padding=0),
        [POSTED, ("data", 1, b"ab"), ("end", 1, [])],
    ),
    "a body with trailers": (
        f.headers(1, POST) + f.data(1, b"ab") + f.headers(1, f.block([(b"x-sum", b"1")]), end=True),
        [POSTED, ("data", 1, b"ab"), ("end", 1, [(b"x-sum", b"1")])],
    ),
    "trailers without a body": (
        f.headers(1, POST) + f.headers(1, f.block([(b"x-sum", b"1")]), end=True),
        [POSTED, ("end", 1, [(b"x-sum", b"1")])],
    ),
    "trailers that are none": (f.headers(1, POST) + f.headers(1, b"", end=True), [POSTED, ("end", 1, [])]),
    "a body of the length that was declared": (
        f.post(1, b"abc", extra=[(b"content-length", b"3")]), [POSTED, ("data", 1, b"abc"), ("end", 1, [])],
    ),
    "no body, as was declared": (f.post(1, b"", extra=[(b"content-length", b"0")]), [POSTED, ("end", 1, [])]),
    "bodies of two streams": (
        f.post(1) + f.post(3) + f.data(3, b"b") + f.data(1, b"a", end=True) + f.data(3, b"c", end=True),
        [POSTED, ("request", 3, "POST", "/"), ("data", 3, b"b"), ("data", 1, b"a"), ("end", 1, []), ("data", 3, b"c"),
         ("end", 3, [])],
    ),
    "a tunnel": (
        f.headers(1, TUNNEL) + f.data(1, b"ab") + f.data(1, end=True),
        [("request", 1, "CONNECT", "/"), ("data", 1, b"ab"), ("end", 1, [])],
    ),
    "a stream that the client gives up": (
        f.headers(1, POST) + f.rst_stream(1, f.CANCEL), [POSTED, ("reset", 1, f.CANCEL)],
    ),
    "a reset with a code that nobody knows": (f.get(1) + f.rst_stream(1, 2**32 - 1), [ASKED, ("reset", 1, 2**32 - 1)]),
    "an answer to a ping": (f.ping(b"ABCDEFGH", ack=True), [("pong", b"ABCDEFGH")]),
    "a farewell": (f.goaway(0, f.NO_ERROR, b"bye") + f.get(1), [ASKED]),
    "window updates": (f.window_update(0, 1) + f.get(1) + f.window_update(1, 2**31 - 1 - 65535), [ASKED]),
    "priorities": (
        f.priority(1) + f.priority(7, 1) + f.priority_update(1, b"u=1") + f.priority_update(9, b""), [],
    ),
    "frames that nobody knows": (
        f.frame(0x0A, 0xFF, 0, b"x" * 9) + f.frame(0x0C, 0, 99, b"") + f.frame(0xFF, 1, 1, b"y") + f.get(1), [ASKED],
    ),
    "an acknowledgement of our settings": (f.settings(ack=True), []),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
@HOW
def test_what_is_right_is_read(case: str, how: str) -> None:
    data, events = GOOD[case]
    assert converse(data, how) == (events, [])


@HOW
def test_settings_and_pings_are_answered(how: str) -> None:
    """§6.5.3, §6.7: with the same flag and, for a PING, the same data."""
    settings = f.settings(
        [(f.ENABLE_PUSH, 0), (0xFFFF, 5), (f.MAX_CONCURRENT_STREAMS, 0), (f.HEADER_TABLE_SIZE, 2**32 - 1)]
    )
    data = settings + f.ping(b"\0" * 8) + f.settings()
    assert converse(data, how) == ([], [SETTINGS_ACK, f.Frame(f.PING, f.ACK, 0, b"\0" * 8), SETTINGS_ACK])


# --- how it begins (§3.4) -----------------------------------------------------------------------------


def test_we_begin_with_our_settings_and_the_window_of_the_connection() -> None:
    talk = Talk(Bounds(Limits(head=4000), streams=7, window=100000, frame_size=20000))
    settings, window, ack = talk.greeting
    pairs = [settings.payload[at : at + 6] for at in range(0, len(settings.payload), 6)]
    assert (settings.kind, settings.flags, settings.stream) == (f.SETTINGS, 0, 0)
    assert {int.from_bytes(pair[:2], "big"): int.from_bytes(pair[2:], "big") for pair in pairs} == {
        f.MAX_CONCURRENT_STREAMS: 7,
        f.INITIAL_WINDOW_SIZE: 100000,
        f.MAX_FRAME_SIZE: 20000,
        f.MAX_HEADER_LIST_SIZE: 4000,
        f.ENABLE_CONNECT_PROTOCOL: 1,
        f.NO_RFC7540_PRIORITIES: 1,
    }
    assert window == window_frame(0, talk.balance() - 65535)
    assert ack == SETTINGS_ACK


@pytest.mark.parametrize("wrong", range(len(f.PREFACE)))
def test_a_preface_is_held_against_ours_as_it_comes(wrong: int) -> None:
    talk = Talk(begun=False)
    data = f.PREFACE[:wrong] + b"?"
    assert talk.hear(*(data[at : at + 1] for at in range(wrong))) == []
    assert talk.hear(data[wrong:]) == [("violation", f.PROTOCOL_ERROR)]


FIRST = [
    f.ping(),
    f.get(1),
    f.settings(ack=True),
    f.window_update(0, 5),
    f.frame(0xFF),
    f.goaway(),
    f.priority(1),
    f.data(1),
]


@pytest.mark.parametrize("first", FIRST)
def test_a_client_begins_with_its_settings(first: bytes) -> None:
    """§3.4: the preface MUST be followed by a SETTINGS frame."""
    talk = Talk(begun=False)
    assert talk.hear(f.PREFACE + first) == [("violation", f.PROTOCOL_ERROR)]


# --- what ends the connection (§5.4.1) ------------------------------------------------------------------

FATAL: dict[str, tuple[bytes, int]] = {
    # §4.2
    "a frame that is too large": (f.frame(f.DATA, 0, 1, length=16385), f.FRAME_SIZE_ERROR),
    "a frame of an unknown type that is too large": (f.frame(0xFF, 0, 0, length=16385), f.FRAME_SIZE_ERROR),
    # §4.3, §6.10
    "a header block with a frame of another stream in it": (HALVES + f.continuation(3, GET[5:]), f.PROTOCOL_ERROR),
    "a header block with a PING in it": (HALVES + f.ping(), f.PROTOCOL_ERROR),
    "a header block with DATA in it": (HALVES + f.data(1, b"x"), f.PROTOCOL_ERROR),
    "a header block with HEADERS in it": (HALVES + f.headers(1, GET[5:]), f.PROTOCOL_ERROR),
    "a header block with an unknown frame in it": (HALVES + f.frame(0xFF, 0, 1), f.PROTOCOL_ERROR),
    "a header block that is no header block": (f.headers(1, b"\x80", end=True), f.COMPRESSION_ERROR),
    "a continuation of nothing": (f.continuation(1, GET), f.PROTOCOL_ERROR),
    "a continuation of what is whole": (f.get(1) + f.continuation(1, b""), f.PROTOCOL_ERROR),
    "a continuation on no stream": (f.continuation(0, b""), f.PROTOCOL_ERROR),
    # §5.1, §5.1.1
    "DATA on an idle stream": (f.data(1, b"x"), f.PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": (f.rst_stream(1), f.PROTOCOL_ERROR),
    "WINDOW_UPDATE on an idle stream": (f.window_update(1, 1), f.PROTOCOL_ERROR),
    "DATA on a stream of ours": (f.data(2, b"x"), f.PROTOCOL_ERROR),
    "RST_STREAM on a stream of ours": (f.rst_stream(2), f.PROTOCOL_ERROR),
    "WINDOW_UPDATE on a stream of ours": (f.window_update(2, 1), f.PROTOCOL_ERROR),
    "HEADERS on a stream of ours": (f.headers(2, GET, end=True), f.PROTOCOL_ERROR),
    "HEADERS on no stream": (f.headers(0, GET, end=True), f.PROTOCOL_ERROR),
    "DATA on no stream": (f.data(0, b"x"), f.PROTOCOL_ERROR),
    # §6.1, §6.2
    "DATA with more padding than frame": (f.post(1) + f.data(1, b"x", declared=2), f.PROTOCOL_ERROR),
    "DATA that is all padding, and one more": (f.post(1) + f.frame(f.DATA, f.PADDED, 1, b"\x01"), f.PROTOCOL_ERROR),
    "padded DATA without a length": (f.post(1) + f.frame(f.DATA, f.PADDED, 1), f.FRAME_SIZE_ERROR),
    "HEADERS with more padding than frame": (f.headers(1, GET, declared=255), f.PROTOCOL_ERROR),
    "padded HEADERS without a length": (f.frame(f.HEADERS, f.PADDED | 5, 1), f.FRAME_SIZE_ERROR),
    "HEADERS too short for their priority": (f.frame(f.HEADERS, f.PRIORITIZED | 5, 1, b"\0" * 4), f.FRAME_SIZE_ERROR),
    # §6.3, where no stream can be reset
    "PRIORITY on no stream": (f.priority(0), f.PROTOCOL_ERROR),
    "PRIORITY of 4 octets on an idle stream": (f.frame(f.PRIORITY, 0, 1, b"\0" * 4), f.FRAME_SIZE_ERROR),
    # §6.4
    "RST_STREAM on no stream": (f.rst_stream(0), f.PROTOCOL_ERROR),
    "RST_STREAM of 3 octets": (f.get(1) + f.frame(f.RST_STREAM, 0, 1, b"\0" * 3), f.FRAME_SIZE_ERROR),
    "RST_STREAM of 5 octets": (f.get(1) + f.frame(f.RST_STREAM, 0, 1, b"\0" * 5), f.FRAME_SIZE_ERROR),
    # §6.5
    "SETTINGS on a stream": (f.frame(f.SETTINGS, 0, 1), f.PROTOCOL_ERROR),
    "SETTINGS of 5 octets": (f.frame(f.SETTINGS, 0, 0, b"\0" * 5), f.FRAME_SIZE_ERROR),
    "SETTINGS acknowledged with a payload": (f.frame(f.SETTINGS, f.ACK, 0, b"\0" * 6), f.FRAME_SIZE_ERROR),
    "ENABLE_PUSH of 2": (f.settings({f.ENABLE_PUSH: 2}), f.PROTOCOL_ERROR),
    "ENABLE_CONNECT_PROTOCOL of 2": (f.settings({f.ENABLE_CONNECT_PROTOCOL: 2}), f.PROTOCOL_ERROR),
    "NO_RFC7540_PRIORITIES of 2": (f.settings({f.NO_RFC7540_PRIORITIES: 2}), f.PROTOCOL_ERROR),
    "INITIAL_WINDOW_SIZE of 2^31": (f.settings({f.INITIAL_WINDOW_SIZE: 2**31}), f.FLOW_CONTROL_ERROR),
    "MAX_FRAME_SIZE of 2^14 - 1": (f.settings({f.MAX_FRAME_SIZE: 2**14 - 1}), f.PROTOCOL_ERROR),
    "MAX_FRAME_SIZE of 2^24": (f.settings({f.MAX_FRAME_SIZE: 2**24}), f.PROTOCOL_ERROR),
    "settings that lift a window too high": (
        f.get(1) + f.window_update(1, 2**31 - 65536) + f.settings({f.INITIAL_WINDOW_SIZE: 65536}), f.FLOW_CONTROL_ERROR,
    ),
    # §6.6, §8.4
    "PUSH_PROMISE": (f.push_promise(1, 2, GET), f.PROTOCOL_ERROR),
    # §6.7, §6.8
    "PING on a stream": (f.frame(f.PING, 0, 1, b"\0" * 8), f.PROTOCOL_ERROR),
    "PING of 7 octets": (f.ping(b"\0" * 7), f.FRAME_SIZE_ERROR),
    "PING of 9 octets": (f.ping(b"\0" * 9), f.FRAME_SIZE_ERROR),
    "GOAWAY on a stream": (f.frame(f.GOAWAY, 0, 1, b"\0" * 8), f.PROTOCOL_ERROR),
    "GOAWAY of 7 octets": (f.frame(f.GOAWAY, 0, 0, b"\0" * 7), f.FRAME_SIZE_ERROR),
    # §6.9
    "WINDOW_UPDATE of 3 octets": (f.frame(f.WINDOW_UPDATE, 0, 0, b"\0" * 3), f.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE of 5 octets": (f.frame(f.WINDOW_UPDATE, 0, 0, b"\0" * 5), f.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE of the connection by 0": (f.window_update(0, 0), f.PROTOCOL_ERROR),
    "a window of the connection above 2^31 - 1": (f.window_update(0, 2**31 - 65535), f.FLOW_CONTROL_ERROR),
    # RFC 9218 §7.1
    "PRIORITY_UPDATE on a stream": (f.frame(f.PRIORITY_UPDATE, 0, 1, b"\0\0\0\1u=1"), f.PROTOCOL_ERROR),
    "PRIORITY_UPDATE of no stream": (f.priority_update(0, b"u=1"), f.PROTOCOL_ERROR),
    "PRIORITY_UPDATE of 3 octets": (f.frame(f.PRIORITY_UPDATE, 0, 0, b"\0\0\0"), f.FRAME_SIZE_ERROR),
}  # fmt: skip


@pytest.mark.parametrize("case", FATAL)
@HOW
def test_what_breaks_a_rule_of_the_connection_ends_it(case: str, how: str) -> None:
    data, code = FATAL[case]
    events, frames = converse(data, how)
    opened = [event for event in events if event[0] == "request"]
    assert events == [*opened, ("violation", code)]
    (goaway,) = frames
    assert (goaway.kind, goaway.flags, goaway.stream) == (f.GOAWAY, 0, 0)
    assert goaway.payload[:8] == len(opened).to_bytes(4, "big") + code.to_bytes(4, "big")


# --- what ends a stream (§5.4.2) -------------------------------------------------------------------------

SHORT = f.headers(1, f.block(f.request(method=b"POST", extra=[(b"content-length", b"3")])))
RESET: dict[str, tuple[bytes, int, list[Told]]] = {
    # §5.1: half-closed (remote)
    "DATA after the end": (f.get(1) + f.data(1, b"x"), f.STREAM_CLOSED, [ASKED]),
    "HEADERS after the end": (f.get(1) + f.headers(1, GET, end=True), f.STREAM_CLOSED, [ASKED]),
    # §6.3
    "PRIORITY of 4 octets": (f.get(1) + f.frame(f.PRIORITY, 0, 1, b"\0" * 4), f.FRAME_SIZE_ERROR, [ASKED]),
    "PRIORITY of 6 octets": (f.get(1) + f.frame(f.PRIORITY, 0, 1, b"\0" * 6), f.FRAME_SIZE_ERROR, [ASKED]),
    "PRIORITY upon itself": (f.get(1) + f.priority(1, 1), f.PROTOCOL_ERROR, [ASKED]),
    # §6.9, §6.9.1
    "WINDOW_UPDATE by 0": (f.get(1) + f.window_update(1, 0), f.PROTOCOL_ERROR, [ASKED]),
    "a window above 2^31 - 1": (f.get(1) + f.window_update(1, 2**31 - 65535), f.FLOW_CONTROL_ERROR, [ASKED]),
    # §8.1
    "trailers that do not end": (f.headers(1, POST) + f.headers(1, b""), f.PROTOCOL_ERROR, [POSTED]),
    "trailers that are a head": (f.headers(1, POST) + f.headers(1, GET, end=True), f.PROTOCOL_ERROR, [POSTED]),
    # §8.1.1
    "a body longer than declared": (SHORT + f.data(1, b"abcd"), f.PROTOCOL_ERROR, [POSTED]),
    "a body longer than declared, piece by piece": (
        SHORT + f.data(1, b"abc") + f.data(1, b"d"), f.PROTOCOL_ERROR, [POSTED, ("data", 1, b"abc")],
    ),
    "a body shorter than declared": (SHORT + f.data(1, b"ab", end=True), f.PROTOCOL_ERROR, [POSTED]),
    "a body shorter than declared, without a byte": (SHORT + f.data(1, end=True), f.PROTOCOL_ERROR, [POSTED]),
    "a body shorter than declared, with trailers": (
        SHORT + f.data(1, b"ab") + f.headers(1, b"", end=True), f.PROTOCOL_ERROR, [POSTED, ("data", 1, b"ab")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RESET)
@HOW
def test_what_breaks_a_rule_of_a_stream_resets_it(case: str, how: str) -> None:
    data, code, events = RESET[case]
    assert converse(data, how) == ([*events, ("reset", 1, code)], [reset_frame(1, code)])


UNSERVED: dict[str, tuple[bytes, int]] = {
    "a malformed request": (f.headers(1, f.block(f.request(without=[b":path"])), end=True), f.PROTOCOL_ERROR),
    "a request that depends on itself": (f.headers(1, GET, end=True, depends=1), f.PROTOCOL_ERROR),
    "an empty header block": (f.headers(1, b"", end=True), f.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("case", UNSERVED)
@HOW
def test_a_stream_that_cannot_be_served_is_reset_before_anybody_knows_of_it(case: str, how: str) -> None:
    data, code = UNSERVED[case]
    assert converse(data + f.get(3), how) == ([("request", 3, "GET", "/")], [reset_frame(1, code)])


@HOW
def test_there_are_only_so_many_streams_at_a_time(how: str) -> None:
    """§5.1.2: a HEADERS frame that exceeds the limit MUST be treated as a stream error."""
    events, frames = converse(f.get(1) + f.get(3) + f.get(5) + f.get(7) + f.rst_stream(3) + f.get(9), how)
    assert [event[:2] for event in events] == [
        ("request", 1),
        ("request", 3),
        ("request", 5),
        ("reset", 3),
        ("request", 9),
    ]
    assert frames == [reset_frame(7, f.REFUSED_STREAM)]


def test_the_table_of_compression_lives_on_where_a_stream_is_refused() -> None:
    """§4.3: a receiving endpoint MUST decompress header blocks, whatever becomes of their streams."""
    talk = Talk(Bounds(Limits(), streams=1))
    talk.open(1)
    kept = f.block(f.request(without=[b":path"])[:3]) + f.literal(b":path", b"/kept", store=True)
    assert talk.hear(f.headers(3, kept, end=True), f.rst_stream(1)) == [("reset", 1, f.CANCEL)]
    block = f.block(f.request(without=[b":path"])) + f.indexed(62)
    assert talk.hear(f.headers(5, block, end=True)) == [("request", 5, "GET", "/kept")]


# --- answers to what is too large --------------------------------------------------------------------------


def with_cookie(size: int) -> list[tuple[bytes, bytes]]:
    return f.request(extra=[(b"cookie", b"x" * size)])


FAULTS: dict[str, tuple[bytes, list[Told]]] = {
    "a header section": (f.headers(1, f.block(with_cookie(2000)), end=True), [("fault", 1, 431)]),
    "a number of fields": (f.get(1, extra=[(b"a", b"")] * 20), [("fault", 1, 431)]),
    "a declared body": (f.post(1, extra=[(b"content-length", b"1001")]), [("fault", 1, 413)]),
    "a body": (
        f.post(1) + f.data(1, b"x" * 600) + f.data(1, b"y" * 401), [POSTED, ("data", 1, b"x" * 600), ("fault", 1, 413)],
    ),
    "trailers": (
        f.post(1) + f.headers(1, f.block([(b"x", b"y" * 2000)]), end=True), [POSTED, ("fault", 1, 431)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
@HOW
def test_what_is_too_large_can_be_answered(case: str, how: str) -> None:
    data, events = FAULTS[case]
    assert converse(data, how) == (events, [])


def test_a_body_that_is_too_large_is_told_once() -> None:
    talk = Talk(BOUNDS)
    stream = talk.open(end=False)
    piece = f.data(1, b"x" * 800)
    assert talk.hear(piece, piece) == [("data", 1, b"x" * 800), ("fault", 1, 413)]
    talk.multiplexer.send_headers(stream, 413, [], True)
    said = talk.said()
    assert [frame.kind for frame in said] == [f.HEADERS]
    assert [event for event in talk.hear(piece, piece) if event[0] == "fault"] == []


def test_a_header_block_may_be_larger_than_a_section_but_not_without_end() -> None:
    talk = Talk(BOUNDS)
    block = f.block(with_cookie(7000))
    assert talk.hear(f.headers(1, block[:3000], end=True, end_headers=False), f.continuation(1, block[3000:])) == [
        ("fault", 1, 431)
    ]
    block = f.block(with_cookie(9000))
    assert talk.hear(
        f.headers(3, block[:3000], end=True, end_headers=False),
        f.continuation(3, block[3000:6000], end_headers=False),
        f.continuation(3, block[6000:], end_headers=False),
    ) == [("violation", f.ENHANCE_YOUR_CALM)]


def test_a_header_block_may_not_have_any_number_of_frames() -> None:
    talk = Talk()
    events = talk.hear(
        f.headers(1, GET, end=True, end_headers=False), *[f.continuation(1, b"", end_headers=False)] * 100
    )
    assert events == [("violation", f.ENHANCE_YOUR_CALM)]


# --- frames for streams that have ended (§5.1) --------------------------------------------------------------


def finished(talk: Talk, number: int = 1) -> None:
    """Have a stream end in order on both sides."""
    stream = talk.open(number)
    talk.multiplexer.send_headers(stream, 204, [], True)
    assert [frame.kind for frame in talk.said()] == [f.HEADERS]
    assert stream.closed


@pytest.mark.parametrize("late", [f.window_update(1, 5), f.window_update(1, 0), f.rst_stream(1), f.priority(1)])
def test_what_may_cross_our_end_of_a_stream_is_ignored(late: bytes) -> None:
    """§5.1: endpoints MUST ignore WINDOW_UPDATE or RST_STREAM frames received in this state for a short period."""
    talk = Talk()
    finished(talk)
    assert talk.hear(late) == []
    assert talk.said() == []


def test_headers_on_a_stream_that_has_ended_end_the_connection() -> None:
    talk = Talk()
    finished(talk)
    assert talk.hear(f.get(1)) == [("violation", f.STREAM_CLOSED)]


def test_data_on_a_stream_that_has_ended_is_answered_once() -> None:
    """§6.1: DATA whose stream is not open MUST be answered with a stream error of type STREAM_CLOSED."""
    talk = Talk()
    before = talk.balance()
    finished(talk)
    assert talk.hear(f.data(1, b"x" * 100), f.data(1, b"x" * 100)) == []
    assert talk.said() == [reset_frame(1, f.STREAM_CLOSED)]
    assert talk.balance() == before


def test_what_was_on_its_way_when_we_reset_a_stream_is_ignored() -> None:
    """§5.1: an endpoint MUST ignore frames that it receives on streams after it has sent a RST_STREAM."""
    talk = Talk()
    before = talk.balance()
    stream = talk.open(end=False)
    talk.multiplexer.reset(stream, f.CANCEL)
    late = (f.data(1, b"x" * 1000), f.headers(1, b"", end=True), f.window_update(1, 5), f.rst_stream(1))
    assert talk.hear(*late) == []
    assert talk.said() == [reset_frame(1, f.CANCEL)]
    assert talk.balance() == before


def test_a_stream_is_not_opened_twice_nor_below_another() -> None:
    """§5.1.1: the number MUST be greater than all that were used."""
    for number in (1, 3):
        talk = Talk()
        talk.open(5)
        assert talk.hear(f.get(number)) == [("violation", f.PROTOCOL_ERROR)]


def test_streams_end_by_the_thousand() -> None:
    talk = Talk()
    for number in range(1, 6001, 2):
        talk.now += 0.01
        finished(talk, number)
    assert talk.multiplexer.streams == {}
    assert talk.hear(f.data(1, b"x"), f.rst_stream(5999)) == []
    assert talk.said() == [reset_frame(1, f.STREAM_CLOSED)]


# --- farewell (§6.8) -----------------------------------------------------------------------------------------


def last_of(frame: f.Frame) -> int:
    assert frame.kind == f.GOAWAY
    return int.from_bytes(frame.payload[:4], "big")


def test_a_farewell_comes_in_two_steps() -> None:
    talk = Talk()
    talk.open(5)
    talk.multiplexer.go_away(False)
    talk.multiplexer.ping(b"last one")
    warning, ping = talk.said()
    assert (last_of(warning), warning.payload[4:8]) == (2**31 - 1, b"\0\0\0\0")
    assert ping == f.Frame(f.PING, 0, 0, b"last one")
    assert talk.hear(f.get(7), f.ping(b"last one", ack=True)) == [("request", 7, "GET", "/"), ("pong", b"last one")]
    talk.multiplexer.go_away(True)
    talk.multiplexer.go_away(True)
    (final,) = talk.said()
    assert last_of(final) == 7


def test_streams_behind_the_last_one_are_ignored_with_all_that_they_have() -> None:
    """§6.8: the server MUST ignore frames on them, but for what its state depends on."""
    talk = Talk()
    before = talk.balance()
    stream = talk.open(1, end=False)
    talk.multiplexer.go_away(True)
    talk.said()
    late = (
        f.post(3),
        f.data(3, b"x" * 100),
        f.headers(3, b"", end=True),
        f.post(5),
        f.rst_stream(5),
        f.window_update(3, 9),
    )
    assert talk.hear(*late) == []
    assert talk.said() == []
    assert talk.balance() == before
    assert talk.hear(f.data(1, b"abc", end=True)) == [("data", 1, b"abc"), ("end", 1, [])]
    talk.multiplexer.send_headers(stream, 200, [], True)
    assert [frame.kind for frame in talk.said()] == [f.HEADERS]


def test_the_last_stream_of_a_farewell_is_never_taken_back() -> None:
    """§6.8: endpoints MUST NOT increase the value they send in the last stream identifier."""
    talk = Talk()
    talk.open(1)
    talk.multiplexer.go_away(True)
    assert talk.hear(f.get(3), f.get(5), f.continuation(5, b"")) == [("violation", f.PROTOCOL_ERROR)]
    assert [last_of(frame) for frame in talk.said()] == [1, 1]


# --- an upgrade from HTTP/1.1 (RFC 7540 §3.2) -----------------------------------------------------------------


def test_the_request_of_an_upgrade_is_stream_1() -> None:
    talk = Talk(begun=False)
    multiplexer = talk.multiplexer
    stream = multiplexer.upgrade(f.settings({f.INITIAL_WINDOW_SIZE: 3})[9:])
    assert stream is not None
    assert (stream.id, stream.remote_ended, stream.send_window) == (1, True, 3)
    multiplexer.send_headers(stream, 200, [], False)
    multiplexer.send_data(stream, b"abcd", True)
    assert [frame.kind for frame in talk.said()] == [f.SETTINGS, f.WINDOW_UPDATE, f.HEADERS, f.DATA]
    assert talk.hear(f.PREFACE + f.settings() + f.get(3) + f.window_update(1, 1)) == [("request", 3, "GET", "/")]
    ack, rest = talk.said()
    assert (ack, rest) == (SETTINGS_ACK, f.Frame(f.DATA, f.END_STREAM, 1, b"d"))


@pytest.mark.parametrize("settings", [b"\0", f.settings({f.ENABLE_PUSH: 7})[9:]])
def test_an_upgrade_with_malformed_settings_is_none(settings: bytes) -> None:
    assert Talk(begun=False).multiplexer.upgrade(settings) is None
