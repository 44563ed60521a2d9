"""RFC 9113 §5.2 and §6.9, flow control: the windows of streams and of the connection, in both directions.

`Client` counts: DATA of the server beyond a window that it was given is `Malformed`.
"""

import pytest
from tests.frames import (
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INITIAL_WINDOW_SIZE,
    MAX_WINDOW,
    PROTOCOL_ERROR,
    WINDOW_UPDATE,
    block,
    data,
    frame,
    headers,
    request,
    settings,
    window_update,
)
from tests.peer import Peer, refused, seen

POST = block(request(method=b"POST"))

# --- 6.9 WINDOW_UPDATE ------------------------------------------------------------------------------------


def test_a_window_of_the_connection_grows_by_something(peer: Peer) -> None:
    """§6.9: an increment of 0 for the connection MUST be an error of the connection, PROTOCOL_ERROR."""
    refused(peer, window_update(0, 0), PROTOCOL_ERROR)


def test_a_window_of_a_stream_grows_by_something(peer: Peer) -> None:
    """§6.9: an increment of 0 for a stream MUST be an error of the stream, PROTOCOL_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.send(window_update(stream, 0))
        assert client.reset_of(stream) == PROTOCOL_ERROR
        assert client.answer_of().status == 200


@pytest.mark.parametrize("stream", [0, 1])
@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_window_update_has_four_octets(peer: Peer, size: int, stream: int) -> None:
    """§6.9: any other length MUST get an error of the connection, FRAME_SIZE_ERROR."""
    refused(peer, headers(1, POST) + frame(WINDOW_UPDATE, 0, stream, bytes(size)), FRAME_SIZE_ERROR)


def test_the_reserved_bit_of_an_increment_is_ignored(peer: Peer) -> None:
    """§6.9: it is reserved, as in every frame."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        stream = client.request(b"/bytes/2")
        client.streams[stream].window += 2
        client.send(frame(WINDOW_UPDATE, 0, stream, (1 << 31 | 2).to_bytes(4, "big")))
        assert client.response(stream).body == bytes(2)


def test_fields_are_not_flow_controlled(peer: Peer) -> None:
    """§5.2.1: only DATA is; HEADERS, and DATA without content, need no window."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        assert client.answer_of(b"/status/204").complete
        assert client.answer_of(b"/status/200").complete
        assert client.answer_of(b"/bytes/100", method=b"HEAD").complete


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_window_of_a_stream_is_kept(peer: Peer, size: int) -> None:
    """§6.9.1: the sender MUST NOT exceed the window of the stream; `Client` counts."""
    with peer.client({INITIAL_WINDOW_SIZE: size}, refill=False) as client:
        stream = client.request(b"/bytes/102")
        client.until_true(lambda: len(client.streams[stream].body) == size)
        assert client.is_alive()
        client.give(stream, 1)
        client.until_true(lambda: len(client.streams[stream].body) == size + 1)
        client.give(stream, 101 - size)
        assert client.response(stream).body == bytes(102)


def test_the_window_of_the_connection_is_kept(peer: Peer) -> None:
    """§6.9.1: the sender MUST NOT exceed the window of the connection either, whatever the streams' are."""
    with peer.client({INITIAL_WINDOW_SIZE: MAX_WINDOW}, refill=False) as client:
        first, second = client.request(b"/bytes/65000"), client.request(b"/bytes/65000")
        client.until_true(lambda: client.window == 0)
        assert client.is_alive()
        client.give(0, 70000)
        assert client.response(first).body == client.response(second).body == bytes(65000)


def test_a_window_of_the_connection_beyond_the_maximum_ends_it(peer: Peer) -> None:
    """§6.9.1: a window above 2^31-1 MUST end the connection with FLOW_CONTROL_ERROR."""
    refused(peer, window_update(0, MAX_WINDOW), FLOW_CONTROL_ERROR)


