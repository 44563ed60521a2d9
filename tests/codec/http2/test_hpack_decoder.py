"""Decoding header blocks (RFC 7541 §3, §5, §6): each kind of field, the table's size, and what is refused."""

import pytest
from tests.frames import indexed, integer, literal, string, table_size

from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.tables import STATIC

ROOMY = 1 << 20
KEPT = literal(b"x-kept", b"one", store=True)


def decoded(block: bytes, decoder: HeaderDecoder | None = None) -> list[tuple[bytes, bytes]]:
    """Return the fields of a block that is right."""
    decoder = decoder or HeaderDecoder()
    fields = decoder.decode(block, ROOMY)
    assert fields is not None, decoder.error
    assert decoder.size == sum(len(name) + len(value) + 32 for name, value in fields)
    return fields


def why(block: bytes, decoder: HeaderDecoder | None = None) -> str:
    """Return why a block is refused."""
    decoder = decoder or HeaderDecoder()
    assert decoder.decode(block, ROOMY) is None
    assert decoder.error
    return decoder.error


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(1, 62))
def test_an_index_of_the_static_table_is_its_field(index: int) -> None:
    fields = decoded(indexed(index))
    assert fields == [STATIC[index]]
    assert fields[0] is STATIC[index]


@pytest.mark.parametrize("index", range(1, 62))
@pytest.mark.parametrize(("store", "never"), [(False, False), (True, False), (False, True)])
def test_a_name_may_be_an_index(index: int, store: bool, never: bool) -> None:
    decoder = HeaderDecoder()
    field = (STATIC[index][0], b"value")
    assert decoded(literal(index, b"value", store=store, never=never), decoder) == [field]
    assert decoder.table.entries == ([field] if store else [])


def test_what_was_kept_is_found_by_its_index_the_newest_first() -> None:
    decoder = HeaderDecoder()
    sent = [(b"x-%d" % number, b"%d" % number) for number in range(100)]
    assert decoded(b"".join(literal(*field, store=True) for field in sent), decoder) == sent
    assert decoded(b"".join(indexed(62 + place) for place in range(100)), decoder) == sent[::-1]
    assert decoded(literal(161, b"new"), decoder) == [(b"x-0", b"new")]


def test_an_index_of_one_octet_and_of_two_meet_at_127() -> None:
    decoder = HeaderDecoder()
    decoded(b"".join(literal(b"%d" % number, b"", store=True) for number in range(80)), decoder)
    assert [indexed(index)[:1] for index in (126, 127, 128)] == [b"\xfe", b"\xff", b"\xff"]
    assert decoded(indexed(126) + indexed(127) + indexed(128), decoder) == [(b"15", b""), (b"14", b""), (b"13", b"")]


def test_fields_that_only_point_are_the_tuples_of_the_table() -> None:
    decoder = HeaderDecoder()
    (kept,) = decoded(KEPT, decoder)
    assert all(field is kept for field in decoded(indexed(62) * 5, decoder))


def test_the_order_of_a_block_is_kept_with_what_comes_twice() -> None:
    sent = [(b"b", b"1"), (b"a", b"2"), (b"b", b"1"), (b"a", b"1")]
    assert decoded(b"".join(literal(*field) for field in sent)) == sent


def test_an_empty_block_has_no_fields() -> None:
    assert decoded(b"") == []


def test_empty_names_and_values_are_fields() -> None:
    """Whether a name may be empty is not for the header compression to say."""
    assert decoded(literal(b"", b"", store=True) + indexed(62)) == [(b"", b"")] * 2


def test_an_entry_may_come_twice_in_the_table() -> None:
    """§2.3.2: the dynamic table can have duplicates, which MUST NOT be treated as an error."""
    decoder = HeaderDecoder()
    assert decoded(KEPT + KEPT + indexed(62) + indexed(63), decoder) == [(b"x-kept", b"one")] * 4
    assert len(decoder.table.entries) == 2


# --- the table's size -----------------------------------------------------------------------------


def test_an_entry_counts_32_octets_beside_its_own() -> None:
    """§4.1."""
    decoder = HeaderDecoder()
    decoded(KEPT, decoder)
    assert decoder.table.size == 32 + 6 + 3


