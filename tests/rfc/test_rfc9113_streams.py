"""RFC 9113 §5, streams: what each state allows, how they are numbered and counted, and whose error is whose."""

from collections.abc import Iterator

import pytest
from tests.frames import (
    CANCEL,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    block,
    continuation,
    data,
    frame,
    get,
    headers,
    ping,
    post,
    priority,
    request,
    rst_stream,
    window_update,
)
from tests.http2 import Client
from tests.live import Live, live
from tests.peer import Peer, Site, seen

CONNECTION, STREAM = "connection", "stream"
FIELDS = block(request())
AGAIN = {
    "data": data(1, b"late", end=True),
    "empty data": data(1),
    "headers": headers(1, FIELDS, end=True),
    "trailers": headers(1, block([(b"x-late", b"1")]), end=True),
}
TOLERATED = {"window update": window_update(1, 1), "priority": priority(1), "reset": rst_stream(1, CANCEL)}


def error_of(client: Client, stream: int) -> tuple[str, int]:
    """Return whose error came first for what was sent last, the stream's or the connection's, and its code."""
    response = client.expect(stream)
    known = len(client.goaways)
    client.until_true(lambda: len(client.goaways) > known or response.reset is not None)
    if len(client.goaways) > known:
        return CONNECTION, client.goaways[-1].code
    assert response.reset is not None
    return STREAM, response.reset


# --- 5.1 idle ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [1, 2, 101])
@pytest.mark.parametrize(
    "build",
    [
        lambda stream: data(stream, b"a"),
        lambda stream: data(stream, end=True),
        rst_stream,
        lambda stream: window_update(stream, 1),
        lambda stream: continuation(stream, FIELDS),
    ],
    ids=["data", "empty data", "reset", "window update", "continuation"],
)
def test_an_idle_stream_takes_no_frame_but_headers_and_priority(peer: Peer, build: object, stream: int) -> None:
    """§5.1: any other frame MUST be treated as an error of the connection of type PROTOCOL_ERROR."""
    assert callable(build)
    with peer.client() as client:
        client.send(build(stream))
        assert client.goodbye().code == PROTOCOL_ERROR


@pytest.mark.parametrize("stream", [1, 3, 2])
def test_an_idle_stream_takes_priority(peer: Peer, stream: int) -> None:
    """§5.1: PRIORITY may come in any state, and changes none."""
    with peer.client() as client:
        client.send(priority(stream, 0, 256))
        assert client.is_alive()
        assert client.answer_of().status == 200


# --- 5.1 half-closed (remote) ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", AGAIN)
def test_a_stream_that_the_client_has_ended_takes_no_more_of_it(peer: Peer, kind: str) -> None:
    """§5.1: what is not WINDOW_UPDATE, PRIORITY or RST_STREAM MUST get an error of the stream, STREAM_CLOSED."""
    with peer.client() as client:
        assert client.request(b"/wait") == 1
        client.send(AGAIN[kind])
        assert error_of(client, 1) == (STREAM, STREAM_CLOSED)
        assert client.answer_of().status == 200


@pytest.mark.parametrize("kind", TOLERATED)
def test_a_stream_that_the_client_has_ended_takes_what_steers_it(peer: Peer, kind: str) -> None:
    """§5.1: WINDOW_UPDATE, PRIORITY and RST_STREAM are no error."""
    with peer.client() as client:
        assert client.request(b"/wait") == 1
        client.drop(1, TOLERATED[kind])
        assert client.is_alive()
        assert client.streams[1].reset is None
        assert client.answer_of().status == 200


def test_a_window_of_a_stream_that_the_client_has_ended_lets_its_response_go_on(peer: Peer) -> None:
    """§5.1: the client may still send WINDOW_UPDATE."""
    with peer.client({INITIAL_WINDOW_SIZE: 0}, refill=False) as client:
        stream = client.request(b"/bytes/2")
        client.until_true(lambda: client.streams[stream].status == 200)
        assert client.is_alive()
        assert not client.streams[stream].body
        client.give(stream, 2)
        assert client.response(stream).body == bytes(2)