def test_a_window_of_a_stream_beyond_the_maximum_ends_the_stream(peer: Peer) -> None:
    """§6.9.1: a window above 2^31-1 MUST end the stream with FLOW_CONTROL_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.send(window_update(stream, MAX_WINDOW))
        assert client.reset_of(stream) == FLOW_CONTROL_ERROR
        assert client.answer_of().status == 200


def test_windows_may_have_the_maximum(peer: Peer) -> None:
    """§6.9.1: 2^31-1 itself is allowed."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.give(0, MAX_WINDOW - client.window)
        client.give(stream, MAX_WINDOW - client.streams[stream].window)
        assert client.is_alive()
        assert client.streams[stream].reset is None


def test_data_beyond_the_servers_window_is_an_error(peer: Peer) -> None:
    """§6.9, §6.9.1: it MAY be answered with FLOW_CONTROL_ERROR; here it is, for memory is bounded by it."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        stream = client.request(b"/held", method=b"POST", end=False)
        left = client.room(stream)
        while left >= 0:
            client.send(data(stream, bytes(16384)))
            left -= 16384
        client.until_true(lambda: bool(client.goaways) or client.streams[stream].reset is not None)
        codes = [each.code for each in client.goaways] + [client.streams[stream].reset]
        assert codes[0] == FLOW_CONTROL_ERROR


def test_the_servers_windows_are_given_back(peer: Peer) -> None:
    """§5.2.2, §6.9: a receiver that reads sends WINDOW_UPDATE for stream and connection, or nothing would go on."""
    body = bytes(range(256)) * 12288
    with peer.client() as client:
        stream = client.request(b"/upload", method=b"POST", end=False)
        assert client.upload(stream, body) == len(body)
        assert seen(client.response(stream))["body"] == body


def test_the_initial_window_is_65535(peer: Peer) -> None:
    """§6.9.2: until the client's settings say otherwise; the connection's, too."""
    with peer.client(refill=False) as client:
        stream = client.request(b"/bytes/65536")
        client.until_true(lambda: len(client.streams[stream].body) == 65535)
        assert client.is_alive()
        client.give(0, 1)
        client.give(stream, 1)
        assert client.response(stream).complete


def test_a_new_initial_window_adjusts_open_streams(peer: Peer) -> None:
    """§6.9.2: the windows of all streams MUST be adjusted by the difference."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        streams = [client.request(b"/bytes/3"), client.request(b"/bytes/3")]
        for size in (1, 2, 3):
            client.change({INITIAL_WINDOW_SIZE: size})
            client.until_true(lambda: {len(client.streams[each].body) for each in streams} == {size})  # noqa: B023
        assert all(client.response(stream).complete for stream in streams)


def test_a_window_may_become_negative(peer: Peer) -> None:
    """§6.9.2: the sender MUST track a negative window and send nothing until it is positive again."""
    with peer.client({INITIAL_WINDOW_SIZE: 3}, refill=False) as client:
        stream = client.request(b"/bytes/10")
        client.until_true(lambda: len(client.streams[stream].body) == 3)
        client.change({INITIAL_WINDOW_SIZE: 0})
        client.until_true(lambda: not client.pending)
        assert client.streams[stream].window == -3
        client.give(stream, 3)
        assert client.is_alive()
        assert len(client.streams[stream].body) == 3
        client.give(stream, 1)
        client.until_true(lambda: len(client.streams[stream].body) == 4)
        client.give(stream, 6)
        assert client.response(stream).body == bytes(10)


def test_an_initial_window_leaves_the_connections_alone(peer: Peer) -> None:
    """§6.9.2: that one is changed by WINDOW_UPDATE only."""
    with peer.client({INITIAL_WINDOW_SIZE: MAX_WINDOW}, refill=False) as client:
        stream = client.request(b"/bytes/70000")
        client.until_true(lambda: len(client.streams[stream].body) == 65535)
        client.change({INITIAL_WINDOW_SIZE: MAX_WINDOW - 1})
        assert client.is_alive()
        assert len(client.streams[stream].body) == 65535


def test_an_initial_window_that_makes_one_overflow_ends_the_connection(peer: Peer) -> None:
    """§6.9.2: a change that lifts any window above 2^31-1 MUST be an error of the connection, FLOW_CONTROL_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.give(stream, MAX_WINDOW - 65535)
        client.send(settings({INITIAL_WINDOW_SIZE: 65536}))
        assert client.goodbye().code == FLOW_CONTROL_ERROR
