"""Dates, written and read."""

import time

import pytest

from portico.http.dates import imf_fixdate, parse_http_date

INSTANT = 784111777


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_all_three_forms_are_read(text: str) -> None:
    """RFC 9110 section 5.6.7: a recipient MUST accept all three formats."""
    assert parse_http_date(text) == INSTANT


def test_what_is_written_is_read_back() -> None:
    for seconds in (0, 1, 951782399, 951782400, 1709164800, 4102444799, 253402300799, *range(0, 2**31, 98765431)):
        assert parse_http_date(imf_fixdate(seconds)) == seconds
        assert imf_fixdate(seconds) == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


def test_two_digits_from_70_on_are_the_last_century() -> None:
    assert parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0
    assert parse_http_date("Friday, 01-Jan-27 00:00:00 GMT") == 1798761600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 EST",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nix 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 19941 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94",
        "0" * 1_000_000,
    ],
)
def test_nonsense_is_no_date(text: str) -> None:
    assert parse_http_date(text) is None
