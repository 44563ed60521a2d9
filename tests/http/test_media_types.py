"""Media types and weighted lists."""

import time

import pytest

from portico.http.media_types import parse_accept, parse_media_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", ("text/html", {})),
        (" Text/HTML ; Charset=UTF-8", ("text/html", {"charset": "UTF-8"})),
        ('multipart/form-data; boundary="a;b=c"; x=1', ("multipart/form-data", {"boundary": "a;b=c", "x": "1"})),
        (r'form-data; name="a\"b\\c"', ("form-data", {"name": 'a"b\\c'})),
        ('form-data; name="open', ("form-data", {"name": "open"})),
        ("a/b;;; ;x;=1;y=", ("a/b", {"y": ""})),
        ("a/b; x=1; X=2", ("a/b", {"x": "1"})),
        ('a/b; x = "1" trash; y=2', ("a/b", {"x": "1", "y": "2"})),
        ("", ("", {})),
    ],
)
def test_type_and_parameters_are_read(value: str, expected: tuple[str, dict[str, str]]) -> None:
    assert parse_media_type(value) == expected


@pytest.mark.parametrize("piece", [";", ";a", ";a=", ';a="', '"', "\\", ';a="\\', "=;", ' ;"'])
def test_hostile_input_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    parse_media_type("a/b" + piece * (1 << 15))
    assert time.process_time() - started < 5


def test_members_have_their_weights() -> None:
    value = "text/html, application/xml;q=0.9 , */*;v=1;Q=0.8,,x;q=0"
    assert parse_accept(value) == [("text/html", 1.0), ("application/xml", 0.9), ("*/*", 0.8), ("x", 0.0)]


@pytest.mark.parametrize("weight", ["wat", "", "-1", "1e9", "0.12345", "nan", "٣", "."])
def test_what_is_no_weight_counts_as_one(weight: str) -> None:
    assert parse_accept(f"x;q={weight}") == [("x", 1.0)]
