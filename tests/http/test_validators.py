"""Entity tags and conditions (RFC 9110 sections 8.8.3.2 and 13)."""

import time

import pytest

from portico.http.validators import allows_range, evaluate, matches

TAG = b'"abc"'
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.mark.parametrize(
    ("condition", "etag", "strong", "weak"),
    [
        (b'"abc"', b'"abc"', True, True),
        (b'W/"abc"', b'"abc"', False, True),
        (b'"abc"', b'W/"abc"', False, True),
        (b'W/"abc"', b'W/"abc"', False, True),
        (b'"ab"', b'"abc"', False, False),
        (b'"x", "abc"', b'"abc"', True, True),
        (b'"x",\tW/"abc"', b'"abc"', False, True),
        (b'"a,b"', b'"b"', False, False),
        (b'"a,b"', b'"a,b"', True, True),
        (b"*", b'"abc"', True, True),
        (b" * ", b'"abc"', True, True),
        (b'"*"', b'"abc"', False, False),
        (b'junk, "abc"', b'"abc"', True, True),
        (b"abc", b'"abc"', False, False),
        (b'"abc', b'"abc"', False, False),
        (b"", b'"abc"', False, False),
    ],
)
def test_tags_are_compared(condition: bytes, etag: bytes, strong: bool, weak: bool) -> None:
    assert matches(condition, etag, strong=True) is strong
    assert matches(condition, etag, strong=False) is weak


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({b"if-match": TAG}, None),
        ({b"if-match": b'"x"'}, 412),
        ({b"if-match": b"W/" + TAG}, 412),
        ({b"if-match": TAG, b"if-unmodified-since": BEFORE}, None),
        ({b"if-unmodified-since": BEFORE}, 412),
        ({b"if-unmodified-since": DATE}, None),
        ({b"if-unmodified-since": b"nonsense"}, None),
        ({b"if-none-match": TAG}, 304),
        ({b"if-none-match": b"W/" + TAG}, 304),
        ({b"if-none-match": b'"x"'}, None),
        ({b"if-none-match": b'"x"', b"if-modified-since": AFTER}, None),
        ({b"if-modified-since": DATE}, 304),
        ({b"if-modified-since": AFTER}, 304),
        ({b"if-modified-since": BEFORE}, None),
        ({b"if-modified-since": b"nonsense"}, None),
        ({b"if-match": b'"x"', b"if-none-match": TAG}, 412),
        ({b"if-match": TAG, b"if-none-match": TAG}, 304),
    ],
)
def test_the_order_of_precedence_is_kept(fields: dict[bytes, bytes], expected: int | None) -> None:
    """RFC 9110 section 13.2.2."""
    assert evaluate(fields, TAG, DATE) == expected


def test_a_method_that_changes_something_gets_412_and_knows_no_if_modified_since() -> None:
    assert evaluate({b"if-none-match": b"*"}, TAG, DATE, safe=False) == 412
    assert evaluate({b"if-modified-since": AFTER}, TAG, DATE, safe=False) is None


def test_a_star_matches_content_without_a_tag() -> None:
    assert evaluate({b"if-none-match": b"*"}, None, None) == 304
    assert evaluate({b"if-none-match": TAG}, None, None) is None


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [(TAG, True), (b'"x"', False), (b"W/" + TAG, False), (DATE, True), (AFTER, False), (b"abc", False), (b"", False)],
)
def test_if_range_needs_a_strong_match(condition: bytes, allowed: bool) -> None:
    """RFC 9110 section 13.1.5."""
    assert allows_range(condition, TAG, DATE) is allowed
    assert not allows_range(b'W/"abc"', b'W/"abc"', DATE)


@pytest.mark.parametrize("piece", [b'"', b"W/", b'W/"', b",", b'",', b'"a,', b"a,", b'W/"",'])
def test_hostile_conditions_take_linear_time(piece: bytes) -> None:
    started = time.process_time()
    matches(piece * (1 << 15), TAG, strong=False)
    assert time.process_time() - started < 5
