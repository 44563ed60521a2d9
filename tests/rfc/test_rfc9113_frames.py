"""RFC 9113 §6, each kind of frame: where it may come, how long it is, and what it does; windows are beside this."""

import threading
from contextlib import ExitStack

import pytest
from tests.frames import (
    DATA,
    ENABLE_PUSH,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
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
)
from tests.http2 import Client
from tests.live import live
from tests.peer import Peer, Site, refused, seen

FIELDS = block(request())
POST = block(request(method=b"POST"))
LAST_STREAM = MAX_WINDOW


# --- 6.1 DATA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [data(0, b"a"), data(0), data(0, b"a", end=True), data(0, b"a", padding=1)],
    ids=["content", "empty", "with an end", "padded"],
)
def test_data_belongs_to_a_stream(peer: Peer, sent: bytes) -> None:
    """§6.1: DATA on stream 0 MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, sent, PROTOCOL_ERROR)


def test_data_needs_a_stream_that_takes_it(peer: Peer) -> None:
    """§6.1: on a stream neither open nor half-closed (local) it MUST get an error of the stream, STREAM_CLOSED."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST")
        client.send(data(stream, b"a", end=True))
        assert client.reset_of(stream) == STREAM_CLOSED


def test_a_body_is_its_data_frames_in_order(peer: Peer) -> None:
    """§6.1: one or more DATA frames carry the content; they may be empty."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        for piece in (b"one ", b"", b"two ", b"three", b""):
            client.send_data(stream, piece)
        client.send_data(stream, b"", end=True)
        assert seen(client.response(stream))["body"] == b"one two three"


@pytest.mark.parametrize("padding", [0, 1, 5, 255])
@pytest.mark.parametrize("body", [b"", b"body"])
def test_data_may_be_padded(peer: Peer, body: bytes, padding: int) -> None:
    """§6.1: the padding is no part of the content."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send_data(stream, body, end=True, padding=padding)
        assert seen(client.response(stream))["body"] == body


@pytest.mark.parametrize(("body", "declared"), [(b"", 1), (b"test", 5), (b"test", 6), (b"test", 255)])
def test_padding_of_data_is_shorter_than_its_payload(peer: Peer, body: bytes, declared: int) -> None:
    """§6.1: padding of the payload's length or more MUST be an error of the connection, PROTOCOL_ERROR."""
    refused(peer, headers(1, POST) + data(1, body, declared=declared, end=True), PROTOCOL_ERROR)


def test_padding_of_data_counts_for_the_windows(peer: Peer) -> None:
    """§6.1: the entire payload, Pad Length and padding included, is flow controlled."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        whole = client.room(stream)
        for _ in range(whole // 256):
            client.send_data(stream, b"a", padding=254)
        client.send_data(stream, b"b", end=True)
        assert seen(client.response(stream))["body"] == b"a" * (whole // 256) + b"b"
        assert client.granted.get(stream, 0) > whole // 2


# --- 6.2 HEADERS --------------------------------------------------------------------------------------


def test_headers_belong_to_a_stream(peer: Peer) -> None:
    """§6.2: HEADERS on stream 0 MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, headers(0, FIELDS, end=True), PROTOCOL_ERROR)


@pytest.mark.parametrize("padding", [0, 8, 255])
@pytest.mark.parametrize("depends", [None, 0, 3])
def test_headers_may_be_padded_and_carry_a_priority(peer: Peer, padding: int, depends: int | None) -> None:
    """§6.2: neither is part of the field block."""
    with peer.client() as client:
        stream = client.open()
        client.send(headers(stream, FIELDS, end=True, padding=padding, depends=depends))
        assert seen(client.response(stream))["headers"] == [(b"host", b"a")]


@pytest.mark.parametrize("more", [1, 2, 100])
@pytest.mark.parametrize("depends", [None, 3])
def test_padding_of_headers_is_shorter_than_what_is_left(peer: Peer, more: int, depends: int | None) -> None:
    """§6.2: padding beyond the field block MUST be an error of the connection, PROTOCOL_ERROR (or of its size)."""
    fields = block([(b":method", b"GET")])
    sent = headers(1, fields, end=True, depends=depends, declared=len(fields) + more)
    with peer.client() as client:
        client.expect(1)
        client.send(sent)
        assert client.goodbye().code in (PROTOCOL_ERROR, FRAME_SIZE_ERROR)


