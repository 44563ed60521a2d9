"""Encoding header blocks (RFC 7541 §6), read back by the `hpack` package."""

import hpack
import pytest
from tests.frames import indexed, string

from portico.codec.http2.encoder import HeaderEncoder
from portico.codec.http2.tables import STATIC

Fields = list[tuple[bytes, bytes]]

PLAIN: Fields = [(b"content-type", b"text/plain"), (b"server", b"portico"), (b"x-own", b"value")]


class Pair:
    """An encoder and who reads its blocks."""

    def __init__(self, size: int = 4096) -> None:
        self.encoder = HeaderEncoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        if size != 4096:
            self.resize(size)

    def resize(self, size: int) -> None:
        """Let the reader hold no more than this."""
        self.encoder.resize(size)
        self.decoder.max_allowed_table_size = size

    def read(self, block: bytes) -> Fields:
        """Return what the reader reads."""
        return [(bytes(name), bytes(value)) for name, value in self.decoder.decode(block, raw=True)]

    def send(self, fields: Fields, status: int = 200) -> bytes:
        """Encode a response, which has to be read as it is; return the block."""
        block = self.encoder.encode(status, fields)
        assert self.read(block) == [(b":status", b"%d" % status), *fields]
        ours, theirs = self.encoder.table, self.decoder.header_table
        assert [(bytes(name), bytes(value)) for name, value in theirs.dynamic_entries] == ours.entries[::-1]
        assert theirs._current_size == ours.size <= ours.max_size
        return block


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(8, 15))
def test_a_status_of_the_static_table_is_one_octet(index: int) -> None:
    assert Pair().send([], int(STATIC[index][1])) == bytes((0x80 | index,))


@pytest.mark.parametrize("status", [100, 103, 201, 301, 302, 401, 403, 429, 503, 999])
def test_another_status_is_written_out_once(status: int) -> None:
    pair = Pair()
    assert pair.send([], status) == b"\x48" + string_of(b"%d" % status)
    assert pair.send([], status) == indexed(62)


def string_of(value: bytes) -> bytes:
    """Return a string in whichever of its two forms is shorter."""
    code = hpack.Encoder().huffman_coder.encode(value)
    return bytes((0x80 | len(code),)) + code if len(code) < len(value) else string(value)


def test_what_comes_again_is_one_octet_a_field() -> None:
    pair = Pair()
    first = pair.send(PLAIN)
    assert first == b"\x88\x5f" + string_of(b"text/plain") + b"\x76" + string_of(b"portico") + b"\x40" + string_of(
        b"x-own"
    ) + string_of(b"value")
    for _ in range(3):
        assert pair.send(PLAIN) == b"\x88" + indexed(64) + indexed(63) + indexed(62)


def test_it_is_found_again_in_another_list_of_other_tuples() -> None:
    pair = Pair()
    pair.send(PLAIN)
    again = [(bytes(bytearray(name)), bytes(bytearray(value))) for name, value in PLAIN[::-1]]
    assert pair.send(again, 404) == b"\x8d" + indexed(62) + indexed(63) + indexed(64)


def test_a_new_value_of_a_name_that_was_kept_points_at_the_name() -> None:
    pair = Pair()
    pair.send([(b"x-own", b"one")])
    assert pair.send([(b"x-own", b"two")]) == b"\x88\x7e" + string_of(b"two")
    assert pair.send([(b"x-own", b"one"), (b"x-own", b"two")]) == b"\x88" + indexed(63) + indexed(62)


def test_many_values_of_a_name_are_each_found() -> None:
    pair = Pair()
    sent = [(b"vary", b"value-%d" % number) for number in range(20)]
    pair.send(sent)
    assert pair.send(sent[::-1]) == b"\x88" + b"".join(indexed(62 + place) for place in range(20))


@pytest.mark.parametrize(
    "name", [b"content-length", b"etag", b"location", b"last-modified", b"content-range", b"age", b"x-request-id"]
)
def test_what_changes_each_time_is_not_kept(name: bytes) -> None:
    """§6.2.2."""
    pair = Pair()
    block = pair.send([(name, b"12345")])
    assert block[1] & 0xF0 == 0
    assert pair.encoder.table.entries == []
    assert pair.send([(name, b"12345")]) == block


@pytest.mark.parametrize("name", [b"set-cookie", b"authorization", b"proxy-authorization", b"cookie"])
def test_credentials_are_never_kept(name: bytes) -> None:
    """§7.1.3: with the form that no intermediary may turn into another one (§6.2.3)."""
    pair = Pair()
    block = pair.send([(name, b"secret")])
    assert block[1] & 0xF0 == 0x10
    assert pair.encoder.table.entries == []
    assert pair.send([(name, b"secret")]) == block


def test_a_string_is_huffman_coded_where_that_is_shorter() -> None:
    pair = Pair()
    assert b"portico" not in pair.send([(b"server", b"portico")])
    assert b"\x02{}" in pair.send([(b"etag", b"{}")])
    assert b"\x0213" in pair.send([(b"content-length", b"13")])


@pytest.mark.parametrize("length", [0, 1, 63, 64, 126, 127, 128, 254, 255, 300, 511, 512, 600, 3000, 20000, 100000])
@pytest.mark.parametrize("octet", [b"a", b"{", b"\xff"])
def test_strings_of_any_length_are_written(length: int, octet: bytes) -> None:
    pair = Pair()
    for name in (b"x-kept", b"etag", b"set-cookie", b"n" * max(1, length)):
        pair.send([(name, octet * length), (b"x-after", b"1")])
        pair.send([(name, octet * length), (b"x-after", b"1")])


