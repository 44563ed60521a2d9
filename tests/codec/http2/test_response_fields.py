"""An application's fields to those of a response (RFC 9113 §8.2)."""

from typing import Any

import pytest

from portico.codec.fields import FieldError
from portico.codec.http2.messages import ResponseFields, length_field

Fields = list[tuple[bytes, bytes]]


def take(headers: Any) -> ResponseFields:
    fields = ResponseFields()
    fields.take(headers)
    return fields


def test_fields_of_a_response_are_sent_in_lower_case() -> None:
    fields = take(
        [(b"Content-Type", b"text/plain"), (b"X-Custom", b"A"), (b"set-cookie", b"a=1"), (b"Set-Cookie", b"b")]
    )
    assert fields.fields == [
        (b"content-type", b"text/plain"), (b"x-custom", b"A"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b"),
    ]  # fmt: skip
    assert (fields.content_length, fields.has_date, fields.has_server, fields.has_hsts) == (-1, False, False, False)


@pytest.mark.parametrize("times", range(2))
def test_fields_may_be_any_pairs(times: int) -> None:
    given = [[b"X-A", b"1"], (b"x-a", b"2"), [b"x-a", b"3"]]
    for headers in (given, tuple(given), iter(given)):
        assert take(headers).fields == [(b"x-a", b"1"), (b"x-a", b"2"), (b"x-a", b"3")]


def test_a_field_that_is_right_as_it_stands_is_not_made_again() -> None:
    field = (b"content-type", b"text/plain")
    take([field])
    assert take([field]).fields[0] is field


def test_the_length_is_declared_apart() -> None:
    fields = take([(b"Content-Length", b"13"), (b"x", b"1"), (b"content-length", b"13")])
    assert (fields.fields, fields.content_length) == ([(b"x", b"1")], 13)


def test_one_object_takes_the_fields_of_the_next_response() -> None:
    fields = take(
        [(b"content-length", b"13"), (b"date", b"x"), (b"server", b"y"), (b"strict-transport-security", b"z")]
    )
    assert (fields.content_length, fields.has_date, fields.has_server, fields.has_hsts) == (13, True, True, True)
    before = fields.fields
    fields.take([(b"x", b"1")])
    assert (fields.content_length, fields.has_date, fields.has_server, fields.has_hsts) == (-1, False, False, False)
    assert fields.fields == [(b"x", b"1")]
    assert before == [(b"date", b"x"), (b"server", b"y"), (b"strict-transport-security", b"z")]


@pytest.mark.parametrize(
    "name", [b"Connection", b"keep-alive", b"Proxy-Connection", b"transfer-encoding", b"Upgrade", b"http2-settings"]
)
def test_what_is_the_connections_is_left_out(name: bytes) -> None:
    """§8.2.2: an endpoint MUST NOT generate a message with connection-specific fields."""
    assert take([(name, b"close"), (b"x", b"1")]).fields == [(b"x", b"1")]


@pytest.mark.parametrize("value", [b" a", b"a ", b"\ta\t ", b" a b "])
def test_values_are_sent_without_the_white_space_around_them(value: bytes) -> None:
    """§8.2.1: a field value MUST NOT start or end with it."""
    assert take([(b"x", value)]).fields == [(b"x", value.strip())]
    assert take([(b"x", b" ")]).fields == [(b"x", b"")]


@pytest.mark.parametrize("name", ["x", b"", b"x y", b":status", b"x:", b"x\r\n", None, b"\xe9"])
def test_a_name_that_cannot_be_sent_is_refused(name: object) -> None:
    with pytest.raises(FieldError):
        take([(name, b"1")])


@pytest.mark.parametrize("value", ["1", 1, None, b"a\nb", b"a\rb", b"a\0b", b"\n"])
@pytest.mark.parametrize("name", [b"x", b"X", b"content-length"])
def test_a_value_that_cannot_be_sent_is_refused(name: bytes, value: object) -> None:
    with pytest.raises(FieldError):
        take([(name, value)])


@pytest.mark.parametrize("value", [b"", b"-1", b"1.0", b"x", b"9" * 19])
def test_a_length_that_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(FieldError):
        take([(b"content-length", value)])


def test_two_lengths_are_refused() -> None:
    with pytest.raises(FieldError):
        take([(b"content-length", b"1"), (b"content-length", b"2")])


class Text(bytes):
    """Bytes of another class."""


def test_names_and_values_may_be_of_a_class_of_their_own() -> None:
    fields = take([(Text(b"x"), Text(b"1")), (Text(b"Content-Length"), Text(b"2"))])
    assert (fields.fields, fields.content_length) == ([(b"x", b"1")], 2)
    assert type(fields.fields[0][1]) is bytes


@pytest.mark.parametrize("headers", [[b"x"], [(b"x",)], [(b"x", b"1", b"2")], 5, [5]])
def test_what_is_no_list_of_pairs_is_refused(headers: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        take(headers)


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 10**12])
def test_the_field_of_a_length_says_it(length: int) -> None:
    assert length_field(length) == (b"content-length", str(length).encode())
    assert length_field(length) == length_field(length)
