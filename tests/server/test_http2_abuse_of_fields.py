"""Header blocks as weapons: endless CONTINUATION, small blocks that decode to a lot, games with the table's size."""

import logging
from collections.abc import Iterator

import pytest
from tests.frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    REFUSED_STREAM,
    Fields,
    block,
    continuation,
    data,
    headers,
    indexed,
    literal,
    request,
    rst_stream,
    table_size,
)
from tests.http2 import Client
from tests.live import Echo, Live, live
from tests.tally import Tally, peak

MEGABYTE = 1 << 20
GET = block(request())
NEWEST = 62  # the index of what was stored last


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(Echo()) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def in_pieces(stream: int, whole: bytes, size: int, *, end: bool = True) -> bytes:
    """Return a header block as a HEADERS frame and the CONTINUATION frames behind it."""
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    frames = headers(stream, pieces[0], end=end, end_headers=len(pieces) == 1)
    for i, piece in enumerate(pieces[1:], 2):
        frames += continuation(stream, piece, end_headers=i == len(pieces))
    return frames


def asked(client: Client, fragment: bytes, *, size: int = 16384) -> int:
    """Send a GET with this header block; return the status, or the negative code with which its stream was reset."""
    stream = client.open()
    client.send(in_pieces(stream, fragment, size))
    response = client.response(stream)
    return response.status if response.ended else -(response.reset or 0)


def asked_with(client: Client, extra: Fields) -> int:
    """Send a GET with these fields beside its own; return as `asked` does."""
    return asked(client, block(request(extra=extra)))


# --- CONTINUATION (the family of CVE-2024-27316) ---------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 100, 16384])
@pytest.mark.parametrize("first", [GET, b""], ids=["behind a request", "behind nothing"])
def test_a_header_block_without_end_ends_the_connection(server: Live, size: int, first: bytes) -> None:
    piece = literal(b"x" * 40, b"y" * 50)
    fragment = (piece * (size // len(piece) + 1))[:size]
    with Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, first, end=True, end_headers=False))
        repeated = continuation(1, fragment, end_headers=False)
        client.flood(repeated, times=64 * MEGABYTE // len(repeated) if size else 1_000_000)
        assert client.goodbye().code != NO_ERROR


def test_an_endless_header_block_is_not_collected(server: Live) -> None:
    with Client(server.port, timeout=30) as client:
        client.expect(1)
        client.send(headers(1, GET, end=True, end_headers=False))
        repeated = continuation(1, literal(b"x", b"y" * 16000), end_headers=False)

        def flood() -> None:
            client.flood(repeated, times=2000)

        assert peak(flood) < 2 * MEGABYTE
        assert client.goodbye().code != NO_ERROR


def test_endless_trailers_end_the_connection(server: Live) -> None:
    with Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, block(request(method=b"POST"))) + headers(1, b"", end=True, end_headers=False))
        client.flood(continuation(1, bytes(100), end_headers=False), times=200_000)
        assert client.goodbye().code != NO_ERROR


def test_a_long_header_section_may_come_in_many_frames(server: Live) -> None:
    whole = block(request(extra=[(b"x-%d" % i, b"y" * 900) for i in range(30)]))
    with Client(server.port) as client:
        assert asked(client, whole, size=1000) == 200
        assert asked(client, GET, size=10) == 200


def test_a_header_block_that_is_never_finished_is_timed() -> None:
    with live(Echo(), timeout_header=0.3) as server, Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, GET, end=True, end_headers=False))
        client.goodbye()


# --- how large a list of fields may be --------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Iterator[Live]:
    with live(Echo(), limit_request_fields=20, limit_request_head=2000) as server:
        yield server


