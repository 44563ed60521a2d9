"""Masking against its definition: octet i of the payload XOR octet i modulo 4 of the key (RFC 6455 §5.3)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.codec.websocket.wire import KEY, mask

from portico.codec.websocket.mask import new_space, payload_of, unmask, unmask_into

OCTETS = bytes(range(256)) * 2


def plain(data: bytes, start: int, end: int, key: bytes, phase: int) -> bytes:
    return bytes(data[start + index] ^ key[(phase + index) % 4] for index in range(end - start))


def make(size: int) -> bytes:
    """Return bytes of this size that no one else holds, unless CPython shares them."""
    return bytes(bytearray(OCTETS[:size]))


# --- what comes out ------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", range(4))
def test_every_size_at_every_phase(phase: int) -> None:
    """§5.3: j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j."""
    for size in range(71):
        data = OCTETS[:size]
        assert unmask(data, 0, size, KEY, phase) == plain(data, 0, size, KEY, phase)


@pytest.mark.parametrize("start", range(9))
def test_only_what_lies_between_start_and_end_comes_out(start: int) -> None:
    for end in range(start, start + 71):
        for phase in range(4):
            assert unmask(OCTETS, start, end, KEY, phase) == plain(OCTETS, start, end, KEY, phase)


@pytest.mark.parametrize("phase", [4, 5, 6, 7, 125, 65535, 2**32 + 1, 2**62 + 3])
def test_the_phase_counts_all_octets_before(phase: int) -> None:
    assert unmask(OCTETS, 0, 70, KEY, phase) == plain(OCTETS, 0, 70, KEY, phase % 4)


def test_a_key_of_zeros_changes_nothing() -> None:
    assert unmask(OCTETS, 0, 300, bytes(4), 0) == OCTETS[:300]


def test_masking_twice_gives_the_data_back() -> None:
    """§5.3: the same algorithm applies regardless of the direction of the translation."""
    assert unmask(unmask(OCTETS, 0, 512, KEY, 1), 0, 512, KEY, 1) == OCTETS


def test_the_example_of_the_rfc() -> None:
    """§5.7: a single-frame masked text message that contains "Hello"."""
    assert unmask(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 6, 11, b"\x37\xfa\x21\x3d", 0) == b"Hello"


@pytest.mark.parametrize("size", [4095, 4096, 4097, 65535, 65536, 65537])
def test_large_payloads(size: int) -> None:
    data = (OCTETS * 129)[:size]
    assert unmask(data, 0, size, KEY, 3) == plain(data, 0, size, KEY, 3)


@pytest.mark.parametrize("size", [0, 1, 2, 70])
def test_what_comes_out_is_bytes(size: int) -> None:
    assert type(unmask(OCTETS, 0, size, KEY, 0)) is bytes


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.lists(st.integers(0, 300)))
def test_pieces_give_what_the_whole_gives(data: bytes, key: bytes, cuts: list[int]) -> None:
    points = [0, *sorted(min(point, len(data)) for point in cuts), len(data)]
    pieces = [unmask(data, start, end, key, start) for start, end in pairwise(points)]
    assert b"".join(pieces) == unmask(data, 0, len(data), key, 0) == mask(data, key)


# --- what must not change ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 8, 64, 65, 500])
def test_the_input_is_left_as_it_is_when_all_of_it_is_unmasked(size: int) -> None:
    """A slice of all of some bytes is those bytes themselves in CPython, so it must not be written to."""
    data = make(size)
    before = list(data)
    unmask(data, 0, size, KEY, 0)
    assert list(data) == before


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 8, 64, 65, 490])
def test_the_input_is_left_as_it_is_when_a_part_of_it_is_unmasked(size: int) -> None:
    data = make(500)
    before = list(data)
    unmask(data, 7, 7 + size, KEY, 1)
    assert list(data) == before


def test_the_key_is_left_as_it_is() -> None:
    key = make(4)
    unmask(OCTETS, 0, 100, key, 1)
    unmask(key, 0, 4, key, 0)
    assert list(key) == [0, 1, 2, 3]


def test_the_shared_bytes_of_one_octet_are_left_as_they_are() -> None:
    """CPython has each of them once."""
    for octet in range(256):
        single = bytes((octet,))
        unmask(single, 0, 1, b"\xff\xff\xff\xff", 0)
        unmask(OCTETS, octet, octet + 1, b"\xff\xff\xff\xff", 0)
        assert [list(single), list(bytes((octet,))), list(make(256)[octet : octet + 1])] == [[octet]] * 3
    assert list(b"a") == [97]


def test_the_shared_bytes_of_no_octets_are_left_as_they_are() -> None:
    unmask(b"", 0, 0, KEY, 0)
    unmask(OCTETS, 5, 5, KEY, 0)
    assert [len(b""), len(bytes(0))] == [0, 0]


def test_a_constant_of_this_module_is_left_as_it_is() -> None:
    data = b"ab"
    unmask(data, 0, 2, KEY, 0)
    assert [list(b"ab"), list(data)] == [[97, 98]] * 2


def test_a_dict_still_finds_the_bytes_that_came_out() -> None:
    """Bytes keep their hash once it was asked for, so they must be as they will be before anybody sees them."""
    known = {mask(OCTETS[:20]): "found"}
    assert known[unmask(OCTETS, 0, 20, KEY, 0)] == "found"


# --- into a space --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 4, 5, 64, 65, 300])
def test_a_space_is_filled_piece_by_piece(size: int) -> None:
    for middle in range(0, size + 1, 1 if size < 70 else 37):
        space = new_space(size)
        unmask_into(space, 0, OCTETS, 0, middle, KEY, 0)
        unmask_into(space, middle, OCTETS, middle, size, KEY, middle)
        assert payload_of(space) == mask(OCTETS[:size])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 33])
def test_nothing_is_written_beside_the_piece(size: int) -> None:
    space = new_space(50)
    unmask_into(space, 10, OCTETS, 100, 100 + size, b"\xff\xff\xff\xff", 0)
    expected = bytes(10) + mask(OCTETS[100 : 100 + size], b"\xff\xff\xff\xff") + bytes(40 - size)
    assert payload_of(space) == expected


def test_each_space_is_a_new_one() -> None:
    first, second = new_space(8), new_space(8)
    unmask_into(first, 0, OCTETS, 0, 8, KEY, 0)
    assert payload_of(second) == bytes(8)


@pytest.mark.parametrize("size", [2, 3, 100])
def test_a_new_space_is_not_what_bytes_of_zeros_are_elsewhere(size: int) -> None:
    space = new_space(size)
    unmask_into(space, 0, OCTETS, 1, 1 + size, KEY, 0)
    assert list(bytes(size)) == [0] * size
