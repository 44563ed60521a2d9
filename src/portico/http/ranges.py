"""Byte ranges: the Range and Content-Range fields (RFC 9110 §14).

A range is a pair of offsets, the second one past the end, as Python's slices have it.
"""

Range = tuple[int, int]

MAX_RANGES = 100


class RangeError(ValueError):
    """The client asks for ranges that cannot be given; `status` is 400 or 416, the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def parse_range(value: str, size: int, max_ranges: int = MAX_RANGES) -> list[Range]:
    """Return the ranges that a Range field asks for of so many bytes: sorted, cut to size, merged where they touch.

    It takes O(n log n) of at most `max_ranges`; a field with more gives the empty list, as if it were not there
    (RFC 9110 §14.2 allows that for what looks like an attack). Of several ranges those beyond the end are left out.

    Raises:
        RangeError: If the field is malformed (400), or if no range has a byte of the content (416).
    """
    unit, equals, text = value.partition("=")
    if not equals:
        raise RangeError(400, "Malformed range header.")
    if unit.strip(" \t").lower() != "bytes":
        raise RangeError(400, "Only support bytes range")
    if text.count(",") >= max_ranges:
        return []
    asked = [span for part in text.split(",") if (span := _parse_span(part, size)) is not None]
    if not asked:
        raise RangeError(400, "Range header: range must be requested")
    ranges = [span for span in asked if span[0] < size]
    if not ranges:
        raise RangeError(416, "Range Not Satisfiable")
    if any(start >= end for start, end in ranges):
        raise RangeError(400, "Range header: start must be less than end")
    return _merge(ranges)


def _parse_span(part: str, size: int) -> Range | None:
    """Return a range as offsets, the second at most the size, or None where it is not one."""
    first, dash, last = part.strip(" \t").partition("-")
    if not dash:
        return None
    first, last = first.strip(" \t"), last.strip(" \t")
    start, end = _number(first), _number(last)
    if not first:  # a suffix: the last so many bytes
        return None if end is None else (max(size - end, 0), size)
    if start is None or (last and end is None):
        return None
    return start, size if end is None else min(end + 1, size)


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdecimal():
        return None
    digits = text.lstrip("0") or "0"
    # No file has that many bytes, and `int` takes quadratic time for long texts.
    return int(digits) if len(digits) <= 18 else 10**18


def _merge(ranges: list[Range]) -> list[Range]:
    if len(ranges) == 1:
        return ranges
    ranges.sort()
    merged = [ranges[0]]
    for start, end in ranges[1:]:
        last_start, last_end = merged[-1]
        if start <= last_end:
            if end > last_end:
                merged[-1] = (last_start, end)
        else:
            merged.append((start, end))
    return merged


def content_range(start: int, end: int, size: int) -> bytes:
    """Return the Content-Range field of a part (RFC 9110 §14.4)."""
    return b"bytes %d-%d/%d" % (start, end - 1, size)


def unsatisfied_range(size: int) -> bytes:
    """Return the Content-Range field of a 416."""
    return b"bytes */%d" % size


def part_head(start: int, end: int, size: int, boundary: bytes, content_type: bytes) -> bytes:
    """Return the head of one part of a `multipart/byteranges` (RFC 9110 §14.6); after the part comes a line end."""
    return b"--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n" % (
        boundary,
        content_type,
        content_range(start, end, size),
    )


def closing_line(boundary: bytes) -> bytes:
    """Return the line that ends a `multipart/byteranges`."""
    return b"--%b--" % boundary