def test_the_oldest_leave_where_a_new_one_needs_room() -> None:
    """§4.4."""
    decoder = HeaderDecoder()
    for number in range(200):
        decoded(literal(b"%04d" % number, bytes(92), store=True), decoder)
    assert decoder.table.size == 4096
    assert [name for name, _ in decoder.table.entries] == [b"%04d" % number for number in range(168, 200)]
    assert why(indexed(62 + 32), decoder) == "index of no field"


def test_an_entry_that_fills_the_table_is_kept_alone() -> None:
    decoder = HeaderDecoder()
    decoded(KEPT + literal(b"n", bytes(4096 - 33), store=True), decoder)
    assert (len(decoder.table.entries), decoder.table.size) == (1, 4096)


def test_an_entry_that_is_larger_than_the_table_empties_it() -> None:
    """§4.4: it is no error, and the field is part of the list."""
    decoder = HeaderDecoder()
    assert decoded(KEPT + literal(b"n", bytes(4096 - 32), store=True), decoder)[1] == (b"n", bytes(4096 - 32))
    assert (decoder.table.entries, decoder.table.size) == ([], 0)
    assert decoded(KEPT + indexed(62), decoder) == [(b"x-kept", b"one")] * 2


def test_a_new_entry_may_take_its_name_from_one_that_it_evicts() -> None:
    """§4.4."""
    decoder = HeaderDecoder()
    decoded(table_size(60) + KEPT, decoder)
    assert decoded(literal(62, b"other", store=True), decoder) == [(b"x-kept", b"other")]
    assert decoder.table.entries == [(b"x-kept", b"other")]


def test_a_size_update_evicts() -> None:
    """§4.3: and size 0 clears the table (§4.2)."""
    decoder = HeaderDecoder()
    decoded(KEPT + literal(b"x-two", b"two", store=True), decoder)
    decoded(table_size(45), decoder)
    assert decoder.table.entries == [(b"x-two", b"two")]
    decoded(table_size(0) + table_size(4096), decoder)
    assert (decoder.table.entries, decoder.table.size, decoder.table.max_size) == ([], 0, 4096)


def test_nothing_is_kept_in_a_table_of_no_size() -> None:
    decoder = HeaderDecoder()
    assert decoded(table_size(0) + KEPT, decoder) == [(b"x-kept", b"one")]
    assert decoder.table.entries == []


def test_a_size_update_may_not_go_beyond_what_is_allowed() -> None:
    """§6.3: a larger size MUST be a decoding error."""
    assert decoded(table_size(4096)) == []
    assert why(table_size(4097)) == "table is made larger than allowed"
    assert why(table_size(1), HeaderDecoder(0)) == "table is made larger than allowed"


@pytest.mark.parametrize("before", [indexed(2), literal(b"a", b"b"), KEPT, literal(b"", b"")])
def test_a_size_update_stands_before_all_fields(before: bytes) -> None:
    """§4.2: it MUST occur at the beginning of the block."""
    assert why(before + table_size(100)) == "size update amid the block"


def test_more_than_the_first_size_is_allowed_only_after_an_update() -> None:
    decoder = HeaderDecoder(8192)
    assert decoder.table.max_size == 4096
    decoded(table_size(8192), decoder)
    assert decoder.table.max_size == 8192


def test_after_a_reduction_the_next_block_begins_with_a_size_update() -> None:
    """RFC 9113 §4.3.1."""
    for first in (indexed(2), KEPT, literal(b"a", b"b")):
        decoder = HeaderDecoder()
        decoder.resize(1000)
        assert why(first, decoder) == "no size update after the table was made smaller"
    decoder = HeaderDecoder()
    decoder.resize(1000)
    assert why(table_size(1001), decoder) == "table is made larger than allowed"
    decoder = HeaderDecoder()
    decoder.resize(1000)
    assert decoded(table_size(1000) + indexed(2), decoder) == [STATIC[2]]
    assert decoded(indexed(3), decoder) == [STATIC[3]]


def test_a_reduction_that_asks_for_nothing_new_needs_no_size_update() -> None:
    decoder = HeaderDecoder()
    decoded(table_size(500), decoder)
    decoder.resize(1000)
    assert decoded(indexed(2), decoder) == [STATIC[2]]


