"""RFC 7541, HPACK: what both ends must do for their tables to stay the same, over a real connection.

The `hpack` package reads what the server writes. Appendix C is in tests/codec/http2, with what needs no connection.
"""

import pytest
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable
from tests.frames import (
    COMPRESSION_ERROR,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    block,
    continuation,
    data,
    frame,
    headers,
    indexed,
    integer,
    literal,
    request,
    string,
    table_size,
)
from tests.http2 import Client
from tests.peer import Peer, refused, seen

Fields = list[tuple[bytes, bytes]]
STATIC = HeaderTable.STATIC_TABLE
STEERING = {b"content-length", b"cookie", b"expect", b"host", b"transfer-encoding"}
EOS = 256
KEPT = (b"x-kept", b"one")
KEEPING = literal(*KEPT, store=True)


def start(peer: Peer) -> bytes:
    """Return the block of a whole request, which touches no table, for more fields to follow."""
    return block(request(scheme=peer.scheme))


def ask(peer: Peer, client: Client, fields: bytes, *, updates: bytes = b"") -> Fields:
    """Send a request with these fields, encoded, and return the fields with an `x-` that the application saw."""
    stream = client.open()
    client.send(headers(stream, updates + start(peer) + fields, end=True))
    return [field for field in seen(client.response(stream))["headers"] if field[0].startswith(b"x-")]


def ends(peer: Peer, fields: bytes, *, updates: bytes = b"") -> None:
    """Check that a block with these fields behind a request is a decoding error (§2.3.3; RFC 9113 §4.3)."""
    refused(peer, headers(1, updates + start(peer) + fields, end=True), COMPRESSION_ERROR)


def answers(client: Client) -> list[bytes]:
    """Return the header blocks that came, each in one frame here."""
    return [each.payload for each in client.frames if each.kind == HEADERS]


def coded(*symbols: int, padding: str = "") -> bytes:
    """Return a string in Huffman's code, with this padding."""
    bits = "".join(f"{REQUEST_CODES[symbol]:0{REQUEST_CODES_LENGTH[symbol]}b}" for symbol in symbols) + padding
    assert len(bits) % 8 == 0
    code = int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]
    return integer(len(code), 7, 0x80) + code


# --- 2. Overview ----------------------------------------------------------------------------------


def test_the_order_of_fields_is_kept(peer: Peer) -> None:
    """§2.1, §3.2: the list has the fields in the order of the block, and those that come twice."""
    with peer.client() as client:
        sent = [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"1"), (b"x-a", b"1")]
        assert ask(peer, client, block(sent)) == sent


def test_the_table_lasts_as_long_as_the_connection(peer: Peer) -> None:
    """§2.2: a decoding context is that of one connection, and one direction."""
    with peer.client() as client:
        assert ask(peer, client, KEEPING) == [KEPT]
        for _ in range(3):
            assert ask(peer, client, indexed(62)) == [KEPT]
    ends(peer, indexed(62))


