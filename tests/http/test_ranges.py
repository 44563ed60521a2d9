"""The Range field (RFC 9110 section 14)."""

import contextlib
import time

import pytest

from portico.http.ranges import RangeError, content_range, parse_range


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-4", [(0, 5)]),
        ("bytes=5-", [(5, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=99-99", [(99, 100)]),
        ("bytes=0-1000", [(0, 100)]),
        (" Bytes =0-4", [(0, 5)]),
        ("bytes=0-4, 10-14", [(0, 5), (10, 15)]),
        ("bytes=10-14,0-4", [(0, 5), (10, 15)]),
        ("bytes=0-50,25-75", [(0, 76)]),
        ("bytes=0-4,5-9", [(0, 10)]),
        ("bytes=0-,0-4,-1", [(0, 100)]),
        ("bytes=0-4,200-300", [(0, 5)]),
        ("bytes=x-y, - ,7,,0-4", [(0, 5)]),
        ("bytes=00000000000000000000000-4", [(0, 5)]),
    ],
)
def test_ranges_come_sorted_cut_and_merged(value: str, expected: list[tuple[int, int]]) -> None:
    assert parse_range(value, 100) == expected


@pytest.mark.parametrize("value", ["bytes: 0-4", "items=0-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes"])
def test_what_is_malformed_gets_400(value: str) -> None:
    with pytest.raises(RangeError) as caught:
        parse_range(value, 100)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "value", ["bytes=100-", "bytes=100-200,300-", "bytes=-0", f"bytes={10**30}-", "bytes=" + "9" * 9999 + "-"]
)
def test_what_no_byte_satisfies_gets_416(value: str) -> None:
    with pytest.raises(RangeError) as caught:
        parse_range(value, 100)
    assert caught.value.status == 416


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_an_empty_file_satisfies_none(value: str) -> None:
    with pytest.raises(RangeError) as caught:
        parse_range(value, 0)
    assert caught.value.status == 416


@pytest.mark.parametrize("number", ["+1", "1_0", "0x1", "\uff11", "٣", "1.0", "--1"])
def test_a_number_is_ascii_digits_only(number: str) -> None:
    with pytest.raises(RangeError):
        parse_range(f"bytes={number}-", 100)


def test_a_huge_end_and_a_huge_suffix_mean_the_whole() -> None:
    """nginx CVE-2017-7529: no arithmetic overflows."""
    assert parse_range(f"bytes=0-{2**64}", 100) == [(0, 100)]
    assert parse_range(f"bytes=-{2**64 - 1}", 100) == [(0, 100)]


def test_too_many_ranges_are_as_none() -> None:
    assert parse_range("bytes=" + ",".join(["0-0"] * 101), 100) == []
    assert parse_range("bytes=" + ",".join(["0-0"] * 100), 100) == [(0, 1)]


@pytest.mark.parametrize("piece", ["0-0,", "0-,", "-1,", ",", "-", " ", "9" * 20 + "-,", "5-6,3-4,"])
def test_a_hundred_thousand_ranges_take_no_time(piece: str) -> None:
    """Starlette CVE-2025-62727."""
    started = time.process_time()
    for count, most in ((10**5, 100), (10**4, 10**5)):
        with contextlib.suppress(RangeError):
            parse_range("bytes=" + piece * count, 10**6, most)
    assert time.process_time() - started < 5


def test_the_field_of_a_part_counts_its_last_byte() -> None:
    assert content_range(0, 5, 100) == b"bytes 0-4/100"
