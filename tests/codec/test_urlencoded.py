"""The urlencoded codec: fields, limits, and that a body means the same however it comes."""

import sys
import time
from itertools import pairwise
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.codec.events import Fault
from portico.codec.urlencoded import Field, Limits, UrlencodedReader

MIB = 1024 * 1024


def read(pieces: list[bytes], limits: Limits | None = None) -> list[Field | Fault]:
    reader = UrlencodedReader(limits or Limits())
    found: list[Field | Fault] = []
    for piece in pieces:
        found += reader.feed(piece)
        if found and isinstance(found[-1], Fault):
            return found
    return found + reader.finish()


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


CASES = {
    b"": [],
    b"a=1": [("a", "1")],
    b"a=1&b=2": [("a", "1"), ("b", "2")],
    b"a=1&a=2": [("a", "1"), ("a", "2")],
    b"a": [("a", "")],
    b"a=": [("a", "")],
    b"=1": [("", "1")],
    b"=": [("", "")],
    b"a=1=2": [("a", "1=2")],
    b"&&a=1&&&b=2&&": [("a", "1"), ("b", "2")],
    b"a=1;b=2": [("a", "1;b=2")],  # CVE-2026-53538
    b"a+b=c+d": [("a b", "c d")],
    b"a%20b=c%2Bd%26e%3Df": [("a b", "c+d&e=f")],
    b"%C3%A9=%c3%a9": [("é", "é")],
    "é=é".encode(): [("é", "é")],
    b"a=%E9": [("a", "\ufffd")],
    b"a=%&b=%4&c=%zz": [("a", "%"), ("b", "%4"), ("c", "%zz")],
    b"a=\r\n": [("a", "\r\n")],
}


@pytest.mark.parametrize("body", CASES)
def test_a_body_means_the_same_however_it_is_split(body: bytes) -> None:
    expected = CASES[body]
    assert read([body]) == expected
    assert read(bytewise(body)) == expected
    for cut in range(1, len(body)):
        assert read([body[:cut], body[cut:]]) == expected


@given(
    st.lists(st.sampled_from([b"&", b"=", b"%4", b"1", b"+", b";", b"abc", b"\xc3\xa9"])).map(b"".join),
    st.lists(st.integers(0, 100), max_size=5),
    st.integers(0, 4),
    st.integers(0, 8),
    st.integers(0, 40),
)
def test_any_bytes_and_limits_mean_the_same_however_they_are_split(
    body: bytes, cuts: list[int], fields: int, field: int, size: int
) -> None:
    limits = Limits(fields, field, size)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    whole = read([body], limits)
    assert read(pieces, limits) == whole
    assert read(bytewise(body), limits) == whole


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))))
def test_what_is_written_is_read(fields: list[tuple[str, str]]) -> None:
    assert read([urlencode(fields).encode()]) == fields


TOO_MANY = Fault(400, "Too many fields. Maximum number of fields is 2.")
FIELD_TOO_LARGE = Fault(400, "Field exceeded maximum size of 1KB.")
FORM_TOO_LARGE = Fault(413, "Form exceeded maximum size of 1KB.")
LIMITED = {
    "fields": (Limits(fields=2), b"a=1&b=2&c=3", [("a", "1"), ("b", "2"), TOO_MANY]),
    "value": (Limits(field=1024), b"a=" + b"x" * 1024, [FIELD_TOO_LARGE]),
    "name": (Limits(field=1024), b"x" * 1025, [FIELD_TOO_LARGE]),
    "name and value": (Limits(field=1024), b"a=1&" + b"x" * 512 + b"=" + b"x" * 513, [("a", "1"), FIELD_TOO_LARGE]),
    "form": (Limits(form=1024), b"a=1&b=" + b"x" * 2000, [("a", "1"), FORM_TOO_LARGE]),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_a_form_over_a_limit_is_refused(limit: str) -> None:
    limits, body, expected = LIMITED[limit]
    assert read([body], limits) == expected
    assert read(bytewise(body), limits) == expected


def test_a_form_at_its_limits_is_read() -> None:
    body = b"ab=12345678&" + b"c=" + b"x" * 9
    for pieces in ([body], bytewise(body)):
        assert read(pieces, Limits(2, 10, len(body))) == [("ab", "12345678"), ("c", "x" * 9)]


def test_a_fault_stays() -> None:
    reader = UrlencodedReader(Limits(fields=0))
    fault = Fault(400, "Too many fields. Maximum number of fields is 0.")
    assert reader.feed(b"a&b") == [fault]
    assert reader.feed(b"c&") == [fault]
    assert reader.finish() == [fault]


def test_no_more_is_kept_than_a_field_may_have() -> None:
    reader = UrlencodedReader(Limits(field=100))
    fed = 0
    while not reader.feed(b"x" * 10):
        fed += 10
        assert len(reader.pending) <= 101
    assert fed <= 110
    assert not reader.pending


def test_fields_after_a_limit_are_not_read() -> None:
    reader = UrlencodedReader(Limits(fields=10))
    reader.feed(b"&".join(b"f=%d" % n for n in range(100_000)))
    assert reader.count == 11


@pytest.mark.parametrize("repeated", [b"&", b"=", b"%", b"+", b"%41", b"a=1&", b"&x"])
def test_a_mebibyte_of_hostile_input_takes_no_time_to_speak_of(repeated: bytes) -> None:
    body = repeated * (MIB // len(repeated))
    reader = UrlencodedReader(Limits(fields=1e9, field=2 * MIB))
    begun = time.process_time()
    for at in range(0, len(body), 65536):
        reader.feed(body[at : at + 65536])
    reader.finish()
    assert time.process_time() - begun < 5


def test_small_pieces_cost_linear_work() -> None:
    def work(pieces: int) -> int:
        count = 0

        def counting(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        reader = UrlencodedReader(Limits(field=MIB))
        sys.setprofile(counting)
        try:
            for _ in range(pieces):
                reader.feed(b"xyz")
        finally:
            sys.setprofile(None)
        return count

    assert work(8000) <= 5 * work(2000)
