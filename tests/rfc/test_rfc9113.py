"""RFC 9113, HTTP/2: how a connection begins (§3), what a frame is (§4), what is left open for others (§5.5, §7).

A test of a rule that the client has broken waits for the error that the RFC names, and for the end of the connection
where it is the connection's.
"""

import pytest
from tests.frames import (
    COMPRESSION_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    PROTOCOL_ERROR,
    SETTINGS,
    block,
    continuation,
    data,
    frame,
    get,
    goaway,
    headers,
    indexed,
    literal,
    ping,
    post,
    priority,
    request,
    rst_stream,
    settings,
    window_update,
)
from tests.live import one_by_one
from tests.peer import Peer, seen

UNKNOWN = 0x16  # a kind that nobody has defined
MOST = 16384  # octets of a payload that everybody takes
HALF = block(request())

# --- 3.4 the preface -------------------------------------------------------------------------------


def test_the_servers_preface_is_a_settings_frame(peer: Peer) -> None:
    """§3.4: it MUST be the first frame that the server sends, whatever the client has sent by then."""
    with peer.client(start=False) as client:
        client.send(PREFACE + settings() + ping() + window_update(0, 1))
        first = client.next_frame()
        assert first is not None
        assert (first.kind, first.flags, first.stream) == (SETTINGS, 0, 0)


def test_the_servers_settings_need_no_request(peer: Peer) -> None:
    """§3.4: the client may wait for the server's settings before it goes on."""
    with peer.client() as client:
        assert client.settings
        assert client.answer_of().status == 200


def test_the_client_may_go_on_before_it_has_the_servers_settings(peer: Peer) -> None:
    """§3.4: additional frames may follow the client's preface at once."""
    with peer.client(start=False) as client:
        client.expect(1)
        client.pending.append({})
        client.send(PREFACE + settings() + get(1))
        assert client.response(1).status == 200


def test_the_preface_may_come_in_pieces(peer: Peer) -> None:
    """§3.4: what begins an HTTP/2 connection is the sequence of octets, however it is cut."""
    with peer.client(start=False) as client:
        client.expect(1)
        client.pending.append({})
        client.send(b"", one_by_one(PREFACE + settings() + get(1)))
        assert client.response(1).status == 200


@pytest.mark.parametrize("cut", [3, 14, 16, 18, 23])
def test_an_invalid_preface_ends_the_connection(peer: Peer, cut: int) -> None:
    """§3.4: an invalid preface MUST be treated as an error of the connection; GOAWAY may be left out."""
    with peer.client(start=False) as client:
        client.send(PREFACE[:cut] + b"X" + PREFACE[cut + 1 :] + settings() + get(1))
        client.expect(1)
        answer = client.rest()
        assert b"HTTP/1.1 200" not in answer
    assert peer.calls == []


@pytest.mark.parametrize(
    "first",
    [ping(), get(1), settings(ack=True), window_update(0, 1), priority(1), goaway(), frame(UNKNOWN), rst_stream(1)],
    ids=["ping", "headers", "ack", "window update", "priority", "goaway", "unknown", "reset"],
)
def test_the_clients_preface_ends_with_settings(peer: Peer, first: bytes) -> None:
    """§3.4: the sequence MUST be followed by a SETTINGS frame; anything else is no preface."""
    with peer.client(start=False) as client:
        client.expect(1)
        client.send(PREFACE + first + settings())
        assert client.goodbye().code == PROTOCOL_ERROR
    assert peer.calls == []


def test_the_clients_first_settings_are_acknowledged(peer: Peer) -> None:
    """§3.4: the settings of the preface MUST be acknowledged (§6.5.3)."""
    with peer.client() as client:
        assert [each.flags for each in client.frames if each.kind == SETTINGS] == [0, 1]


# --- 4.1 frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0x0A, 0x0B, UNKNOWN, 0xFF])
@pytest.mark.parametrize("stream", [0, 1, 3, 2])
@pytest.mark.parametrize("payload", [b"", b"12345678"])
def test_frames_of_an_unknown_kind_are_ignored(peer: Peer, kind: int, stream: int, payload: bytes) -> None:
    """§4.1, §5.5: implementations MUST discard frames of unknown types, on whatever stream."""
    with peer.client() as client:
        client.send(frame(kind, 0xFF, stream, payload))
        assert client.is_alive()
        assert client.answer_of().status == 200