def test_headers_with_continuation_may_end_the_stream(peer: Peer) -> None:
    """§6.2: END_STREAM on HEADERS holds though CONTINUATION frames follow."""
    with peer.client() as client:
        stream = client.open()
        client.send(headers(stream, FIELDS[:5], end=True, end_headers=False) + continuation(stream, FIELDS[5:]))
        assert seen(client.response(stream))["body"] == b""


# --- 6.3 PRIORITY ---------------------------------------------------------------------------------------


def test_priority_belongs_to_a_stream(peer: Peer) -> None:
    """§6.3: PRIORITY on stream 0 MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, priority(0), PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 4, 6])
def test_priority_has_five_octets(peer: Peer, size: int) -> None:
    """§6.3: any other length MUST get an error of the stream, FRAME_SIZE_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.send(frame(PRIORITY, 0, stream, bytes(size)))
        assert client.reset_of(stream) == FRAME_SIZE_ERROR
        assert client.answer_of().status == 200


# --- 6.4 RST_STREAM -------------------------------------------------------------------------------------


def test_a_reset_belongs_to_a_stream(peer: Peer) -> None:
    """§6.4: RST_STREAM on stream 0 MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, rst_stream(0), PROTOCOL_ERROR)


@pytest.mark.parametrize("stream", [3, 2])
def test_an_idle_stream_is_not_reset(peer: Peer, stream: int) -> None:
    """§6.4: RST_STREAM on an idle stream MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, get(1) + rst_stream(stream), PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_reset_has_four_octets(peer: Peer, size: int) -> None:
    """§6.4: any other length MUST get an error of the connection, FRAME_SIZE_ERROR."""
    refused(peer, headers(1, POST) + frame(RST_STREAM, 0, 1, bytes(size)), FRAME_SIZE_ERROR)


# --- 6.5 SETTINGS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"\0", bytes(6)])
def test_an_acknowledgement_of_settings_is_empty(peer: Peer, payload: bytes) -> None:
    """§6.5: SETTINGS with ACK and a payload MUST get an error of the connection, FRAME_SIZE_ERROR."""
    refused(peer, frame(SETTINGS, 1, 0, payload), FRAME_SIZE_ERROR)


@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize("stream", [1, 2])
def test_settings_belong_to_the_connection(peer: Peer, flags: int, stream: int) -> None:
    """§6.5: SETTINGS on a stream MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, frame(SETTINGS, flags, stream), PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 17])
def test_settings_have_six_octets_each(peer: Peer, size: int) -> None:
    """§6.5: a length that is no multiple of 6 MUST get an error of the connection, FRAME_SIZE_ERROR."""
    refused(peer, frame(SETTINGS, 0, 0, bytes(size)), FRAME_SIZE_ERROR)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (ENABLE_PUSH, 2, PROTOCOL_ERROR),
        (ENABLE_PUSH, 0xFFFFFFFF, PROTOCOL_ERROR),
        (INITIAL_WINDOW_SIZE, 1 << 31, FLOW_CONTROL_ERROR),
        (INITIAL_WINDOW_SIZE, 0xFFFFFFFF, FLOW_CONTROL_ERROR),
        (MAX_FRAME_SIZE, 0, PROTOCOL_ERROR),
        (MAX_FRAME_SIZE, 16383, PROTOCOL_ERROR),
        (MAX_FRAME_SIZE, 1 << 24, PROTOCOL_ERROR),
    ],
)
def test_settings_out_of_range_end_the_connection(peer: Peer, key: int, value: int, code: int) -> None:
    """§6.5.2: such values MUST be treated as an error of the connection of the type that is given there."""
    refused(peer, settings({key: value}), code)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (ENABLE_PUSH, 0),
        (ENABLE_PUSH, 1),
        (MAX_CONCURRENT_STREAMS, 0),
        (INITIAL_WINDOW_SIZE, MAX_WINDOW),
        (MAX_FRAME_SIZE, 16384),
        (MAX_FRAME_SIZE, (1 << 24) - 1),
        (MAX_HEADER_LIST_SIZE, 0),
    ],
)
def test_settings_within_their_range_are_taken(peer: Peer, key: int, value: int) -> None:
    """§6.5.2: the ends of the ranges are within them; what limits pushes limits no responses."""
    with peer.client({key: value}) as client:
        assert client.answer_of().status == 200


def test_the_server_does_not_advertise_what_only_clients_say(peer: Peer) -> None:
    """§6.5.2: a server MUST NOT send SETTINGS_ENABLE_PUSH other than 0."""
    with peer.client() as client:
        assert client.settings.get(ENABLE_PUSH, 0) == 0
        assert 16384 <= client.settings.get(MAX_FRAME_SIZE, 16384) < 1 << 24
        assert client.settings.get(INITIAL_WINDOW_SIZE, 0) <= MAX_WINDOW


def test_settings_are_acknowledged_at_once(peer: Peer) -> None:
    """§6.5.3: once all values are processed the recipient MUST immediately acknowledge; one for each frame."""
    with peer.client() as client:
        for size in (1, 2, 3):
            client.change({INITIAL_WINDOW_SIZE: size})
        client.until_true(lambda: not client.pending)
        assert client.is_alive()


def test_settings_are_acknowledged_before_what_they_allow(peer: Peer) -> None:
    """§6.5.3: what the server sends under new settings follows its acknowledgement."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        stream = client.request(b"/bytes/3")
        client.change({INITIAL_WINDOW_SIZE: 3})
        assert client.response(stream).body == bytes(3)
        kinds = [(each.kind, each.flags & 1) for each in client.frames]
        assert kinds.index((DATA, 1)) > max(i for i, each in enumerate(kinds) if each == (SETTINGS, 1))


