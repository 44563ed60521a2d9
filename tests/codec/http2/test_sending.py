"""What we send: header blocks, DATA within the windows (RFC 9113 §6.9), the most urgent first (RFC 9218 §9, §10)."""

from collections.abc import Sequence

import pytest
from tests import frames as f
from tests.codec.http2.talk import Talk, reset_frame, window_frame

from portico.codec.http2.bounds import Bounds
from portico.codec.http2.streams import StreamState
from portico.codec.limits import Limits

WINDOW = 65535  # bytes that a client takes which says nothing


def answer(talk: Talk, stream: StreamState, body: bytes, *, end: bool = True) -> None:
    talk.multiplexer.send_headers(stream, 200, [], False)
    talk.multiplexer.send_data(stream, body, end)


def bodies(frames: Sequence[f.Frame]) -> list[tuple[int, bytes]]:
    """Return the DATA among the frames: the number of the stream, and its payload."""
    return [(frame.stream, frame.payload) for frame in frames if frame.kind == f.DATA]


def turns(frames: Sequence[f.Frame]) -> list[int]:
    return [stream for stream, _ in bodies(frames)]


# --- heads and trailers (§8.1) --------------------------------------------------------------------------


def test_a_response_is_a_head_and_a_body() -> None:
    talk = Talk()
    stream = talk.open()
    talk.multiplexer.send_headers(stream, 200, [(b"content-type", b"text/plain"), (b"content-length", b"2")], False)
    talk.multiplexer.send_data(stream, b"ab", True)
    head, body = talk.said()
    assert (head.kind, head.flags, head.stream) == (f.HEADERS, f.END_HEADERS, 1)
    assert talk.fields_of(head) == [(b":status", b"200"), (b"content-type", b"text/plain"), (b"content-length", b"2")]
    assert body == f.Frame(f.DATA, f.END_STREAM, 1, b"ab")
    assert stream.closed


def test_a_head_may_be_all() -> None:
    talk = Talk()
    stream = talk.open()
    talk.multiplexer.send_headers(stream, 204, [], True)
    (head,) = talk.said()
    assert (head.flags, talk.fields_of(head)) == (f.END_HEADERS | f.END_STREAM, [(b":status", b"204")])
    assert stream.closed


def test_interim_responses_come_before() -> None:
    talk = Talk()
    stream = talk.open()
    talk.multiplexer.send_headers(stream, 103, [(b"link", b"</a>")], False)
    talk.multiplexer.send_headers(stream, 200, [], True)
    first, last = talk.said()
    assert talk.fields_of(first) == [(b":status", b"103"), (b"link", b"</a>")]
    assert talk.fields_of(last) == [(b":status", b"200")]
    assert (first.flags, last.flags) == (f.END_HEADERS, f.END_HEADERS | f.END_STREAM)


def test_trailers_end_a_stream() -> None:
    talk = Talk()
    stream = talk.open()
    answer(talk, stream, b"ab", end=False)
    talk.multiplexer.send_trailers(stream, [(b"x-sum", b"1")])
    head, body, trailers = talk.said()
    talk.fields_of(head)
    assert body == f.Frame(f.DATA, 0, 1, b"ab")
    assert (trailers.kind, trailers.flags) == (f.HEADERS, f.END_HEADERS | f.END_STREAM)
    assert talk.fields_of(trailers) == [(b"x-sum", b"1")]
    assert stream.closed


def test_trailers_wait_for_the_data_before_them() -> None:
    talk = Talk()
    stream = talk.open()
    answer(talk, stream, b"x" * (WINDOW + 1), end=False)
    talk.multiplexer.send_trailers(stream, [(b"x-sum", b"1")])
    first = talk.said()
    talk.fields_of(first[0])
    assert sum(len(payload) for _, payload in bodies(first)) == WINDOW
    assert not stream.closed
    talk.hear(f.window_update(0, 1), f.window_update(1, 1))
    body, trailers = talk.said()
    assert body == f.Frame(f.DATA, 0, 1, b"x")
    assert (trailers.flags, talk.fields_of(trailers)) == (f.END_HEADERS | f.END_STREAM, [(b"x-sum", b"1")])
    assert stream.closed