def test_an_unknown_frame_on_an_open_stream_is_no_part_of_its_body(peer: Peer) -> None:
    """§4.1: a frame of an unknown type means nothing."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send(data(stream, b"one ") + frame(UNKNOWN, 1, stream, b"lost") + data(stream, b"two", end=True))
        assert seen(client.response(stream))["body"] == b"one two"


@pytest.mark.parametrize(
    "unused",
    [
        frame(PING, 0xFE, 0, b"01234567"),
        frame(SETTINGS, 0xFE),
        frame(GOAWAY, 0xFF, 0, bytes(8)),
        frame(0x8, 0xFF, 0, b"\0\0\0\1"),
        frame(0x2, 0xFF, 1, bytes(5)),
    ],
    ids=["ping", "settings", "goaway", "window update", "priority"],
)
def test_flags_without_a_meaning_are_ignored(peer: Peer, unused: bytes) -> None:
    """§4.1: unused flags MUST be ignored on receipt."""
    with peer.client(start=False) as client:
        client.pending.extend([{}, {}] if unused[3] == SETTINGS else [{}])
        client.send(PREFACE + settings() + unused)
        assert client.is_alive()


def test_unused_flags_of_a_request_are_ignored(peer: Peer) -> None:
    """§4.1: unused flags MUST be ignored on receipt."""
    with peer.client() as client:
        stream = client.open(b"POST")
        fields = block(request(method=b"POST"))
        client.send(frame(0x1, 0x04 | 0xC2 & ~0x20, stream, fields) + frame(0x0, 0x01 | 0xF6, stream, b"body"))
        assert seen(client.response(stream))["body"] == b"body"


def test_the_reserved_bit_is_ignored(peer: Peer) -> None:
    """§4.1: it MUST be ignored when receiving."""
    with peer.client() as client:
        stream = client.open()
        client.send(frame(0x1, 0x05, stream, HALF, reserved=True))
        assert client.response(stream).status == 200
        client.send(frame(PING, 0, 0, b"01234567", reserved=True))
        client.until_true(lambda: b"01234567" in client.pongs)


# --- 4.2 sizes -------------------------------------------------------------------------------------


def test_frames_of_16384_octets_are_taken(peer: Peer) -> None:
    """§4.2: all implementations MUST be capable of them."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send_data(stream, bytes(MOST), end=True)
        assert seen(client.response(stream))["body"] == bytes(MOST)


@pytest.mark.parametrize(
    "large",
    [
        headers(1, bytes(MOST + 1), end=True),
        frame(SETTINGS, 0, 0, bytes(6) * 2731),
        frame(GOAWAY, 0, 0, bytes(MOST + 1)),
        frame(UNKNOWN, 0, 0, bytes(MOST + 1)),
        post(1) + data(1, bytes(MOST + 1)),
        headers(1, b"", end_headers=False) + continuation(1, bytes(MOST + 1)),
    ],
    ids=["headers", "settings", "goaway", "unknown", "data", "continuation"],
)
def test_frames_beyond_the_servers_limit_are_an_error(peer: Peer, large: bytes) -> None:
    """§4.2: a frame that exceeds SETTINGS_MAX_FRAME_SIZE MUST get FRAME_SIZE_ERROR; for most the connection's."""
    with peer.client() as client:
        assert client.settings.get(5, MOST) == MOST
        client.expect(1)
        client.send(large)
        assert client.goodbye().code == FRAME_SIZE_ERROR


def test_a_head_of_a_frame_that_is_too_large_is_enough(peer: Peer) -> None:
    """§4.2: its payload need not come."""
    with peer.client() as client:
        client.send(frame(PING, 0, 0, b"", length=(1 << 24) - 1))
        assert client.goodbye().code == FRAME_SIZE_ERROR


@pytest.mark.parametrize(
    "small",
    [
        frame(0x1, 0x0D, 1, b""),
        frame(0x1, 0x25, 1, bytes(4)),
        frame(0x1, 0x2D, 1, bytes(5)),
        frame(GOAWAY, 0, 0, bytes(7)),
        post(1) + frame(0x0, 0x08, 1, b""),
    ],
    ids=["padded headers", "headers with priority", "headers with both", "goaway", "padded data"],
)
def test_frames_too_small_for_their_fields_are_an_error(peer: Peer, small: bytes) -> None:
    """§4.2: a frame too small to contain mandatory data MUST get FRAME_SIZE_ERROR."""
    with peer.client() as client:
        client.expect(1)
        client.send(small)
        assert client.goodbye().code == FRAME_SIZE_ERROR


def test_the_clients_limit_holds_for_the_server(peer: Peer) -> None:
    """§4.2: an endpoint MUST NOT send frames beyond the receiver's limit, which is 16384 unless it says more."""
    with peer.client({INITIAL_WINDOW_SIZE: 1 << 20}) as client:
        assert len(client.answer_of(b"/bytes/60000").body) == 60000
        assert max(len(each.payload) for each in client.frames) <= MOST


# --- 4.3 field sections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [b"\x40", b"\x80", b"\xff\xff", indexed(70), literal(b"a", b"b")[:-1], b"\x00\x85\xf2", b"\x3f\xe2\x1f" + HALF],
    ids=["nothing", "index 0", "half an integer", "no such entry", "half a value", "half a name", "too large a table"],
)
def test_a_field_block_that_cannot_be_decoded_ends_the_connection(peer: Peer, broken: bytes) -> None:
    """§4.3: a decoding error MUST be treated as an error of the connection of type COMPRESSION_ERROR."""
    with peer.client() as client:
        client.expect(1)
        client.send(headers(1, broken, end=True))
        assert client.goodbye().code == COMPRESSION_ERROR
    assert peer.calls == []