def test_settings_are_processed_in_order(peer: Peer) -> None:
    """§6.5.3: the values MUST be processed in the order they appear: the last of one kind counts."""
    with peer.client(refill=False) as client:
        client.pending.append({INITIAL_WINDOW_SIZE: 1})
        client.send(settings([(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]))
        client.until_true(lambda: not client.pending)
        stream = client.request(b"/bytes/5")
        client.until_true(lambda: bool(client.streams[stream].body))
        assert client.is_alive()
        assert len(client.streams[stream].body) == 1


def test_acknowledgements_are_not_acknowledged(peer: Peer) -> None:
    """§6.5.3: only SETTINGS without ACK are; `Client` refuses one that acknowledges nothing."""
    with peer.client() as client:
        client.send(settings(ack=True) * 2)
        assert client.is_alive()


# --- 6.6 PUSH_PROMISE -----------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [b"", headers(1, POST)], ids=["idle", "open"])
@pytest.mark.parametrize("promised", [2, 3])
def test_a_client_promises_nothing(peer: Peer, opened: bytes, promised: int) -> None:
    """§6.6, §8.4: PUSH_PROMISE from a client MUST be treated as an error of the connection, PROTOCOL_ERROR."""
    refused(peer, opened + push_promise(1, promised, FIELDS), PROTOCOL_ERROR)


# --- 6.7 PING -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [bytes(8), b"\xff" * 8, b"portico!"])
def test_a_ping_comes_back_with_the_same_payload(peer: Peer, payload: bytes) -> None:
    """§6.7: the receiver MUST answer with ACK and an identical payload."""
    with peer.client() as client:
        client.send(ping(payload))
        client.until_true(lambda: bool(client.pongs))
        assert client.pongs == [payload]


def test_answers_to_pings_are_not_answered(peer: Peer) -> None:
    """§6.7: an endpoint MUST NOT respond to PING frames with ACK."""
    with peer.client() as client:
        client.send(ping(b"unasked!", ack=True) + ping(b"question"))
        client.until_true(lambda: bool(client.pongs))
        assert client.is_alive()
        assert b"unasked!" not in client.pongs


def test_a_ping_belongs_to_the_connection(peer: Peer) -> None:
    """§6.7: PING on a stream MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, headers(1, POST) + frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR)


@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize("size", [0, 6, 7, 9])
def test_a_ping_has_eight_octets(peer: Peer, size: int, flags: int) -> None:
    """§6.7: any other length MUST get an error of the connection, FRAME_SIZE_ERROR."""
    refused(peer, frame(PING, flags, 0, bytes(size)), FRAME_SIZE_ERROR)


# --- 6.8 GOAWAY -----------------------------------------------------------------------------------------


def test_a_goodbye_belongs_to_the_connection(peer: Peer) -> None:
    """§6.8: GOAWAY on a stream MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR)


