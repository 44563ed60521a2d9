"""RFC 9218, priorities: which of several responses goes first, as the client has said in a field or in a frame.

The window of the connection is used up first. What waits then shows its order once the window is opened.
"""

from collections.abc import Iterator

import pytest
from tests.frames import (
    DATA,
    ENHANCE_YOUR_CALM,
    FRAME_SIZE_ERROR,
    INITIAL_WINDOW_SIZE,
    NO_RFC7540_PRIORITIES,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    frame,
    priority_update,
    settings,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.peer import Peer, Site, refused

LARGE = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(Site()) as server:
        yield server


@pytest.fixture
def client(server: Live) -> Iterator[Client]:
    """A connection without any window left, whose streams have one."""
    with Client(server.port, {INITIAL_WINDOW_SIZE: LARGE}, refill=False) as client:
        assert client.answer_of(b"/bytes/65535").complete
        assert client.window == 0
        yield client


def ask(client: Client, priority: bytes | None, size: int = 1000) -> int:
    """Ask for a body of this size with this priority; return the stream."""
    return client.request(b"/bytes/%d" % size, extra=[] if priority is None else [(b"priority", priority)])


def order(client: Client, *streams: int) -> list[int]:
    """Open the window; return the streams in the order of their DATA, each as often as it comes in a row."""
    client.until_true(lambda: all(client.streams[stream].status for stream in streams))
    assert client.is_alive()
    seen = len(client.frames)
    client.give(0, LARGE)
    for stream in streams:
        assert client.response(stream).complete
    found = [each.stream for each in client.frames[seen:] if each.kind == DATA]
    return [stream for i, stream in enumerate(found) if not i or found[i - 1] != stream]


# --- 2.1 ----------------------------------------------------------------------------------------------


def test_the_server_says_that_it_ignores_the_old_priorities(peer: Peer) -> None:
    """§2.1: SETTINGS_NO_RFC7540_PRIORITIES is 1, in the first SETTINGS."""
    with peer.client() as client:
        assert client.settings[NO_RFC7540_PRIORITIES] == 1


@pytest.mark.parametrize("value", [0, 1])
def test_the_client_may_say_so_too(peer: Peer, value: int) -> None:
    """§2.1: the value is 0 or 1."""
    with peer.client({NO_RFC7540_PRIORITIES: value}) as client:
        assert client.answer_of().status == 200


@pytest.mark.parametrize("value", [2, 0xFFFFFFFF])
def test_that_setting_has_no_other_values(peer: Peer, value: int) -> None:
    """§2.1: any other value MUST be treated as an error of the connection, PROTOCOL_ERROR."""
    refused(peer, settings({NO_RFC7540_PRIORITIES: value}), PROTOCOL_ERROR)


# --- 4 and 5: the field --------------------------------------------------------------------------------


def test_what_is_more_urgent_goes_first(client: Client) -> None:
    """§4.1, §10: a smaller number is more urgent."""
    last, first, second = ask(client, b"u=7"), ask(client, b"u=0"), ask(client, b"u=1")
    assert order(client, last, first, second) == [first, second, last]


def test_without_a_priority_the_urgency_is_3(client: Client) -> None:
    """§4.1: that is the default."""
    low, middle, high = ask(client, b"u=4"), ask(client, None), ask(client, b"u=2")
    assert order(client, low, middle, high) == [high, middle, low]


def test_what_is_as_urgent_goes_in_the_order_of_the_requests(client: Client) -> None:
    """§10: and each goes whole, since part of it is of no use to its client (§4.2)."""
    streams = [ask(client, None, 40000) for _ in range(3)]
    assert order(client, *streams) == streams


def test_incremental_responses_take_turns(client: Client) -> None:
    """§4.2, §10: what can be used in part shares the connection."""
    first, second = ask(client, b"i", 40000), ask(client, b"u=3, i=?1", 40000)
    assert order(client, first, second) == [first, second, first, second, first, second]


def test_what_is_urgent_and_incremental_is_still_urgent(client: Client) -> None:
    """§4.1: the urgency comes first."""
    low, high = ask(client, b"u=5, i", 40000), ask(client, b"u=1, i", 40000)
    assert order(client, low, high) == [high, low]


@pytest.mark.parametrize("value", [b"u=8", b"u=-1", b"u=x", b"u", b"i=1", b"!!!", b"u=1;;", b"", b"x=1, y", b"u=(1 2)"])
def test_what_is_not_understood_is_ignored(client: Client, value: bytes) -> None:
    """§4: unknown parameters, values out of range and of other types MUST be ignored; malformed ones may be."""
    low, middle, high = ask(client, b"u=4"), ask(client, value), ask(client, b"u=2")
    assert order(client, low, middle, high) == [high, middle, low]


# --- 7.1 the frame --------------------------------------------------------------------------------------


def test_a_frame_changes_the_priority_of_a_stream(client: Client) -> None:
    """§7, §7.1: what waits is moved."""
    first, second = ask(client, None), ask(client, None)
    client.until_true(lambda: bool(client.streams[second].status))
    client.send(priority_update(first, b"u=6"))
    assert order(client, first, second) == [second, first]


def test_a_frame_says_all_of_the_priority(client: Client) -> None:
    """§7: what it leaves out has its default, whatever was said before."""
    first, second = ask(client, b"u=0"), ask(client, b"u=2")
    client.until_true(lambda: bool(client.streams[second].status))
    client.send(priority_update(first, b"i"))
    assert order(client, first, second) == [second, first]


def test_a_frame_may_come_before_the_request(client: Client) -> None:
    """§7.1: it may be sent for an idle stream, and outweighs the request's field."""
    client.send(priority_update(client.next_stream + 2, b"u=0"))
    first, second = ask(client, b"u=1"), ask(client, b"u=5")
    assert order(client, first, second) == [second, first]


@pytest.mark.parametrize("value", [b"", b"u=9", b"\x00\xff", b"u=" + b"1" * 5000])
def test_a_frame_may_say_anything(peer: Peer, value: bytes) -> None:
    """§7.1: a value that cannot be parsed may be ignored."""
    with peer.client() as client:
        client.send(priority_update(1, value))
        assert client.answer_of().status == 200


def test_a_frame_for_a_closed_stream_is_ignored(peer: Peer) -> None:
    """§7.1: it MAY be discarded, for it may have been under way."""
    with peer.client() as client:
        assert client.answer_of().status == 200
        client.send(priority_update(1, b"u=0"))
        assert client.is_alive()
        assert client.answer_of().status == 200


def test_the_frame_belongs_to_the_connection(peer: Peer) -> None:
    """§7.1: on a stream it MUST be an error of the connection, PROTOCOL_ERROR."""
    refused(peer, frame(PRIORITY_UPDATE, 0, 1, b"\0\0\0\1u=0"), PROTOCOL_ERROR)


@pytest.mark.parametrize("stream", [0, 2])
def test_the_frame_names_a_stream_of_the_client(peer: Peer, stream: int) -> None:
    """§7.1: stream 0, or a push that is idle, MUST be an error of the connection, PROTOCOL_ERROR."""
    refused(peer, priority_update(stream, b"u=0"), PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_the_frame_has_room_for_a_stream(peer: Peer, size: int) -> None:
    """RFC 9113 §4.2: a frame too small for its fields MUST get FRAME_SIZE_ERROR."""
    refused(peer, frame(PRIORITY_UPDATE, 0, 0, bytes(size)), FRAME_SIZE_ERROR)


def test_priorities_of_idle_streams_are_kept_within_bounds(peer: Peer) -> None:
    """§7.1: a server may bound what it keeps; too many of them are a flood."""
    with peer.client() as client:
        client.send(b"".join(priority_update(stream, b"u=0") for stream in range(1, 10001, 2)))
        assert client.goodbye().code == ENHANCE_YOUR_CALM