def test_a_large_header_block_is_continued_without_anything_between() -> None:
    """§4.3, §6.10."""
    talk = Talk()
    first, second = talk.open(1), talk.open(3)
    answer(talk, first, b"x" * (WINDOW + 1))
    talk.said()
    value = bytes(range(0x21, 0x7F)) * 500
    talk.multiplexer.send_headers(second, 200, [(b"x-large", value)], True)
    frames = talk.said()
    assert [frame.kind for frame in frames] == [f.HEADERS] + [f.CONTINUATION] * (len(frames) - 1)
    assert len(frames) > 2
    assert {frame.stream for frame in frames} == {3}
    assert [frame.flags for frame in frames] == [f.END_STREAM] + [0] * (len(frames) - 2) + [f.END_HEADERS]
    assert all(len(frame.payload) <= 16384 for frame in frames)


@pytest.mark.parametrize("how", ["ended", "reset by us", "reset by the client"])
def test_nothing_is_sent_on_a_stream_that_has_ended(how: str) -> None:
    """§5.1: an endpoint MUST NOT send frames other than PRIORITY on a closed stream, nor more after END_STREAM."""
    talk = Talk()
    stream = talk.open(end=False)
    multiplexer = talk.multiplexer
    if how == "ended":
        multiplexer.send_headers(stream, 200, [], True)
    elif how == "reset by us":
        multiplexer.reset(stream, f.CANCEL)
    else:
        talk.hear(f.rst_stream(1))
    talk.said()
    multiplexer.send_headers(stream, 200, [], False)
    multiplexer.send_data(stream, b"ab", False)
    multiplexer.send_data(stream, b"x" * 100000, True)
    multiplexer.send_trailers(stream, [(b"a", b"b")])
    assert talk.said() == []


def test_what_waits_goes_with_the_stream_that_is_reset() -> None:
    talk = Talk()
    stream, other = talk.open(1), talk.open(3)
    answer(talk, stream, b"x" * (WINDOW * 2))
    talk.said()
    talk.hear(f.rst_stream(1))
    answer(talk, other, b"y")
    talk.hear(f.window_update(0, 1))
    assert bodies(talk.said()) == [(3, b"y")]
    assert (stream.chunks, stream.queued, talk.multiplexer.ready) == ([], 0, 0)


# --- frames and windows (§4.2, §6.9) ------------------------------------------------------------------------


@pytest.mark.parametrize("most", [16384, 20000, 2**24 - 1])
def test_no_frame_is_larger_than_the_client_takes(most: int) -> None:
    talk = Talk(settings=[(f.MAX_FRAME_SIZE, most), (f.INITIAL_WINDOW_SIZE, 2**31 - 1)])
    talk.hear(f.window_update(0, 2**20))
    body = bytes(range(256)) * 400
    answer(talk, talk.open(), body)
    sent = bodies(talk.said())
    assert b"".join(payload for _, payload in sent) == body
    assert 16384 <= max(len(payload) for _, payload in sent) <= most


@pytest.mark.parametrize("size", [1, 16384, 16385, WINDOW])
def test_a_body_as_large_as_the_window_goes_at_once(size: int) -> None:
    talk = Talk()
    stream = talk.open()
    answer(talk, stream, b"x" * size)
    frames = talk.said()
    assert sum(len(payload) for _, payload in bodies(frames)) == size
    assert [frame.flags for frame in frames[1:]] == [0] * (len(frames) - 2) + [f.END_STREAM]
    assert stream.closed


def test_a_body_waits_for_the_window_of_its_stream() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 10)])
    stream = talk.open()
    answer(talk, stream, b"0123456789abcdef")
    assert bodies(talk.said()) == [(1, b"0123456789")]
    assert stream.queued == 6
    talk.hear(f.window_update(1, 4))
    assert bodies(talk.said()) == [(1, b"abcd")]
    talk.hear(f.window_update(1, 4))
    assert talk.said() == [f.Frame(f.DATA, f.END_STREAM, 1, b"ef")]


def test_bodies_wait_for_the_window_of_the_connection() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1 << 20)])
    first, second = talk.open(1), talk.open(3)
    answer(talk, first, b"x" * WINDOW)
    talk.said()
    answer(talk, second, b"yy")
    assert bodies(talk.said()) == []
    talk.hear(f.window_update(3, 100))
    assert talk.said() == []
    talk.hear(f.window_update(0, 1))
    assert bodies(talk.said()) == [(3, b"y")]
    talk.hear(f.window_update(0, 100))
    assert talk.said() == [f.Frame(f.DATA, f.END_STREAM, 3, b"y")]


