"""Which octets may stand where: each of the 256, at every place in a string."""

import pytest

from portico.http.octets import NOT_IN_LOWER_NAME, NOT_IN_TARGET, has_any, has_control

LOWER_NAME = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"  # RFC 9110 §5.6.2, RFC 9113 §8.2.1
CONTROL = {*range(0x20), 0x7F} - {0x09}
TARGET = set(range(0x21, 0x7F)) - {ord("#")}


def holds(octet: int, fill: bytes) -> list[bytes]:
    """Return strings of many lengths that have the octet somewhere."""
    lengths = (0, 1, 3, 7, 8, 15, 16, 31, 33)
    return [fill * before + bytes((octet,)) + fill * after for before in lengths for after in (0, 1, 16, 40)]


@pytest.mark.parametrize("flags", [NOT_IN_LOWER_NAME, NOT_IN_TARGET])
def test_there_is_a_flag_for_each_octet(flags: bytes) -> None:
    assert len(flags) == 256
    assert set(flags) == {0, 1}


@pytest.mark.parametrize("octet", range(256))
def test_an_octet_is_found_wherever_it_stands(octet: int) -> None:
    for value in holds(octet, b"a"):
        assert has_any(value, NOT_IN_LOWER_NAME) == (octet not in LOWER_NAME)
        assert has_any(value, NOT_IN_TARGET) == (octet not in TARGET)
        assert has_control(value) == (octet in CONTROL)


def test_nothing_is_found_in_nothing() -> None:
    assert not has_any(b"", NOT_IN_TARGET)
    assert not has_any(b"", b"\1" * 256)
    assert not has_control(b"")
