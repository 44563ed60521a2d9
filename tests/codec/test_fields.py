"""What an application may send as fields, in every version of HTTP (RFC 9110 §5)."""

import pytest

from portico.codec.fields import (
    CONTENT_LENGTH,
    DATE,
    HOP_BY_HOP,
    HSTS,
    PLAIN,
    SERVER,
    FieldError,
    check_fields,
    check_length,
    check_name,
    check_value,
)
from portico.http.headers import FORBIDDEN_TRAILERS


@pytest.mark.parametrize(
    ("name", "lower", "kind"),
    [
        (b"X-Custom", b"x-custom", PLAIN),
        (b"content-length", b"content-length", CONTENT_LENGTH),
        (b"Transfer-Encoding", b"transfer-encoding", HOP_BY_HOP),
        (b"Proxy-Connection", b"proxy-connection", HOP_BY_HOP),
        (b"Date", b"date", DATE),
        (b"SERVER", b"server", SERVER),
        (b"Strict-Transport-Security", b"strict-transport-security", HSTS),
    ],
)
def test_a_name_says_what_its_field_steers(name: bytes, lower: bytes, kind: int) -> None:
    assert check_name(name) == (lower, kind)


@pytest.mark.parametrize("name", ["x", b"", b"x y", b"x:", b":status", b"x\r\n", b"\xe9", None, 1, bytearray(b"x")])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(FieldError, match="header name"):
        check_name(name)


@pytest.mark.parametrize("value", [b"", b"a b", b"\xff", b"\x01\x7f\t", b" a "])
def test_a_value_is_any_bytes_on_one_line(value: bytes) -> None:
    check_value(b"x", value)


@pytest.mark.parametrize("value", ["a", None, 1, bytearray(b"a"), b"\r", b"a\nb", b"a\r\nb", b"\0"])
def test_what_is_no_value_is_refused(value: object) -> None:
    with pytest.raises(FieldError, match="b'x'"):
        check_value(b"x", value)


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"5", 5), (b"005", 5), (b"9" * 18, 10**18 - 1)])
def test_a_length_is_a_number(value: bytes, length: int) -> None:
    assert check_length(value, -1) == length
    assert check_length(value, length) == length


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"1 ", b"1_0", b"x", b"9" * 19, "\u0665".encode()])
def test_what_is_no_length_is_refused(value: bytes) -> None:
    with pytest.raises(FieldError, match="number of bytes"):
        check_length(value, -1)


def test_a_second_length_that_is_another_one_is_refused() -> None:
    with pytest.raises(FieldError, match="twice: 4 and 5"):
        check_length(b"5", 4)


def test_fields_of_trailers_are_checked_pairs() -> None:
    assert check_fields([(b"X-Sum", b"1"), [b"x-sum", b""], (b"Link", b"</a>")]) == [
        (b"x-sum", b"1"),
        (b"x-sum", b""),
        (b"link", b"</a>"),
    ]
    assert check_fields(()) == []


@pytest.mark.parametrize("name", sorted(FORBIDDEN_TRAILERS | {b"date", b"server", b"proxy-connection"}))
def test_a_field_that_a_head_rests_on_is_no_trailer(name: bytes) -> None:
    """RFC 9110 §6.5.1."""
    for spelling in (name, name.title()):
        with pytest.raises(FieldError, match="not allowed there"):
            check_fields([(b"x", b"1"), (spelling, b"1")])


@pytest.mark.parametrize("fields", [[(b"x", "1")], [("x", b"1")], [(b"x", b"1\n")]])
def test_trailers_that_cannot_be_sent_are_refused(fields: object) -> None:
    with pytest.raises(FieldError):
        check_fields(fields)