def test_an_end_without_data_needs_no_window() -> None:
    """§6.9.1: frames with zero length and END_STREAM MAY be sent if there is no available space in either window."""
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 2)])
    stream = talk.open()
    answer(talk, stream, b"ab", end=False)
    talk.said()
    talk.multiplexer.send_data(stream, b"", True)
    assert talk.said() == [f.Frame(f.DATA, f.END_STREAM, 1, b"")]


def test_an_end_waits_for_the_data_before_it() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 2)])
    stream = talk.open()
    answer(talk, stream, b"abc", end=False)
    talk.multiplexer.send_data(stream, b"", True)
    assert bodies(talk.said()) == [(1, b"ab")]
    talk.hear(f.window_update(1, 1))
    assert talk.said() == [f.Frame(f.DATA, f.END_STREAM, 1, b"c")]


def test_pieces_keep_their_order() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1)])
    stream = talk.open()
    answer(talk, stream, b"ab", end=False)
    for piece in (b"c", b"defg", b"", b"h"):
        talk.multiplexer.send_data(stream, piece, False)
    talk.multiplexer.send_data(stream, b"ij", True)
    sent = bodies(talk.said())
    while not stream.closed:
        talk.hear(f.window_update(1, 3))
        sent += bodies(talk.said())
    assert b"".join(payload for _, payload in sent) == b"abcdefghij"


def test_settings_change_the_windows_of_streams_that_are_open() -> None:
    """§6.9.2: by the difference; a window may become negative, and then nothing is sent."""
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 10)])
    stream = talk.open()
    answer(talk, stream, b"x" * 20)
    assert bodies(talk.said()) == [(1, b"x" * 10)]
    talk.hear(f.settings({f.INITIAL_WINDOW_SIZE: 4}))
    talk.hear(f.window_update(1, 6))
    assert bodies(talk.said()) == []
    assert stream.send_window == 0
    talk.hear(f.settings({f.INITIAL_WINDOW_SIZE: 7}))
    assert bodies(talk.said()) == [(1, b"x" * 3)]
    talk.hear(f.settings({f.INITIAL_WINDOW_SIZE: 0}), f.settings({f.INITIAL_WINDOW_SIZE: 3}))
    assert bodies(talk.said()) == []
    talk.hear(f.settings({f.INITIAL_WINDOW_SIZE: 100}))
    assert talk.said()[-1] == f.Frame(f.DATA, f.END_STREAM, 1, b"x" * 7)


def test_settings_leave_the_window_of_the_connection_alone() -> None:
    talk = Talk()
    stream = talk.open()
    answer(talk, stream, b"x" * WINDOW, end=False)
    talk.said()
    talk.hear(f.settings({f.INITIAL_WINDOW_SIZE: 2 * WINDOW}))
    talk.multiplexer.send_data(stream, b"y", True)
    assert bodies(talk.said()) == []


def test_what_waits_goes_on_when_the_transport_has_room() -> None:
    talk = Talk()
    stream = talk.open()
    talk.multiplexer.full = True
    answer(talk, stream, b"abc")
    pieces = talk.multiplexer.take()
    assert b"abc" not in pieces
    assert stream.queued == 3
    talk.multiplexer.full = False
    assert bodies(talk.said()) == [(1, b"abc")]


def test_a_burst_is_bounded() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 2**31 - 1)])
    talk.hear(f.window_update(0, 2**30))
    answer(talk, talk.open(), b"x" * (1 << 20))
    talk.multiplexer.pump()
    size = sum(map(len, talk.multiplexer.take()))
    assert 100000 < size < 200000
    assert sum(len(payload) for _, payload in bodies(talk.said())) > (1 << 20) - 200000


def test_who_waits_to_write_is_told_when_it_may() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 0)])
    stream = talk.open()
    answer(talk, stream, b"x" * 50000, end=False)
    talk.said()
    assert talk.multiplexer.relieved == []
    talk.hear(f.window_update(1, 10000))
    talk.said()
    assert talk.multiplexer.relieved == []
    talk.hear(f.window_update(1, 30000))
    talk.said()
    assert talk.multiplexer.relieved == [stream]


# --- turns (RFC 9218) ------------------------------------------------------------------------------------------


