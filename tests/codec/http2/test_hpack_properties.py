"""What holds for all header blocks: both ends agree, with ourselves and with the `hpack` package."""

import random

import hpack
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.frames import indexed, integer, literal, table_size

from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.encoder import HeaderEncoder

Fields = list[tuple[bytes, bytes]]

ROOMY = 1 << 30
SLOW = settings(max_examples=60, deadline=None)

NAMES = st.sampled_from(
    b"content-type content-length date server set-cookie etag x-a x-b x-c accept accept-encoding :path vary".split()
) | st.binary(min_size=1, max_size=30)
VALUES = (
    st.sampled_from([b"", b"1", b"text/html; charset=utf-8", b"gzip, deflate", b"x" * 130, b"{" * 700, b"a" * 4100])
    | st.binary(max_size=80)
    | st.text(alphabet="abc123/=&%", max_size=60).map(str.encode)
)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
SIZES = st.sampled_from([0, 1, 33, 60, 100, 300, 1000, 4096, 4097, 65536])
STATUSES = st.sampled_from([200, 204, 304, 404, 500, 201, 302, 503])
RESPONSES = st.lists(st.tuples(st.lists(SIZES, max_size=3), STATUSES, LISTS, st.booleans()), max_size=12)
OFFERS = st.tuples(st.none() | st.sampled_from([0, 33, 100, 1000, 4096]), LISTS, st.booleans(), st.booleans())


def plain(fields: object) -> Fields:
    """Return fields as pairs of bytes."""
    return [(bytes(name), bytes(value)) for name, value in fields]  # type: ignore[attr-defined]


@SLOW
@given(RESPONSES)
def test_what_is_encoded_is_what_hpack_and_we_decode(responses: list[tuple[list[int], int, Fields, bool]]) -> None:
    encoder, ours, theirs = HeaderEncoder(), HeaderDecoder(), hpack.Decoder(max_header_list_size=ROOMY)
    for sizes, status, fields, twice in responses:
        for size in sizes:
            encoder.resize(size)
            ours.resize(min(size, 4096))
            theirs.max_allowed_table_size = max(size, 4096) if size == sizes[-1] else 4096
        for _ in range(1 + twice):
            block = encoder.encode(status, fields)
            expected = [(b":status", b"%d" % status), *fields]
            assert ours.decode(block, ROOMY) == expected, ours.error
            assert plain(theirs.decode(block, raw=True)) == expected
        trailers = encoder.encode_fields(fields)
        assert ours.decode(trailers, ROOMY) == fields
        assert plain(theirs.decode(trailers, raw=True)) == fields
        assert ours.table.entries == encoder.table.entries
        assert ours.table.size == encoder.table.size <= encoder.table.max_size
        assert len(encoder.table.numbers) == len(encoder.table.entries) == len(theirs.header_table.dynamic_entries)


@SLOW
@given(
    st.lists(
        st.tuples(st.none() | SIZES.filter(lambda size: size <= 4096), LISTS, st.booleans(), st.booleans()), max_size=12
    )
)
def test_what_hpack_encodes_is_what_we_decode(lists: list[tuple[int | None, Fields, bool, bool]]) -> None:
    theirs, ours = hpack.Encoder(), HeaderDecoder()
    for size, fields, huffman, never in lists:
        if size is not None:
            theirs.header_table_size = size
        sent = [hpack.NeverIndexedHeaderTuple(*field) if never else field for field in fields]
        for _ in range(2):
            assert ours.decode(theirs.encode(sent, huffman=huffman), ROOMY) == fields, ours.error
        assert ours.size == sum(len(name) + len(value) + 32 for name, value in fields)
        assert ours.table.entries == plain(theirs.header_table.dynamic_entries)[::-1]


SHORT = st.binary(max_size=8)
PIECES = st.one_of(
    st.builds(indexed, st.integers(0, 70)),
    st.builds(literal, st.integers(1, 64) | SHORT, SHORT, store=st.booleans()),
    st.builds(literal, SHORT, SHORT, never=st.booleans()),
    st.builds(table_size, SIZES),
    st.builds(
        lambda name, code: b"\x40" + integer(len(name), 7) + name + integer(len(code), 7, 0x80) + code, SHORT, SHORT
    ),
    SHORT,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), max_size=4))
def test_any_blocks_are_decoded_or_refused_as_hpack_does(blocks: list[bytes]) -> None:
    """What we refuse is refused by the other, or is one of the few things that it lets through."""
    ours, theirs = HeaderDecoder(), hpack.Decoder(max_header_list_size=ROOMY)
    theirs.max_allowed_table_size = 4096
    for block in blocks:
        fields = ours.decode(block, ROOMY)
        try:
            expected = plain(theirs.decode(block, raw=True))
        except hpack.HPACKError:
            assert fields is None
            return
        if fields is None:
            assert ours.error in ("malformed integer", "size update amid the block"), ours.error
            return
        assert fields == expected
        assert ours.table.entries == plain(theirs.header_table.dynamic_entries)[::-1]
        assert ours.table.size == theirs.header_table._current_size


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 300))
def test_any_bytes_are_fields_or_an_error(block: bytes, limit: int) -> None:
    decoder, whole = HeaderDecoder(), HeaderDecoder()
    fields, all_fields = decoder.decode(block, limit), whole.decode(block, ROOMY)
    assert (fields is None) == (all_fields is None) == bool(decoder.error)
    if fields is not None and all_fields is not None:
        assert fields == all_fields[: len(fields)]
        assert decoder.size == whole.size
        assert (decoder.size <= limit) == (fields == all_fields)
        assert decoder.table.entries == whole.table.entries


def test_long_connections_stay_in_step() -> None:
    """Thousands of blocks, with names and values that come again now and then, and sizes that change."""
    chance = random.Random(7541)
    encoder, ours, theirs = HeaderEncoder(), HeaderDecoder(), hpack.Decoder(max_header_list_size=ROOMY)
    names = [b"x-%d" % number for number in range(12)] + [b"date", b"etag", b"set-cookie", b"content-length"]
    for _ in range(3000):
        if chance.random() < 0.02:
            encoder.resize(chance.choice([0, 200, 1000, 4096]))
        fields = [
            (chance.choice(names), b"%d" % chance.randrange(40) * chance.choice([1, 5, 60]))
            for _ in range(chance.randrange(8))
        ]
        for _ in range(chance.choice([1, 1, 3])):
            block = encoder.encode(200, fields)
            assert ours.decode(block, ROOMY) == [(b":status", b"200"), *fields]
            assert plain(theirs.decode(block, raw=True))[1:] == fields
        assert ours.table.entries == encoder.table.entries