def test_trailers_that_cannot_be_decoded_end_the_connection(peer: Peer) -> None:
    """§4.3: a decoding error MUST be treated as an error of the connection of type COMPRESSION_ERROR."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send(headers(stream, b"\x40", end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


BETWEEN = {
    "ping": ping(),
    "settings": settings(),
    "window of the connection": window_update(0, 1),
    "window of the stream": window_update(1, 1),
    "its priority": priority(1),
    "another priority": priority(3),
    "data": data(1, b"a"),
    "another request": get(3),
    "headers again": headers(1, HALF),
    "reset": rst_stream(1),
    "goaway": goaway(),
    "another continuation": continuation(3, HALF),
    "a continuation of stream 0": continuation(0, HALF),
    "unknown": frame(UNKNOWN, 0, 0, b"12345678"),
    "unknown on the stream": frame(UNKNOWN, 0, 1, b"12345678"),
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_nothing_comes_between_the_frames_of_a_field_block(peer: Peer, kind: str) -> None:
    """§4.3, §5.5, §6.2, §6.10: no other frame, also none unknown, and none of another stream; PROTOCOL_ERROR."""
    with peer.client() as client:
        for stream in (1, 3):
            client.expect(stream)
        client.send(headers(1, HALF, end=True, end_headers=False) + BETWEEN[kind] + continuation(1, b""))
        assert client.goodbye().code == PROTOCOL_ERROR
    assert peer.calls == []


def test_a_field_block_may_be_cut_anywhere(peer: Peer) -> None:
    """§4.3: it is the concatenation of its fragments, one of which may be empty."""
    fields = block(request(b"/cut", extra=[(b"x-long", b"v" * 100)]))
    with peer.client() as client:
        stream = client.open()
        frames = headers(stream, fields[:1], end=True, end_headers=False)
        frames += b"".join(continuation(stream, fields[i : i + 3], end_headers=False) for i in range(1, len(fields), 3))
        client.send(frames + continuation(stream, b""))
        view = seen(client.response(stream))
        assert view["path"] == "/cut"
        assert (b"x-long", b"v" * 100) in view["headers"]


def test_field_blocks_that_come_to_nothing_are_decoded_all_the_same(peer: Peer) -> None:
    """§4.3: field blocks MUST be processed to keep the state of the compression."""
    with peer.client() as client:
        stream = client.open()
        stored = literal(b"x-stored", b"in the table", store=True)
        client.send(headers(stream, block(request(extra=[(b"TE", b"no")])) + stored, end=True))
        assert client.reset_of(stream) == PROTOCOL_ERROR
        client.send(headers(stream, literal(b"x-late", b"on its way", store=True), end=True))
        stream = client.open()
        client.send(headers(stream, HALF + indexed(62) + indexed(63), end=True))
        view = seen(client.response(stream))
        assert view["headers"][1:] == [(b"x-late", b"on its way"), (b"x-stored", b"in the table")]


@pytest.mark.parametrize("size", [0, 64, 4096, 1 << 20])
def test_the_servers_table_keeps_to_the_clients_limit(peer: Peer, size: int) -> None:
    """§4.3.1: the encoder MUST NOT exceed the decoder's limit, and signals a change after it has acknowledged it."""
    with peer.client({HEADER_TABLE_SIZE: size}) as client:
        assert client.answer_of().status == client.answer_of().status == 200


def test_the_servers_table_follows_a_limit_that_changes(peer: Peer) -> None:
    """§4.3.1: the encoder MUST NOT exceed the decoder's limit, and signals a change after it has acknowledged it."""
    with peer.client() as client:
        for size in (0, 4096, 100, 0, 4096):
            client.change({HEADER_TABLE_SIZE: size})
            client.until_true(lambda: not client.pending)
            assert client.answer_of().status == client.answer_of().status == 200


# --- 5.5, 7 what is left open --------------------------------------------------------------------------


@pytest.mark.parametrize("key", [0, 7, 10, 0xF000, 0xFFFF])
def test_unknown_settings_are_ignored(peer: Peer, key: int) -> None:
    """§5.5, §6.5.2: unknown or unsupported settings MUST be ignored."""
    with peer.client() as client:
        client.change({key: 0xFFFFFFFF})
        assert client.is_alive()
        assert client.answer_of().status == 200


def test_unknown_error_codes_have_no_special_effect(peer: Peer) -> None:
    """§7: unknown error codes MUST NOT trigger any special behaviour."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.drop(stream, rst_stream(stream, 0xFF))
        assert client.is_alive()
        client.send(goaway(0, 0xFFFFFFFF))
        assert client.answer_of().status == 200