# --- 5.1 half-closed (local) -------------------------------------------------------------------------


def test_a_response_may_come_before_the_request_has_ended(peer: Peer) -> None:
    """§5.1, §8.1: the server has ended its side and still takes PRIORITY, WINDOW_UPDATE, DATA and RST_STREAM."""
    with peer.client() as client:
        stream = client.request(b"/early", method=b"POST", end=False)
        assert client.response(stream).body == b"ok"
        client.send(data(stream, b"on its way") + window_update(stream, 1) + priority(stream))
        client.drop(stream, rst_stream(stream))
        assert client.is_alive()


def test_a_request_may_end_after_its_response(peer: Peer) -> None:
    """§5.1, §8.1: that closes the stream in order."""
    with peer.client() as client:
        for _ in range(3):
            stream = client.request(b"/early", method=b"POST", end=False)
            assert client.response(stream).body == b"ok"
            client.send_data(stream, b"the rest", end=True)
            assert client.is_alive()
            assert client.streams[stream].reset in (None, NO_ERROR)


# --- 5.1 closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", AGAIN)
def test_a_closed_stream_takes_no_frame(peer: Peer, kind: str) -> None:
    """§5.1: after END_STREAM from both sides, DATA and HEADERS MUST be treated as an error, STREAM_CLOSED."""
    with peer.client() as client:
        assert client.answer_of().status == 200
        client.send(AGAIN[kind])
        whose, code = error_of(client, 1)
        assert code == STREAM_CLOSED
        assert whose == (STREAM if "data" in kind else CONNECTION)
    assert peer.calls == ["/"]


@pytest.mark.parametrize("kind", TOLERATED)
def test_a_closed_stream_takes_what_was_under_way(peer: Peer, kind: str) -> None:
    """§5.1: WINDOW_UPDATE and RST_STREAM for a short time, and PRIORITY at any."""
    with peer.client() as client:
        assert client.answer_of().status == 200
        client.send(TOLERATED[kind])
        assert client.is_alive()
        assert client.streams[1].reset is None
        assert client.answer_of().status == 200


def test_a_closed_stream_takes_no_continuation(peer: Peer) -> None:
    """§5.1, §6.10: there is no field block to go on with."""
    with peer.client() as client:
        assert client.answer_of().status == 200
        client.send(continuation(1, FIELDS))
        assert client.goodbye().code in (STREAM_CLOSED, PROTOCOL_ERROR)


@pytest.mark.parametrize("kind", AGAIN)
def test_a_stream_that_the_client_has_reset_takes_no_frame(peer: Peer, kind: str) -> None:
    """§5.1: frames other than PRIORITY after the client's own RST_STREAM are an error, STREAM_CLOSED."""
    with peer.client() as client:
        client.request(b"/wait", method=b"POST", end=False)
        client.drop(1, rst_stream(1) + AGAIN[kind])
        whose, code = error_of(client, 1)
        assert code == STREAM_CLOSED
        assert whose == (STREAM if "data" in kind else CONNECTION)


@pytest.mark.parametrize("kind", [*AGAIN, *TOLERATED])
def test_what_was_under_way_to_a_stream_that_the_server_has_reset_is_ignored(peer: Peer, kind: str) -> None:
    """§5.1, §5.4.2: the client may not know of the reset yet: its frames MUST be ignored."""
    with peer.client() as client:
        assert client.request(method=b"POST", extra=[(b"te", b"gzip")], end=False) == 1
        assert error_of(client, 1) == (STREAM, PROTOCOL_ERROR)
        client.send((AGAIN | TOLERATED)[kind])
        assert client.is_alive()
        assert not client.goaways
        assert client.answer_of().status == 200