@pytest.mark.parametrize(("count", "status"), [(10, 200), (25, 431), (400, 431)])
def test_the_number_of_fields(small: Live, count: int, status: int) -> None:
    """RFC 6585 §5; the connection goes on."""
    with Client(small.port) as client:
        assert asked_with(client, [(b"a", b"")] * count) == status
        assert asked(client, GET) == 200


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (2100, 431), (3900, 431)])
def test_the_bytes_of_the_fields(small: Live, size: int, status: int) -> None:
    """In one field or in several."""
    with Client(small.port) as client:
        assert asked_with(client, [(b"a", b"x" * size)]) == status
        assert asked_with(client, [(b"a", b"x" * (size // 3))] * 3) == status
        assert asked(client, GET) == 200


def test_fields_that_are_too_large_are_answered_though_they_come_in_several_frames(server: Live) -> None:
    """Somebody's cookies have grown: the browser shows a 431 rather than an error of the connection."""
    with Client(server.port) as client:
        assert asked_with(client, [(b"x-%d" % i, b"y" * 1000) for i in range(50)]) == 431
        assert asked(client, GET) == 200


def test_each_field_counts_32_bytes_more(small: Live) -> None:
    """RFC 9113 §6.5.2: an empty field is not for nothing. 19 fields of 69 + 32 bytes are less than 2000 without."""
    with Client(small.port) as client:
        assert asked_with(client, [(b"a", b"x" * 80)] * 15) == 200
        assert asked_with(client, [(b"a", b"x" * 110)] * 15) == 431


def test_cookie_crumbs_are_one_field_but_have_their_size() -> None:
    """RFC 9113 §8.2.3: a browser sends each cookie as a field of its own, so that there may be many."""
    with live(Echo()) as server, Client(server.port) as client:
        stream = client.ask(request(extra=[(b"cookie", b"c%d=v" % i) for i in range(150)]))
        response = client.response(stream)
        assert response.status == 200
        assert b"; ".join(b"c%d=v" % i for i in range(150)) in bytes(response.body)
        assert asked_with(client, [(b"cookie", b"")] * 2000) == 431
        assert asked(client, GET) == 200


@pytest.mark.parametrize("extra", [[(b"a", b"")] * 300, [(b"a", b"x" * 3000)]], ids=["fields", "bytes"])
def test_trailers_have_the_same_limits(small: Live, extra: Fields) -> None:
    with Client(small.port) as client:
        stream = client.request(method=b"POST", body=b"abc", end=False)
        client.send(headers(stream, block(extra), end=True))
        response = client.response(stream)
        assert response.status == 431 or response.reset is not None
        assert asked(client, GET) == 200


# --- HPACK bombs (CVE-2016-6581, CVE-2026-49975, CVE-2026-47774) ------------------------------------


def test_a_stored_field_repeated_in_one_block_is_not_spelt_out(server: Live) -> None:
    """12 KB that decode to 48 MB."""
    with Client(server.port, timeout=30) as client:
        assert asked(client, GET + literal(b"bomb", b"x" * 4000, store=True)) == 200
        statuses: list[int] = []

        def explode() -> None:
            statuses.append(asked(client, GET + indexed(NEWEST) * 12_000))

        assert peak(explode) < 2 * MEGABYTE
        assert statuses == [431]
        assert asked(client, GET + indexed(NEWEST)) == 200


def test_a_bomb_over_many_frames_is_not_spelt_out(server: Live) -> None:
    with Client(server.port, timeout=30) as client:
        fragment = GET + literal(b"bomb", b"x" * 4000, store=True) + indexed(NEWEST) * 40_000
        client.expect(1)

        def explode() -> None:
            client.send(in_pieces(1, fragment, 4000))
            client.until_true(lambda: client.expect(1).ended or client.at_end or bool(client.goaways))

        assert peak(explode) < 4 * MEGABYTE
    with Client(server.port, timeout=30) as client:
        assert client.is_alive()


@pytest.mark.parametrize("entry", [indexed(15), literal(b"a", b""), literal(15, b"")], ids=["index", "literal", "name"])
def test_small_fields_without_number_are_not_collected(server: Live, entry: bytes) -> None:
    """nginx CVE-2019-9516 and its like: each field costs the client a few bytes at most."""
    with Client(server.port, timeout=30) as client:
        statuses: list[int] = []

        def explode() -> None:
            statuses.append(asked(client, GET + entry * (16_000 // len(entry))))

        assert peak(explode) < 2 * MEGABYTE
        assert statuses == [431]
        assert asked(client, GET) == 200


def test_fields_without_a_name_or_a_value_are_malformed(server: Live) -> None:
    with Client(server.port) as client:
        assert asked(client, GET + literal(b"", b"") * 3) < 0
        assert asked(client, GET + literal(b"", b"") * 5000) != 200
        assert asked(client, GET) == 200


def test_the_table_stays_right_through_blocks_that_are_too_large(server: Live) -> None:
    """What a refused list has stored is there for the next one (RFC 9113 §4.3)."""
    with Client(server.port) as client:
        filled = GET + literal(b"a", b"x" * 3000) * 12 + literal(b"marked", b"mark", store=True)
        assert asked(client, filled) == 431
        stream = client.open()
        client.send(headers(stream, GET + indexed(NEWEST), end=True))
        assert b"(b'marked', b'mark')" in client.response(stream).body


def test_the_table_stays_right_through_requests_that_are_refused() -> None:
    """A block that nobody wants is decoded all the same."""
    tally = Tally()
    with live(tally, http2_max_concurrent_streams=1) as server, Client(server.port) as client:
        first = client.request(b"/wait")
        for stored in (GET, block(request(without=[b":path"]))):  # refused, and malformed and refused
            stream = client.open()
            client.send(headers(stream, literal(b":path", b"/bytes/10", store=True) + stored, end=True))
            assert client.reset_of(stream) >= 0
        client.drop(first, rst_stream(first))
        assert tally.ended.get(timeout=5) == "/wait"
        assert client.is_alive()
        stream = client.open()
        client.send(headers(stream, block(request(without=[b":path"])) + indexed(NEWEST), end=True))
        response = client.response(stream)
        assert (response.reset, len(response.body)) == (None, 10)


def test_the_memory_of_requests_under_a_closed_window_is_bounded() -> None:
    """CVE-2026-49975: what small blocks have become is held while their answers wait for a window."""
    tally = Tally()
    with live(tally, timeout_write=0.5) as server:

        def hold() -> None:
            with Client(server.port, {INITIAL_WINDOW_SIZE: 0}, timeout=30) as client:
                asked = block(request(b"/bytes/100"))
                bomb = literal(b"bomb", b"x" * 3900, store=True)
                for _ in range(100):
                    client.send(headers(client.open(), asked + bomb, end=True))
                    bomb = indexed(NEWEST) * 7
                client.until_true(lambda: all(each.reset is not None for each in client.streams.values()))

        assert peak(hold) < 4 * MEGABYTE
        assert tally.calls == 100
        assert tally.running == 0


# --- the table's size -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4097, 1 << 20, (1 << 32) - 1, 1 << 40])
def test_a_table_larger_than_agreed_is_an_error_of_the_connection(server: Live, size: int) -> None:
    """RFC 7541 §6.3."""
    with Client(server.port) as client:
        client.send(headers(1, table_size(size) + GET, end=True))
        client.expect(1)
        assert client.goodbye().code == COMPRESSION_ERROR


@pytest.mark.parametrize("octets", [b"\xff" * 20, b"\xff" + b"\x80" * 10_000, b"\x7f" + b"\xff" * 9 + b"\x01"])
def test_integers_without_end_are_an_error_of_the_connection(server: Live, octets: bytes) -> None:
    """RFC 7541 §5.1: beyond what an implementation can hold."""
    with Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, GET + octets, end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


def test_a_table_that_is_emptied_and_filled_again_and_again_is_harmless(server: Live) -> None:
    """Each request throws all away and stores a hundred entries."""
    entries = b"".join(literal(b"n%d" % i, b"", store=True) for i in range(80))
    with Client(server.port) as client:
        for _ in range(200):
            assert asked(client, table_size(0) + table_size(4096) + GET + entries) == 200


def test_size_updates_without_number_are_not_taken(server: Live) -> None:
    """RFC 7541 §4.2: two of them say everything that there is to say."""
    with Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, (table_size(0) + table_size(4096)) * 4000 + GET, end=True))
        client.until_true(lambda: client.expect(1).ended or client.at_end or bool(client.goaways))
    with Client(server.port) as client:
        assert client.is_alive()


def test_a_client_that_offers_a_huge_table_gets_none(server: Live) -> None:
    """What we remember for a client is our choice, whatever it would hold itself."""
    with Client(server.port, {HEADER_TABLE_SIZE: 0xFFFFFFFF}) as client:
        for _ in range(50):
            assert asked(client, GET) == 200
        assert client.decoder.header_table_size <= 4096


def test_a_table_size_that_changes_between_answers_is_followed(server: Live) -> None:
    """RFC 7541 §4.2: the strict reader would not decode a block that goes by a size of before."""
    with Client(server.port) as client:
        for size in (0, 4096, 100, 0, 10_000, 33, 4096) * 3:
            client.change({HEADER_TABLE_SIZE: size})
            for _ in range(3):
                assert asked(client, GET) == 200
            assert client.decoder.header_table_size <= min(size, 4096)


def test_a_malformed_block_is_an_error_of_the_connection(server: Live) -> None:
    """RFC 9113 §4.3: on whatever stream, since nobody knows the table any more."""
    for fragment in (indexed(0), indexed(NEWEST), indexed(1 << 20), b"\x00\x03ab", b"\x00\x81\xff\x01a", b"\x00"):
        with Client(server.port) as client:
            client.expect(1)
            client.send(headers(1, GET + fragment, end=True))
            assert client.goodbye().code == COMPRESSION_ERROR
    with Client(server.port) as client:  # on a stream that was reset
        stream = client.request(method=b"POST", end=False)
        client.drop(stream, rst_stream(stream))
        client.send(headers(stream, indexed(NEWEST), end=True))
        assert client.goodbye().code != NO_ERROR


def test_data_inside_a_header_block_is_an_error_of_the_connection(server: Live) -> None:
    with Client(server.port) as client:
        client.expect(1)
        client.send(headers(1, GET, end_headers=False) + data(1, b"a"))
        assert client.goodbye().code not in (NO_ERROR, ENHANCE_YOUR_CALM, REFUSED_STREAM)