def test_the_tables_of_both_directions_are_apart(peer: Peer) -> None:
    """§2.2: what the server has sent is not in the table of what it receives."""
    with peer.client() as client:
        assert client.answer_of().status == 200
        assert client.decoder.header_table.dynamic_entries
        client.send(headers(client.open(), start(peer) + indexed(62), end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


@pytest.mark.parametrize("index", [index for index in range(15, 62) if STATIC[index - 1][0] not in STEERING])
def test_the_static_table_is_that_of_appendix_a(peer: Peer, index: int) -> None:
    """§2.3.1: as the `hpack` package knows it; names that steer the message itself are left out here."""
    name, value = STATIC[index - 1]
    with peer.client() as client:
        stream = client.open()
        client.send(headers(stream, start(peer) + indexed(index) + literal(index, b"value"), end=True))
        found = [field for field in seen(client.response(stream))["headers"] if field[0] == name]
        assert found == [(name, value), (name, b"value")]


def test_the_newest_entry_has_the_lowest_index(peer: Peer) -> None:
    """§2.3.2, §2.3.3: the dynamic table is first in, first out, behind the 61 of the static one."""
    with peer.client() as client:
        sent = [(b"x-%d" % number, b"%d" % number) for number in range(70)]
        assert ask(peer, client, b"".join(literal(*field, store=True) for field in sent)) == sent
        places = b"".join(indexed(62 + place) for place in range(70))
        assert ask(peer, client, places) == sent[::-1]


def test_an_entry_may_be_there_twice(peer: Peer) -> None:
    """§2.3.2: duplicates MUST NOT be treated as an error."""
    with peer.client() as client:
        assert ask(peer, client, KEEPING * 3) == [KEPT] * 3
        assert ask(peer, client, indexed(62) + indexed(63) + indexed(64)) == [KEPT] * 3


@pytest.mark.parametrize("index", [62, 63, 127, 128, 1000, 1 << 20, 1 << 27])
@pytest.mark.parametrize("form", ["indexed", "name", "kept name", "never"])
def test_an_index_beyond_both_tables_is_an_error(peer: Peer, index: int, form: str) -> None:
    """§2.3.3: it MUST be treated as a decoding error."""
    if form == "indexed":
        ends(peer, indexed(index))
    else:
        ends(peer, literal(index, b"value", store=form == "kept name", never=form == "never"))


def test_an_index_beyond_what_the_table_holds_now_is_an_error(peer: Peer) -> None:
    """§2.3.3: its length changes with each entry."""
    ends(peer, KEEPING + indexed(63))
    ends(peer, KEEPING + literal(63, b"value"))


# --- 3. Decoding ----------------------------------------------------------------------------------


def test_a_field_that_is_kept_can_be_used_in_its_own_block(peer: Peer) -> None:
    """§3.2: blocks are processed one representation after the other."""
    with peer.client() as client:
        sent = KEEPING + indexed(62) + literal(62, b"two", store=True) + indexed(62) + indexed(63)
        two = (b"x-kept", b"two")
        assert ask(peer, client, sent) == [KEPT, KEPT, two, two, KEPT]


@pytest.mark.parametrize("cut", [1, 3, 30, 47])
def test_a_block_may_be_cut_anywhere_between_frames(peer: Peer, cut: int) -> None:
    """§3: a block is decoded as a whole (RFC 9113 §4.3)."""
    with peer.client() as client:
        whole = start(peer) + KEEPING + literal(b"x-coded", b"", store=True)[:-1] + coded(*b"0" * 8)
        stream = client.open()
        sent = headers(stream, whole[:cut], end=True, end_headers=False) + continuation(stream, whole[cut:])
        client.send(sent)
        assert (b"x-coded", b"0" * 8) in seen(client.response(stream))["headers"]
        assert ask(peer, client, indexed(63)) == [KEPT]


@pytest.mark.parametrize("path", [b"/", b"/missing\x00", b"relative"])
def test_the_block_of_a_request_that_is_refused_counts(peer: Peer, path: bytes) -> None:
    """§2.2, RFC 9113 §4.3: every block is decoded, or both tables would not be the same."""
    with peer.client() as client:
        stream = client.open()
        refusal = b"" if path != b"/" else literal(b"Upper", b"case")
        client.send(headers(stream, block(request(path, scheme=peer.scheme)) + KEEPING + refusal, end=True))
        client.reset_of(stream)
        assert ask(peer, client, indexed(62)) == [KEPT]


def test_the_block_of_trailers_counts(peer: Peer) -> None:
    """§2.2: trailers share the table with what came before."""
    with peer.client() as client:
        stream = client.open(b"POST")
        client.send(headers(stream, block(request(method=b"POST", scheme=peer.scheme))))
        client.send(data(stream, b"body") + headers(stream, KEEPING, end=True))
        assert seen(client.response(stream))["body"] == b"body"
        assert ask(peer, client, indexed(62)) == [KEPT]


# --- 4. The table's size --------------------------------------------------------------------------


def test_an_entry_counts_32_octets_beside_its_own(peer: Peer) -> None:
    """§4.1: of this size exactly 64 entries are in a table of 4096 octets."""
    with peer.client() as client:
        sent = [(b"x-%04d" % number, bytes(26).replace(b"\0", b"v")) for number in range(65)]
        assert ask(peer, client, b"".join(literal(*field, store=True) for field in sent)) == sent
        assert ask(peer, client, indexed(62 + 63)) == [sent[1]]
        client.send(headers(client.open(), start(peer) + indexed(62 + 64), end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


@pytest.mark.parametrize("before", [indexed(16), literal(b"x-a", b"b"), KEEPING], ids=["indexed", "literal", "kept"])
def test_a_size_update_stands_at_the_beginning(peer: Peer, before: bytes) -> None:
    """§4.2: it MUST occur at the beginning of the block, before all fields."""
    ends(peer, before + table_size(100))
    refused(peer, headers(1, before + table_size(0) + start(peer), end=True), COMPRESSION_ERROR)


def test_two_size_updates_may_stand_there(peer: Peer) -> None:
    """§4.2: the smallest and the final size; 0 clears the table."""
    with peer.client() as client:
        assert ask(peer, client, KEEPING) == [KEPT]
        assert ask(peer, client, indexed(62)) == [KEPT]
        assert ask(peer, client, KEEPING, updates=table_size(0) + table_size(4096)) == [KEPT]
        client.send(headers(client.open(), start(peer) + indexed(63), end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


def test_a_reduction_evicts_the_oldest(peer: Peer) -> None:
    """§4.3: entries MUST be evicted until the table is no larger than its new size."""
    with peer.client() as client:
        two = (b"x-kept", b"two")
        assert ask(peer, client, KEEPING + literal(*two, store=True)) == [KEPT, two]
        assert ask(peer, client, indexed(62), updates=table_size(41)) == [two]
        client.send(headers(client.open(), start(peer) + indexed(63), end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


def test_an_entry_larger_than_the_table_empties_it(peer: Peer) -> None:
    """§4.4: it is not an error, and the field counts."""
    with peer.client() as client:
        large = (b"x-large", b"v" * 4100)
        assert ask(peer, client, KEEPING + literal(*large, store=True)) == [KEPT, large]
        assert ask(peer, client, KEEPING + indexed(62)) == [KEPT, KEPT]
        assert ask(peer, client, literal(*large, store=True)) == [large]
        client.send(headers(client.open(), start(peer) + indexed(62), end=True))
        assert client.goodbye().code == COMPRESSION_ERROR


def test_a_new_entry_may_have_the_name_of_one_that_it_evicts(peer: Peer) -> None:
    """§4.4: the name MUST NOT be lost before the new entry has it."""
    with peer.client() as client:
        assert ask(peer, client, KEEPING, updates=table_size(45)) == [KEPT]
        two = (b"x-kept", b"two")
        assert ask(peer, client, literal(62, b"two", store=True)) == [two]
        assert ask(peer, client, indexed(62)) == [two]


def test_ours_is_no_larger_than_the_client_allows(peer: Peer) -> None:
    """§4.2, §6.3: an encoder MUST NOT use more than the limit, and tells of a change at the beginning of a block."""
    with peer.client() as client:
        for _ in range(2):
            assert client.answer_of().status == 200
        client.change({HEADER_TABLE_SIZE: 100})
        client.until_true(lambda: not client.pending)
        before = len(answers(client))
        for _ in range(3):
            assert client.answer_of().status == 200
        first, *later = answers(client)[before:]
        assert first.startswith(table_size(100))
        assert not any(each[0] & 0xE0 == 0x20 for each in later)


def test_we_tell_the_smallest_size_and_the_final_one(peer: Peer) -> None:
    """§4.2: of several changes the smallest MUST be signalled, and the final one always: at most two updates."""
    with peer.client() as client:
        for _ in range(2):
            assert client.answer_of().status == 200
        changes = [1000, 0, 3000, 200]
        for size in changes:
            client.change({HEADER_TABLE_SIZE: size})
        client.until_true(lambda: not client.pending)
        before = len(answers(client))
        for _ in range(3):
            assert client.answer_of().status == 200
        first, second, third = answers(client)[before:]
        assert first.startswith(table_size(0) + table_size(200) + b"\x88")
        assert second[0] == third[0] == 0x88


def test_we_keep_nothing_where_the_client_holds_nothing(peer: Peer) -> None:
    """§4.2: a size of 0."""
    with peer.client({HEADER_TABLE_SIZE: 0}) as client:
        for _ in range(3):
            assert client.answer_of().status == 200
        first, second, third = answers(client)
        assert first == table_size(0) + second
        assert second == third
        assert not client.decoder.header_table.dynamic_entries


def test_a_client_that_would_hold_more_gets_no_more(peer: Peer) -> None:
    """§4.2: an encoder can choose to use less than it may; that needs no update."""
    with peer.client({HEADER_TABLE_SIZE: (1 << 32) - 1}) as client:
        for _ in range(2):
            assert client.answer_of().status == 200
        assert [each[0] for each in answers(client)] == [0x88, 0x88]
        assert client.decoder.header_table.maxsize == 4096


# --- 5. Primitive types ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        b"\xff" + b"\xff" * 4 + b"\x0f",
        b"\xff" + b"\x80" * 20 + b"\x00",
        b"\x7f" + b"\xff" * 9 + b"\x01" + string(b"value"),
        b"\x0f" + b"\xff" * 30 + string(b"value"),
        b"\x00" + b"\x7f" + b"\xff" * 8 + b"\x7f" + b"x",
        b"\x00\x03x-a" + b"\xff" + b"\xff" * 8 + b"\x7f" + b"x",
        b"\x00\x03x-a" + b"\x7f" + b"\x80" * 12 + b"\x00",
    ],
    ids=["index", "padded index", "kept name", "name", "length of a name", "length of a value", "padded length"],
)
def test_integers_beyond_a_limit_are_errors(peer: Peer, field: bytes) -> None:
    """§5.1: encodings that exceed limits, in value or in octets, MUST be treated as decoding errors."""
    ends(peer, field)


def test_a_table_size_beyond_a_limit_is_an_error(peer: Peer) -> None:
    """§5.1."""
    ends(peer, b"", updates=b"\x3f" + b"\xff" * 9 + b"\x01")
    ends(peer, b"", updates=b"\x3f" + b"\x80" * 9)


@pytest.mark.parametrize("field", [b"\xff", b"\xff\x80", b"\x7f\xff", b"\x0f", b"\x1f\x80\x80"])
def test_an_integer_that_the_block_cuts_short_is_an_error(peer: Peer, field: bytes) -> None:
    """§5.1."""
    ends(peer, field)


@pytest.mark.parametrize(
    "field",
    [
        b"\x00",
        b"\x40",
        b"\x00\x05x-a",
        b"\x00\x03x-a",
        b"\x00\x03x-a\x05one",
        b"\x50\x05one",
        b"\x00\x03x-a" + integer(1 << 24, 7) + b"one",
        b"\x00\x83x-",
    ],
)
def test_a_string_that_the_block_cuts_short_is_an_error(peer: Peer, field: bytes) -> None:
    """§5.2, §6.2."""
    ends(peer, field)


def test_strings_may_be_huffman_coded(peer: Peer) -> None:
    """§5.2: names and values, in all kinds of literals."""
    name, value = coded(*b"x-coded"), coded(*b"00000000")
    with peer.client() as client:
        for first in (b"\x00", b"\x10", b"\x40"):
            assert ask(peer, client, first + name + value) == [(b"x-coded", b"00000000")]
        assert ask(peer, client, indexed(62)) == [(b"x-coded", b"00000000")]


@pytest.mark.parametrize("padding", ["1" * size for size in (8, 16, 24)])
def test_padding_longer_than_seven_bits_is_an_error(peer: Peer, padding: str) -> None:
    """§5.2: padding strictly longer than 7 bits MUST be treated as a decoding error."""
    ends(peer, b"\x00\x03x-a" + coded(*b"00000000", padding=padding))
    ends(peer, b"\x00\x03x-a" + coded(padding=padding))


@pytest.mark.parametrize("padding", ["000", "011", "101", "110"])
def test_padding_that_is_not_of_eos_is_an_error(peer: Peer, padding: str) -> None:
    """§5.2: padding not of the most significant bits of EOS MUST be treated as a decoding error."""
    ends(peer, b"\x00\x03x-a" + coded(*b"0", padding=padding))


def test_padding_of_ones_is_taken(peer: Peer) -> None:
    """§5.2."""
    with peer.client() as client:
        for size in range(8):
            digits = b"0" * next(count for count in range(1, 9) if (5 * count + size) % 8 == 0)
            assert ask(peer, client, b"\x00\x03x-a" + coded(*digits, padding="1" * size)) == [(b"x-a", digits)]


@pytest.mark.parametrize("symbols", [(EOS,), (48, 48, EOS), (EOS, 48, 48), (48, EOS, 48)])
def test_eos_within_a_string_is_an_error(peer: Peer, symbols: tuple[int, ...]) -> None:
    """§5.2: a string with the EOS symbol MUST be treated as a decoding error."""
    size = sum(REQUEST_CODES_LENGTH[symbol] for symbol in symbols)
    code = coded(*symbols, padding="1" * (-size % 8))
    ends(peer, b"\x00\x03x-a" + code)
    ends(peer, b"\x00" + code + string(b"value"))


# --- 6. Binary format -----------------------------------------------------------------------------


def test_index_0_is_an_error(peer: Peer) -> None:
    """§6.1: it MUST be treated as a decoding error."""
    ends(peer, indexed(0))


def test_a_field_without_indexing_leaves_the_table_alone(peer: Peer) -> None:
    """§6.2.2: nor does one that is never indexed (§6.2.3)."""
    for never in (False, True):
        with peer.client() as client:
            assert ask(peer, client, literal(*KEPT, never=never)) == [KEPT]
            client.send(headers(client.open(), start(peer) + indexed(62), end=True))
            assert client.goodbye().code == COMPRESSION_ERROR


@pytest.mark.parametrize("size", [4097, 8192, 65536, 1 << 24])
def test_a_size_beyond_what_we_allow_is_an_error(peer: Peer, size: int) -> None:
    """§6.3: the new size MUST be no more than the limit, and a larger one MUST be treated as a decoding error."""
    ends(peer, b"", updates=table_size(size))


def test_any_size_within_what_we_allow_is_taken(peer: Peer) -> None:
    """§6.3."""
    with peer.client() as client:
        for size in (4096, 4095, 0, 1, 4096):
            assert ask(peer, client, KEEPING, updates=table_size(size)) == [KEPT]


def test_what_the_client_has_of_its_own_table_does_not_bind_ours(peer: Peer) -> None:
    """§4.2: its SETTINGS_HEADER_TABLE_SIZE is about our blocks, not about its own."""
    with peer.client({HEADER_TABLE_SIZE: 0, INITIAL_WINDOW_SIZE: 65535}) as client:
        assert ask(peer, client, KEEPING) == [KEPT]
        assert ask(peer, client, indexed(62)) == [KEPT]
        assert ask(peer, client, b"", updates=table_size(4096)) == []


# --- 7. Security ----------------------------------------------------------------------------------


def test_what_we_send_again_costs_an_octet_a_field(peer: Peer) -> None:
    """§6.1: that is what the table is for."""
    with peer.client() as client:
        sizes = []
        for _ in range(5):
            response = client.answer_of(b"/bytes/100")
            sizes.append(len(answers(client)[-1]) - len(response.headers))
        assert max(sizes) == sizes[0]
        assert min(sizes[1:]) <= 10  # a status, and a content-length; a date that has just changed comes now and then


def test_a_list_that_grows_far_beyond_its_block_is_refused(peer: Peer) -> None:
    """§7.3: memory is bounded by what the list may be, whatever a few octets point at."""
    with peer.client() as client:
        large = literal(b"x-large", b"v" * 4000, store=True)
        stream = client.open()
        client.send(headers(stream, start(peer) + large + indexed(62) * 10000, end=True))
        assert client.response(stream).status == 431
        assert ask(peer, client, KEEPING) == [KEPT]


def test_an_error_ends_the_connection_and_nothing_else(peer: Peer) -> None:
    """RFC 9113 §4.3: a decoding error MUST be an error of the connection, COMPRESSION_ERROR."""
    with peer.client() as other:
        assert other.answer_of().status == 200
        ends(peer, indexed(0))
        refused(peer, frame(HEADERS, 0x5, 1, b"\xff\xff\xff\xff\xff\xff\xff"), COMPRESSION_ERROR)
        assert other.answer_of().status == 200