def test_data_for_a_stream_that_the_server_has_reset_counts_for_the_connection(peer: Peer) -> None:
    """§5.1, §6.9: it MUST be counted, and its place in the window is given back."""
    with peer.client() as client:
        stream = client.request(method=b"POST", extra=[(b"te", b"gzip")], end=False)
        assert client.reset_of(stream) == PROTOCOL_ERROR
        most = client.room(0)
        for _ in range(most // 16384):
            client.send_data(stream, bytes(16384))
        assert client.is_alive()
        assert client.room(0) > most // 4
        assert seen(client.answer_of(method=b"POST", body=b"more"))["body"] == b"more"


# --- 5.1.1 identifiers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [2, 4, 1 << 30])
def test_the_clients_streams_have_odd_numbers(peer: Peer, stream: int) -> None:
    """§5.1.1: an unexpected identifier MUST get an error of the connection, PROTOCOL_ERROR."""
    with peer.client() as client:
        client.send(get(stream))
        assert client.goodbye().code == PROTOCOL_ERROR
    assert peer.calls == []


def test_the_numbers_of_new_streams_rise(peer: Peer) -> None:
    """§5.1.1: the identifier MUST be greater than all before; else PROTOCOL_ERROR."""
    with peer.client() as client:
        for stream in (3, 5):
            client.expect(stream)
        client.send(get(5, b"/five") + get(3, b"/three"))
        assert client.goodbye().code == PROTOCOL_ERROR
    assert "/three" not in peer.calls


@pytest.mark.parametrize("late", [data(1, b"a"), headers(1, FIELDS, end=True)], ids=["data", "headers"])
def test_streams_that_were_skipped_are_closed(peer: Peer, late: bytes) -> None:
    """§5.1.1: the first use of an identifier closes all idle streams below it."""
    with peer.client() as client:
        client.expect(7)
        client.send(get(7))
        assert client.response(7).status == 200
        client.send(late)
        assert client.goodbye().code == PROTOCOL_ERROR


def test_the_last_stream_is_named_in_the_goodbye(peer: Peer) -> None:
    """§5.4.1, §6.8: GOAWAY has the identifier of the last stream that was or may have been acted on."""
    with peer.client() as client:
        client.expect(9)
        client.send(get(9))
        assert client.response(9).status == 200
        client.send(data(0, b"a"))
        assert client.goodbye().last == 9


# --- 5.1.2 concurrency ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow() -> Iterator[Live]:
    with live(Site(), http2_max_concurrent_streams=2) as server:
        yield server


def test_streams_beyond_the_advertised_number_are_refused(narrow: Live) -> None:
    """§5.1.2: one too many MUST be treated as an error of the stream, PROTOCOL_ERROR or REFUSED_STREAM."""
    with Client(narrow.port) as client:
        assert client.settings[MAX_CONCURRENT_STREAMS] == 2
        first = [client.request(b"/wait"), client.request(b"/wait")]
        assert error_of(client, client.request()) == (STREAM, REFUSED_STREAM)
        assert all(client.streams[stream].reset is None for stream in first)


def test_a_stream_that_ends_makes_room_for_another(narrow: Live) -> None:
    """§5.1.2: only streams that are open or half-closed count."""
    with Client(narrow.port) as client:
        client.request(b"/wait")
        for _ in range(3):
            assert client.answer_of().status == 200


def test_what_was_refused_may_be_sent_again(narrow: Live) -> None:
    """§5.1.2, §8.7: nothing of a refused stream was acted on."""
    with Client(narrow.port) as client:
        held = [client.request(method=b"POST", end=False), client.request(method=b"POST", end=False)]
        assert client.reset_of(client.request(b"/again")) == REFUSED_STREAM
        client.send_data(held[0], b"", end=True)
        assert client.response(held[0]).status == 200
        assert seen(client.answer_of(b"/again"))["path"] == "/again"


# --- 5.3 priority -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [1, 16, 256])
@pytest.mark.parametrize("depends", [0, 1, 3, 11])
@pytest.mark.parametrize("exclusive", [False, True])
def test_the_old_priority_of_a_request_is_taken(peer: Peer, weight: int, depends: int, exclusive: bool) -> None:
    """§5.3.2: endpoints MUST be prepared for the signals of RFC 7540, and may ignore what they say."""
    with peer.client() as client:
        stream = 5
        client.expect(stream, b"POST")
        fields = block(request(method=b"POST"))
        client.send(headers(stream, fields, depends=depends, weight=weight, exclusive=exclusive, padding=3))
        client.send(priority(stream, depends, weight, exclusive) + data(stream, b"body", end=True))
        assert seen(client.response(stream))["body"] == b"body"


def test_a_request_that_depends_on_itself_is_refused(peer: Peer) -> None:
    """RFC 7540 §5.3.1: that is an error of the stream, PROTOCOL_ERROR."""
    with peer.client() as client:
        client.expect(1)
        client.send(headers(1, FIELDS, end=True, depends=1))
        assert error_of(client, 1) == (STREAM, PROTOCOL_ERROR)
    assert peer.calls == []


def test_a_stream_that_is_to_depend_on_itself_is_reset(peer: Peer) -> None:
    """RFC 7540 §5.3.1: that is an error of the stream, PROTOCOL_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/wait")
        client.send(priority(stream, stream))
        assert error_of(client, stream) == (STREAM, PROTOCOL_ERROR)


def test_an_idle_stream_does_not_depend_on_itself(peer: Peer) -> None:
    """RFC 7540 §5.3.1: there is no stream to reset; the error is the connection's."""
    with peer.client() as client:
        client.send(priority(1, 1))
        assert client.goodbye().code == PROTOCOL_ERROR


# --- 5.4 errors -------------------------------------------------------------------------------------


def test_an_error_of_the_connection_closes_it(peer: Peer) -> None:
    """§5.4.1: after the GOAWAY for an error the endpoint MUST close the connection."""
    with peer.client() as client:
        client.request(b"/wait")
        client.send(frame(0x6, 0, 3, bytes(8)))
        assert client.goodbye().code == PROTOCOL_ERROR
        assert client.at_end


def test_nothing_is_acted_on_after_an_error_of_the_connection(peer: Peer) -> None:
    """§5.4.1: such an error prevents further processing of frames."""
    with peer.client() as client:
        client.expect(1)
        client.send(frame(0x6, 0, 3, bytes(8)) + get(1, b"/after") + ping())
        assert client.goodbye().last == 0
        assert client.pongs == []
    assert peer.calls == []


def test_an_error_of_a_stream_leaves_the_others_alone(peer: Peer) -> None:
    """§5.4.2: it does not affect other streams."""
    with peer.client() as client:
        other = client.request(method=b"POST", end=False)
        wrong = client.request(extra=[(b"te", b"gzip")])
        assert client.reset_of(wrong) == PROTOCOL_ERROR
        client.send_data(other, b"unharmed", end=True)
        assert seen(client.response(other))["body"] == b"unharmed"


@pytest.mark.parametrize("code", [NO_ERROR, CANCEL, PROTOCOL_ERROR, 0xFFFFFFFF])
def test_a_reset_is_not_answered_by_a_reset(peer: Peer, code: int) -> None:
    """§5.4.2: an endpoint MUST NOT send RST_STREAM in response to RST_STREAM."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.drop(stream, rst_stream(stream, code) + rst_stream(stream, code))
        assert client.is_alive()
        assert client.streams[stream].reset is None
        assert client.streams[stream].status == 0


def test_the_end_of_the_socket_ends_the_requests(peer: Peer) -> None:
    """§5.4.3: open streams cannot be retried; the server gives them up."""
    with peer.client() as client:
        client.request(b"/wait")
        assert client.is_alive()
        client.half_close()
        client.rest()
    with peer.client() as client:
        assert client.answer_of().status == 200
    assert "/wait" in peer.calls


def test_a_post_may_still_have_its_body_when_others_were_reset(peer: Peer) -> None:
    """§5.4.2: it does not affect other streams."""
    with peer.client() as client:
        for _ in range(20):
            stream = client.request(method=b"POST", end=False)
            client.drop(stream, rst_stream(stream))
        client.expect(client.next_stream)
        client.send(post(client.next_stream, b"last"))
        assert seen(client.response(client.next_stream))["body"] == b"last"
