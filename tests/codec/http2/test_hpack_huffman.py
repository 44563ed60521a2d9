"""The Huffman code of RFC 7541, Appendix B, against the table of the `hpack` package."""

import random

import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from portico.codec.http2.huffman import decode, encode_into, encoded_size

EOS = 256
ORACLE = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def encoded(data: bytes) -> bytes:
    """Return the code of a string, written between octets that have to stay as they are."""
    size = encoded_size(data)
    space = bytearray(b"\xaa" * (size + 2))
    assert encode_into(space, 1, data) == size + 1
    assert (space[0], space[-1]) == (0xAA, 0xAA)
    return bytes(space[1:-1])


def decoded(code: bytes) -> bytes | None:
    """Return the string of a code that stands amid other octets."""
    space = bytearray()
    assert decode(code, 0, len(code), space) == decode(b"\x00" + code + b"\x00", 1, len(code) + 1, bytearray(4096))
    return decode(code, 0, len(code), space)


def code_of(*symbols: int, padding: str | None = None) -> bytes:
    """Return the bits of these symbols, padded with ones or as told."""
    bits = "".join(f"{REQUEST_CODES[symbol]:0{REQUEST_CODES_LENGTH[symbol]}b}" for symbol in symbols)
    bits += "1" * (-len(bits) % 8) if padding is None else padding
    assert len(bits) % 8 == 0
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]


def before(padding: int) -> bytes:
    """Return some octets whose code leaves room for so many bits."""
    return b"0" * next(count for count in range(1, 9) if (5 * count + padding) % 8 == 0)


@pytest.mark.parametrize("octet", range(256))
def test_each_octet_has_its_code(octet: int) -> None:
    for data in (bytes((octet,)), bytes((octet,)) * 9, b"a" + bytes((octet,)), bytes((octet,)) + b"a~"):
        assert encoded(data) == code_of(*data)
        assert decoded(code_of(*data)) == data


def test_each_pair_of_octets_is_told_apart() -> None:
    for first in range(256):
        for second in range(0, 256, 5):
            code = code_of(first, second)
            assert decode(code, 0, len(code), bytearray(8)) == bytes((first, second))


def test_the_empty_string_has_the_empty_code() -> None:
    assert encoded(b"") == b""
    assert decoded(b"") == b""


@given(st.binary(max_size=300))
def test_any_string_comes_back(data: bytes) -> None:
    assert encoded(data) == (ORACLE.encode(data) if data else b"")
    assert decoded(encoded(data)) == data


@given(st.text(alphabet="aeiost/%=&0123456789.-_ \"'{}<>|\\", max_size=200))
def test_what_is_usual_comes_back(text: str) -> None:
    data = text.encode()
    assert decoded(encoded(data)) == data


@given(st.binary(max_size=40) | st.integers(0, 40).flatmap(lambda n: st.just(b"\xff" * n)))
def test_any_octets_are_a_code_or_are_refused(code: bytes) -> None:
    """What is taken is the one code of what it decodes to, so nothing has two."""
    string = decoded(code)
    if string is not None:
        assert encoded(string) == code


@pytest.mark.parametrize("padding", ["", "1", "11", "111", "1111", "11111", "111111", "1111111"])
def test_padding_of_ones_is_taken(padding: str) -> None:
    """§5.2: the most significant bits of EOS, up to seven of them."""
    symbols = before(len(padding))
    assert decoded(code_of(*symbols, padding=padding)) == symbols


@pytest.mark.parametrize("symbols", [b"", b"a", b"0", b"&", b"~", b"\x00", b"\xff", b"abcdefgh"])
@pytest.mark.parametrize("octets", [1, 2, 3, 4, 8])
def test_padding_of_an_octet_or_more_is_refused(symbols: bytes, octets: int) -> None:
    """§5.2: padding longer than seven bits MUST be an error, though it be all ones."""
    assert decoded(code_of(*symbols) + b"\xff" * octets) is None


@pytest.mark.parametrize("length", range(1, 8))
def test_padding_that_is_not_all_ones_is_refused(length: int) -> None:
    """§5.2: padding that does not match the beginning of EOS MUST be an error."""
    symbols = before(length)
    for zero in range(length):
        code = code_of(*symbols, padding="1" * zero + "0" + "1" * (length - zero - 1))
        string = decoded(code)
        if length < 5:
            assert string is None
        else:  # as many bits may be a symbol of their own, and what is left has to be ones
            assert string is None or (len(string) > len(symbols) and encoded(string) == code)


@pytest.mark.parametrize(
    "symbols", [(EOS,), (EOS, 97), (97, EOS), (97, EOS, 97), (255, EOS), (EOS, EOS), (0,) * 9 + (EOS,)]
)
def test_eos_is_refused(symbols: tuple[int, ...]) -> None:
    """§5.2: a string with EOS in it MUST be an error."""
    assert decoded(code_of(*symbols)) is None


@pytest.mark.parametrize("octet", [0, 9, 10, 13, 22, 33, 92, 127, 128, 192, 203, 249, 255])
def test_a_code_that_is_cut_short_is_refused(octet: int) -> None:
    code = code_of(octet, padding="0" * (-REQUEST_CODES_LENGTH[octet] % 8))
    for end in range(1, len(code)):
        assert decoded(code[:end]) is None


def test_a_long_string_of_every_octet_comes_back() -> None:
    data = bytes(range(256)) * 50
    shuffled = bytes(random.Random(7).sample(data, len(data)))
    assert decoded(encoded(shuffled)) == shuffled
    assert encoded(shuffled) == ORACLE.encode(shuffled)


def test_nothing_is_written_where_there_is_no_room() -> None:
    space = bytearray(3)
    with pytest.raises(AssertionError):
        encode_into(space, 0, b"\xff\xff")
    assert space == bytes(3)
