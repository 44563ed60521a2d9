"""What a client says of how urgent a response is (RFC 9218), in structured fields (RFC 9651)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.codec.http2.priority import DEFAULT, MAX_SIZE, read_priority

READ: dict[bytes, tuple[int, bool]] = {
    b"": (3, False),
    b"u=0": (0, False),
    b"u=7": (7, False),
    b"i": (3, True),
    b"i=?1": (3, True),
    b"i=?0": (3, False),
    b"u=5, i": (5, True),
    b"u=5,i": (5, True),
    b"u=5 \t, \t i": (5, True),
    b"  i, u=1  ": (1, True),
    b"u=1;x=2;y, i;z": (1, True),
    # The last one of a key counts.
    b"u=1, u=2": (2, False),
    b"i, i=?0": (3, False),
    # RFC 9218 §4: what is unknown is passed over, whatever it is.
    b'a, b=1, c=1.5, d="x,y", e="\\"", f=:aGk=:, g=(1 "a" t;p=1);q, h=tok/en:*, u=2, k=?0, i': (2, True),
    b"x=(), u=2": (2, False),
    b"x=( a  b ), u=2": (2, False),
    b'x=@1659578233, y=%"f%c3%bc", u=2': (2, False),
    b"*a=1, u=2": (2, False),
    # §4.1, §4.2: so is what is out of range, or of another type.
    b"u=8, i": (3, True),
    b"u=-1": (3, False),
    b"u=10": (3, False),
    b"u=1.0": (3, False),
    b"u": (3, False),
    b"u=?1": (3, False),
    b'u="1"': (3, False),
    b"u=(1)": (3, False),
    b"u=t": (3, False),
    b"u=1, i=1": (1, False),
    b"u=1, i=i": (1, False),
    b"u=1, i=(?1)": (1, False),
}
MALFORMED = [
    b"u=", b"u=1,", b"u=1, ", b"u=1 i", b"u=1,,i", b",u=1", b"U=1", b"u =1", b"u= 1", b"u=1;", b"u=1;X", b'u="1',
    b"u=1, x=?2", b"u=1, x=(", b"u=1, x=(a", b"u=1, x=(a,b)", b'u=1, x=("a""b")', b"u=1, x=:?:", b"u=1, x=1.",
    b"u=1, x=1.2345", b"u=1, x=-", b"u=1, x=" + b"1" * 16, b"\xff", b"u=1, \x00", b"\tu=1", b"u=1, x=\"\xe9\"",
    b"u=1\n", b"u=1, i\n", b"=1", b"(u=1)",
]  # fmt: skip


@pytest.mark.parametrize("value", READ)
def test_urgency_and_incremental_are_what_is_said(value: bytes) -> None:
    assert read_priority(value) == READ[value]
    assert read_priority(value) == READ[value]  # remembered, if it is short


@pytest.mark.parametrize("value", MALFORMED)
def test_a_value_that_is_malformed_is_passed_over_as_a_whole(value: bytes) -> None:
    """RFC 9651 §4.2: when parsing fails, the entire field value MUST be ignored."""
    assert read_priority(value) == DEFAULT == (3, False)


def test_a_value_that_is_too_long_is_not_read() -> None:
    assert read_priority(b"u=1, x=" + b"a" * (MAX_SIZE - 7)) == (1, False)
    assert read_priority(b"u=1, x=" + b"a" * (MAX_SIZE - 6)) == DEFAULT


@pytest.mark.parametrize("piece", [b"a=(", b"a;", b'a="', b"u=1,", b"( ", b"a=(a;a ", b'\\"', b"a=1,   "])
def test_no_value_takes_more_than_one_pass(piece: bytes) -> None:
    assert read_priority((piece * MAX_SIZE)[:MAX_SIZE]) in (DEFAULT, (1, False))


@given(st.binary(max_size=40) | st.text('ui=?01(); ,"a:', max_size=40).map(str.encode))
def test_anything_is_a_priority(value: bytes) -> None:
    urgency, incremental = read_priority(value)
    assert 0 <= urgency <= 7
    assert incremental in (True, False)