def test_many_fields_are_written() -> None:
    pair = Pair()
    sent = [(b"x-%d" % number, b"%d" % number) for number in range(5000)]
    pair.send(sent)
    pair.send(sent)
    pair.send([(b"a", b"b")] * 5000)
    assert len(pair.encoder.space) < 5000


def test_fields_of_every_octet_are_written() -> None:
    """What may be in a field is for others to say."""
    pair = Pair()
    for number in range(256):
        pair.send([(b"x%c" % number, bytes((number,)) * 3)])


def test_trailers_and_early_hints_share_the_table() -> None:
    pair = Pair()
    assert pair.send([(b"link", b"</a.css>; rel=preload")], 103)[0] == 0x48
    pair.send(PLAIN)
    trailers = [(b"x-own", b"value"), (b"x-sum", b"1")]
    assert pair.read(pair.encoder.encode_fields(trailers)) == trailers
    block = pair.encoder.encode_fields(trailers)
    assert block == indexed(63) + indexed(62)
    assert pair.read(block) == trailers
    assert pair.encoder.encode_fields([]) == b""
    pair.send(PLAIN)


# --- the table's size -----------------------------------------------------------------------------


def test_the_table_is_ours_at_most() -> None:
    """§4.2: a peer that would hold more is not taken at its word, and needs no update."""
    pair = Pair()
    pair.resize(1 << 20)
    assert pair.encoder.table.max_size == 4096
    assert pair.send([]) == b"\x88"


def test_a_reduction_is_told_at_the_start_of_the_next_block() -> None:
    """§4.2: it MUST occur at the beginning of the first block following the change."""
    pair = Pair()
    pair.send(PLAIN)
    pair.resize(100)
    block = pair.send(PLAIN)
    assert block.startswith(b"\x3f\x45\x88")
    assert pair.send([]) == b"\x88"


def test_of_several_changes_the_least_and_the_last_are_told() -> None:
    """§4.2: the smallest size MUST be signalled, and the final one: at most two updates."""
    pair = Pair()
    pair.send(PLAIN)
    for size in (2000, 0, 3000, 30, 1000):
        pair.resize(size)
    assert pair.send(PLAIN).startswith(b"\x20\x3f\xc9\x07\x88")
    assert pair.send(PLAIN) == b"\x88" + indexed(64) + indexed(63) + indexed(62)


def test_a_reduction_that_is_taken_back_clears_the_table_all_the_same() -> None:
    """§4.2: a table that was made small in between has lost its entries."""
    pair = Pair()
    pair.send(PLAIN)
    pair.resize(0)
    pair.resize(4096)
    assert pair.send(PLAIN).startswith(b"\x20\x3f\xe1\x1f\x88")


def test_a_change_is_told_before_trailers_too() -> None:
    pair = Pair()
    pair.send(PLAIN)
    pair.resize(0)
    trailers = [(b"x-own", b"value")]
    block = pair.encoder.encode_fields(trailers)
    assert block[:1] == b"\x20"
    assert pair.read(block) == trailers


def test_nothing_is_kept_for_a_peer_that_holds_nothing() -> None:
    pair = Pair(0)
    assert pair.send(PLAIN)[0] == 0x20
    block = pair.send(PLAIN)
    assert pair.send(PLAIN) == block
    assert pair.encoder.table.entries == []


def test_the_oldest_leave_and_are_written_out_again() -> None:
    pair = Pair(200)
    for number in range(50):
        pair.send([(b"x-%d" % (number % 7), b"value"), (b"vary", b"%d" % (number % 3))])


def test_what_would_push_out_nearly_everything_is_not_kept() -> None:
    pair = Pair()
    pair.send(PLAIN)
    pair.send([(b"content-security-policy", b"x" * 3500)])
    assert pair.send(PLAIN) == b"\x88" + indexed(64) + indexed(63) + indexed(62)


def test_an_index_of_two_octets_is_written() -> None:
    pair = Pair()
    sent = [(b"%02d" % number, b"") for number in range(100)]
    pair.send(sent)
    assert pair.send(sent[:1]) == b"\x88" + indexed(161)
    assert pair.send(sent[34:36]) == b"\x88" + indexed(127) + indexed(126)


# --- responses that are repeated ------------------------------------------------------------------


def test_a_response_that_is_repeated_is_the_same_block() -> None:
    pair = Pair()
    pair.send(PLAIN)
    block = pair.send(PLAIN)
    assert pair.send([(bytes(bytearray(name)), value) for name, value in PLAIN]) is block


def test_a_list_that_was_changed_is_another_response() -> None:
    pair = Pair()
    fields = PLAIN[:]
    for _ in range(3):
        pair.send(fields)
    fields.append((b"etag", b"1"))
    pair.send(fields)
    fields[-1] = (b"etag", b"2")
    pair.send(fields)
    fields.clear()
    assert pair.send(fields) == b"\x88"


def test_a_block_is_made_anew_where_anything_has_changed() -> None:
    pair = Pair()
    for _ in range(2):
        pair.send(PLAIN)
    assert pair.send(PLAIN, 404)[0] == 0x8D
    assert pair.send(PLAIN, 500)[0] == 0x8E
    pair.send(PLAIN, 500)
    pair.read(pair.encoder.encode_fields([(b"x-sum", b"1")]))
    assert pair.send(PLAIN, 500) == b"\x8e" + indexed(65) + indexed(64) + indexed(63)
    pair.resize(100)
    assert pair.send(PLAIN, 500)[0] == 0x3F