def waiting(talk: Talk, priorities: Sequence[bytes | None], size: int = 40000) -> list[StreamState]:
    """Open a stream for each of the priorities, and have a body wait in it for the window of the connection."""
    first = talk.open(1)
    answer(talk, first, b"x" * WINDOW)
    streams = [talk.open(3 + 2 * place, priority=priority) for place, priority in enumerate(priorities)]
    talk.said()
    for stream in streams:
        answer(talk, stream, b"y" * size)
    assert turns(talk.said()) == []
    return streams


def give(talk: Talk, size: int = 1 << 20) -> list[int]:
    talk.hear(f.window_update(0, size))
    return turns(talk.said())


def test_the_most_urgent_goes_first() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1 << 20)])
    waiting(talk, [b"u=5", b"u=0", None, b"u=7", b"u=1"])
    assert give(talk) == [5] * 3 + [11] * 3 + [7] * 3 + [3] * 3 + [9] * 3


def test_responses_of_one_urgency_go_one_after_the_other() -> None:
    """RFC 9218 §10: non-incremental ones in the order of their streams."""
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1 << 20)])
    waiting(talk, [None, None, b"u=3"])
    assert give(talk) == [3] * 3 + [5] * 3 + [7] * 3


def test_incremental_responses_share() -> None:
    """RFC 9218 §10: incremental ones of one urgency by turns."""
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1 << 20)])
    waiting(talk, [b"i", b"i", b"i"])
    assert give(talk) == [3, 5, 7, 3, 5, 7, 3, 5, 7]


def test_a_response_that_has_no_window_lets_the_next_one_go() -> None:
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, WINDOW)])
    urgent, other = waiting(talk, [b"u=0", b"u=7"], size=WINDOW + 10)
    assert give(talk) == [3] * 4 + [5] * 4
    talk.hear(f.window_update(5, 10), f.window_update(3, 5))
    assert turns(talk.said()) == [3, 5]
    assert (urgent.queued, other.queued) == (5, 0)


def test_a_client_may_change_its_mind() -> None:
    """RFC 9218 §7: PRIORITY_UPDATE."""
    talk = Talk(settings=[(f.INITIAL_WINDOW_SIZE, 1 << 20)])
    waiting(talk, [None, None])
    assert give(talk, 16384) == [3]
    talk.hear(f.priority_update(5, b"u=1"))
    assert give(talk, 16384) == [5]
    talk.hear(f.priority_update(3, b"u=0"))
    assert give(talk) == [3, 3, 5, 5]


def test_a_priority_may_come_before_its_request_and_goes_before_what_that_says() -> None:
    """RFC 9218 §7: the PRIORITY_UPDATE overrides the Priority field of the request."""
    talk = Talk()
    talk.hear(f.priority_update(1, b"u=6, i"))
    stream = talk.open(1, priority=b"u=1")
    assert (stream.urgency, stream.incremental) == (6, True)
    stream = talk.open(3, priority=b"u=1")
    assert (stream.urgency, stream.incremental) == (1, False)


def test_priorities_of_streams_to_come_are_bounded() -> None:
    talk = Talk()
    talk.hear(*(f.priority_update(number, b"u=1") for number in range(1, 1001, 2)))
    assert len(talk.multiplexer.early) < 100


# --- the windows of the client (§6.9) ---------------------------------------------------------------------------

BOUNDS = Bounds(Limits(), window=100000)


def test_a_window_is_given_back_as_the_body_is_used() -> None:
    talk = Talk(BOUNDS)
    talk.hear(f.settings(ack=True))
    stream = talk.open(end=False)
    before = talk.balance()
    assert len(talk.hear(*[f.data(1, b"x" * 10000)] * 10)) == 10
    assert talk.said() == []
    talk.multiplexer.use(stream, 40000)
    assert talk.said() == []
    talk.multiplexer.use(stream, 10000)
    assert talk.said() == [window_frame(1, 50000)]
    talk.multiplexer.use(stream, 50000)
    assert talk.said() == [window_frame(1, 50000)]
    assert talk.balance() == before