# --- what is refused ------------------------------------------------------------------------------


def test_index_0_is_refused() -> None:
    """§6.1: it MUST be a decoding error."""
    assert why(indexed(0)) == "index of no field"


@pytest.mark.parametrize("index", [62, 63, 126, 127, 128, 255, 1 << 20, 1 << 27])
def test_an_index_beyond_both_tables_is_refused(index: int) -> None:
    """§2.3.3: it MUST be a decoding error."""
    assert why(indexed(index)) == "index of no field"
    assert why(literal(index, b"value")) == "index of no field"
    assert why(literal(index, b"value", store=True)) == "index of no field"


@pytest.mark.parametrize("first", [0x7F, 0x0F, 0x1F, 0xFF, 0x3F])
@pytest.mark.parametrize(
    "rest",
    [b"\xff\xff\xff\xff\x01", b"\x80" * 4 + b"\x10", b"\xff" * 20, b"\x80" * 1000 + b"\x00", b"\xff" * 9 + b"\x7f"],
)
def test_integers_beyond_the_limit_are_refused(first: int, rest: bytes) -> None:
    """§5.1: encodings beyond a limit, in value or in length, MUST be decoding errors."""
    assert why(bytes((first,)) + rest) == "malformed integer"


@pytest.mark.parametrize("rest", [b"\xff\xff\xff\xff\x01", b"\x80" * 30 + b"\x00"])
def test_lengths_beyond_the_limit_are_refused(rest: bytes) -> None:
    assert why(b"\x00\x7f" + rest + b"value") == "malformed integer"
    assert why(b"\x00\xff" + rest + b"value") == "malformed integer"
    assert why(b"\x00\x01a\x7f" + rest + b"value") == "malformed integer"


def test_an_integer_may_be_longer_than_it_has_to_be_within_the_limit() -> None:
    assert decoded(b"\x0f\x81\x80\x00" + string(b"gzip")) == [(b"accept-encoding", b"gzip")]


def test_a_block_that_ends_within_a_field_is_refused() -> None:
    for block in (literal(b"x-name", b"x" * 200), literal(16, b"value", store=True), literal(b"", b"")):
        for end in range(1, len(block)):
            assert why(block[:end])
    for end in (1, 2):
        assert why(table_size(4000)[:end]) == "malformed integer"


@pytest.mark.parametrize("length", [6, 127, 128, 16384, (1 << 28) + 126])
def test_a_string_that_is_longer_than_its_block_is_refused(length: int) -> None:
    assert why(b"\x00" + integer(length, 7) + b"value") == "string is longer than its block"
    assert why(b"\x00" + integer(length, 7, 0x80) + b"value") == "string is longer than its block"


@pytest.mark.parametrize("code", [b"\xff", b"\xff\xff\xff\xff", b"\x1f\xff", b"\x00", b"\x18"])
def test_what_is_no_huffman_code_is_refused(code: bytes) -> None:
    """§5.2."""
    for block in (
        b"\x00\x01a" + integer(len(code), 7, 0x80) + code,
        b"\x40" + integer(len(code), 7, 0x80) + code + b"\x00",
    ):
        assert why(block) == "malformed Huffman code"


def test_nothing_that_is_refused_raises() -> None:
    """Every block of two octets, and many of three."""
    for first in range(256):
        for second in range(256):
            HeaderDecoder().decode(bytes((first, second)), ROOMY)
            HeaderDecoder().decode(bytes((first, second, first ^ second)), ROOMY)


# --- the list's size ------------------------------------------------------------------------------


def test_fields_beyond_the_limit_are_dropped_and_counted() -> None:
    decoder = HeaderDecoder()
    block = literal(b"a", b"1") + literal(b"b", b"2") + literal(b"c", b"3")
    for limit, kept in [(0, 0), (33, 0), (34, 1), (67, 1), (68, 2), (101, 2), (102, 3), (1000, 3)]:
        fields = decoder.decode(block, limit)
        assert fields == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")][:kept]
        assert decoder.size == 102


def test_nothing_follows_on_what_was_dropped() -> None:
    """Else a small field behind a large one would be taken for a part of a list that is whole."""
    decoder = HeaderDecoder()
    assert decoder.decode(literal(b"a", bytes(100)) + literal(b"b", b""), 50) == []