@pytest.mark.parametrize("debug", [b"", b"whatever the client likes to say"])
def test_what_was_begun_before_a_goodbye_is_finished(peer: Peer, debug: bytes) -> None:
    """§6.8: the client's GOAWAY is about streams of the server; its own requests are answered."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send(goaway(0, NO_ERROR, debug))
        client.send_data(stream, b"body", end=True)
        assert seen(client.response(stream))["body"] == b"body"


def test_a_server_that_stops_says_goodbye_and_finishes() -> None:
    """§6.8: first GOAWAY with 2^31-1, then one with the last stream; what was begun before is answered."""
    site = Site()
    with ExitStack() as stack:
        server = stack.enter_context(live(site, timeout_graceful_shutdown=10.0))
        with Client(server.port) as client:
            begun = client.request(b"/begun", method=b"POST", end=False)
            assert client.is_alive()
            stopping = threading.Thread(target=stack.close)
            stopping.start()
            client.until_true(lambda: bool(client.goaways))
            assert (client.goaways[0].last, client.goaways[0].code) == (LAST_STREAM, NO_ERROR)
            under_way = client.request(b"/under-way")
            assert client.response(under_way).status == 200
            client.until_true(lambda: len(client.goaways) > 1)
            assert client.goaways[-1].last == under_way
            ignored = client.request(b"/ignored")
            client.send_data(begun, b"body", end=True)
            assert seen(client.response(begun))["body"] == b"body"
            assert client.goodbye().code == NO_ERROR
            assert client.streams[ignored].status == 0
            stopping.join(10)
    assert sorted(site.calls) == ["/begun", "/under-way"]


# --- 6.10 CONTINUATION --------------------------------------------------------------------------------------


def test_a_field_block_may_have_many_frames(peer: Peer) -> None:
    """§6.10: any number of CONTINUATION frames may follow."""
    with peer.client() as client:
        stream = client.open()
        sent = headers(stream, FIELDS, end=True, end_headers=False)
        for i in range(20):
            sent += continuation(stream, block([(b"x-%d" % i, b"v" * 100)]), end_headers=i == 19)
        client.send(sent)
        assert len(seen(client.response(stream))["headers"]) == 21


@pytest.mark.parametrize(
    "sent",
    [
        headers(1, FIELDS, end=True) + continuation(1, FIELDS),
        headers(1, FIELDS, end=True, end_headers=False) + continuation(1, b"") + continuation(1, b""),
        headers(1, POST) + data(1, b"a") + continuation(1, b""),
        headers(1, POST, end_headers=False) + data(1, b"a"),
        headers(1, FIELDS, end=True, end_headers=False) + continuation(0, b""),
        headers(1, FIELDS, end=True, end_headers=False) + continuation(3, b""),
        continuation(0, FIELDS),
        continuation(1, FIELDS, end_headers=False),
    ],
    ids=[
        "after the end of HEADERS",
        "after the end of CONTINUATION",
        "after DATA",
        "DATA instead",
        "stream 0",
        "another stream",
        "first, stream 0",
        "first",
    ],
)
def test_a_continuation_goes_on_with_a_field_block(peer: Peer, sent: bytes) -> None:
    """§6.10: any other MUST get an error of the connection, PROTOCOL_ERROR."""
    refused(peer, sent, PROTOCOL_ERROR)


def test_a_post_is_not_disturbed_by_its_neighbours(peer: Peer) -> None:
    """§5: frames of several streams may be interleaved, each stream in its own order."""
    with peer.client() as client:
        for stream in (1, 3, 5):
            client.expect(stream)
        client.send(headers(1, POST) + headers(3, POST) + data(1, b"1a") + post(5, b"5") + data(3, b"3"))
        client.send(data(1, b"1b", end=True) + data(3, end=True))
        bodies = [seen(client.response(stream))["body"] for stream in (1, 3, 5)]
        assert bodies == [b"1a1b", b"3", b"5"]