@pytest.mark.parametrize("last", [f.data(1, b"x" * 5536), f.data(1, b"x" * 5281, padding=254)])
def test_a_client_that_sends_more_than_its_window_loses_the_stream(last: bytes) -> None:
    """§6.9.1: a receiver MAY treat it as a stream error of type FLOW_CONTROL_ERROR; §6.1: padding counts."""
    talk = Talk(Bounds(Limits(), window=65535))
    before = talk.balance()
    talk.open(end=False)
    assert len(talk.hear(*[f.data(1, b"x" * 10000)] * 6)) == 6
    assert talk.hear(last) == [("reset", 1, f.FLOW_CONTROL_ERROR)]
    assert talk.said() == [reset_frame(1, f.FLOW_CONTROL_ERROR)]
    assert talk.balance() == before


@pytest.mark.parametrize("last", [f.data(1, b"x" * 5535), f.data(1, b"x" * 5280, padding=254)])
def test_a_client_may_use_up_its_window(last: bytes) -> None:
    talk = Talk(Bounds(Limits(), window=65535))
    talk.open(end=False)
    assert len(talk.hear(*[f.data(1, b"x" * 10000)] * 6, last)) == 7


def test_a_client_that_sends_more_than_the_window_of_the_connection_is_gone() -> None:
    talk = Talk(Bounds(Limits(), streams=100, window=1 << 18))
    talk.hear(f.settings(ack=True))
    events = []
    for number in range(1, 41, 2):
        events += talk.hear(f.post(number), *[f.data(number, b"x" * 16384)] * 16)
    assert events[-1] == ("violation", f.FLOW_CONTROL_ERROR)
    assert sum(event[0] == "data" for event in events) == (1 << 20) // 16384


def test_all_that_is_used_is_given_back_to_the_connection() -> None:
    talk = Talk()
    before = talk.balance()
    given = 0
    for number in range(1, 401, 2):
        stream = talk.open(number, end=False)
        talk.hear(f.data(number, b"x" * 10000, padding=10), f.data(number, b"x" * 5000, end=True))
        talk.multiplexer.use(stream, 15000)
        talk.multiplexer.send_headers(stream, 200, [], True)
        given += sum(int.from_bytes(frame.payload, "big") for frame in talk.said() if frame.stream == 0)
        assert talk.balance() == before
    assert given > 2_000_000


@pytest.mark.parametrize("ending", ["answered", "reset by us", "reset by the client", "cut short"])
@pytest.mark.parametrize("late", ["used", "discarded", "left"])
def test_what_nobody_used_is_given_back_once_when_its_stream_ends(ending: str, late: str) -> None:
    talk = Talk()
    multiplexer = talk.multiplexer
    before = talk.balance()
    stream = talk.open(end=False)
    talk.hear(f.data(1, b"x" * 3000))
    multiplexer.use(stream, 1000)
    if ending == "answered":
        multiplexer.send_headers(stream, 200, [], True)
        talk.hear(f.data(1, b"x" * 500, end=True))
    elif ending == "reset by us":
        multiplexer.reset(stream, f.CANCEL)
    elif ending == "reset by the client":
        talk.hear(f.rst_stream(1))
    else:
        talk.hear(f.window_update(1, 0))
    assert stream.closed
    if late == "used":
        multiplexer.use(stream, 2000)
    elif late == "discarded":
        multiplexer.discard(stream, 2000)
    assert talk.balance() == before


def test_no_window_is_given_to_a_stream_whose_body_has_come() -> None:
    talk = Talk(BOUNDS)
    talk.hear(f.settings(ack=True))
    stream = talk.open(end=False)
    talk.hear(*[f.data(1, b"x" * 10000)] * 9, f.data(1, b"", end=True))
    talk.multiplexer.use(stream, 90000)
    assert talk.said() == []


def test_a_small_window_is_in_force_once_the_client_knows_of_it() -> None:
    """§6.9.2: until it has acknowledged our settings a client may send what every stream has at first."""
    talk = Talk(Bounds(Limits(), window=1000))
    stream = talk.open(end=False)
    assert talk.hear(*[f.data(1, b"x" * 10000)] * 6)[-1][0] == "data"
    talk.hear(f.settings(ack=True))
    assert stream.receive_window == 1000 - 60000
    talk.multiplexer.use(stream, 60000)
    (update,) = talk.said()
    assert update == window_frame(1, 60000)
    assert talk.hear(f.data(1, b"x" * 1000))[-1][0] == "data"
    assert talk.hear(f.data(1, b"x"))[-1] == ("reset", 1, f.FLOW_CONTROL_ERROR)