def test_a_field_that_is_dropped_is_in_the_table() -> None:
    """RFC 9113 §4.3: or the two sides would not agree any more."""
    decoder = HeaderDecoder()
    assert decoder.decode(KEPT + literal(b"x-two", b"two", store=True), 0) == []
    assert decoded(indexed(62) + indexed(63), decoder) == [(b"x-two", b"two"), (b"x-kept", b"one")]


def test_a_field_that_is_dropped_is_checked() -> None:
    decoder = HeaderDecoder()
    assert decoder.decode(literal(b"a", b"b") + indexed(0), 0) is None


def test_a_bomb_costs_what_was_sent() -> None:
    """One large entry and many octets that point at it: a list of 64 MB of which nothing is made."""
    decoder = HeaderDecoder()
    bomb = literal(b"n", bytes(4000), store=True) + indexed(62) * 16000
    fields = decoder.decode(bomb, 16384)
    assert fields is not None
    assert [len(value) for _, value in fields] == [4000] * 4
    assert len({id(field) for field in fields}) == 1
    assert decoder.size == 16001 * (4000 + 33)


def test_a_table_that_is_filled_and_cleared_over_and_over_ends_right() -> None:
    decoder = HeaderDecoder()
    for number in range(300):
        block = (
            table_size(0) + table_size(4096) + b"".join(literal(b"%d" % each, b"", store=True) for each in range(110))
        )
        assert len(decoded(block + indexed(62), decoder)) == 111, number
    assert decoder.table.size == sum(len(b"%d" % each) + 32 for each in range(110))


def test_room_for_strings_is_not_kept_when_it_is_large() -> None:
    decoder = HeaderDecoder()
    code = b"\x00" * 5000  # 8000 zeros
    assert decoded(b"\x00\x01a" + integer(len(code), 7, 0x80) + code, decoder) == [(b"a", b"0" * 8000)]
    assert len(decoder.space) == 0
    assert decoder.block == b""


# --- blocks that are repeated ---------------------------------------------------------------------


def test_a_block_that_is_repeated_gets_the_same_list() -> None:
    decoder = HeaderDecoder()
    decoded(KEPT, decoder)
    block = indexed(62) + literal(b"a", b"b")
    first = decoded(block, decoder)
    assert decoded(bytes(bytearray(block)), decoder) is first
    assert first == [(b"x-kept", b"one"), (b"a", b"b")]


def test_a_block_is_decoded_anew_where_the_table_has_changed() -> None:
    decoder = HeaderDecoder()
    decoded(KEPT, decoder)
    assert decoded(indexed(62), decoder) == [(b"x-kept", b"one")]
    decoded(literal(b"x-two", b"two", store=True), decoder)
    assert decoded(indexed(62), decoder) == [(b"x-two", b"two")]
    assert decoded(indexed(62), decoder) == [(b"x-two", b"two")]
    decoded(table_size(0) + table_size(4096), decoder)
    assert why(indexed(62), decoder) == "index of no field"


def test_a_block_that_changes_the_table_changes_it_each_time() -> None:
    decoder = HeaderDecoder()
    for _ in range(3):
        decoded(KEPT, decoder)
    assert len(decoder.table.entries) == 3
    for _ in range(2):
        decoded(table_size(0), decoder)
        decoded(table_size(4096), decoder)
    assert decoder.table.max_size == 4096


def test_a_block_is_decoded_anew_with_another_limit() -> None:
    decoder = HeaderDecoder()
    block = literal(b"a", b"1") + literal(b"b", b"2")
    assert decoder.decode(block, 34) == [(b"a", b"1")]
    assert decoder.decode(block, 68) == [(b"a", b"1"), (b"b", b"2")]
    assert decoder.decode(block, 34) == [(b"a", b"1")]


def test_a_block_that_is_repeated_after_a_reduction_is_refused() -> None:
    decoder = HeaderDecoder()
    decoded(indexed(2), decoder)
    decoder.resize(100)
    assert why(indexed(2), decoder) == "no size update after the table was made smaller"


def test_a_block_that_is_refused_is_refused_again() -> None:
    decoder = HeaderDecoder()
    for _ in range(3):
        assert why(indexed(62), decoder) == "index of no field"
