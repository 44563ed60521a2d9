"""The multipart codec: parts, limits, and that a body means the same however it comes."""

import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.codec.events import Fault
from portico.codec.multipart import END, INVALID, PART_END, TRUNCATED, UNNAMED, Event, Limits, MultipartReader, Part

MIB = 1024 * 1024
FIELD = b'Content-Disposition: form-data; name="a"'
FILE = b'Content-Disposition: form-data; name="f"; filename="x.txt"'


def read(pieces: list[bytes], limits: Limits | None = None) -> list[Event]:
    """Return the events of a body, data that belongs together in one piece."""
    reader = MultipartReader("B", limits or Limits())
    found: list[Event] = []
    for piece in pieces:
        for event in reader.feed(piece):
            if type(event) is bytes and found and type(found[-1]) is bytes:
                found[-1] += event
            else:
                found.append(event)
        if found and type(found[-1]) is Fault:
            break
    else:
        found.append(reader.finish())
    if type(found[-1]) is Fault:  # what was known of the part that has the fault depends on the pieces
        while len(found) > 1 and type(found[-2]) is bytes:
            del found[-2]
    return found


def bytewise(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def form(*parts: tuple[bytes, bytes], end: bytes = b"--B--\r\n") -> bytes:
    return b"".join(b"--B\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end


def head(line: bytes) -> Part:
    return Part("a", None, [(b"content-disposition", line)])


A = head(b'form-data; name="a"')
X = Part("f", "x.txt", [(b"content-disposition", b'form-data; name="f"; filename="x.txt"')])

WITH_LENGTH = Part("a", None, [*A.headers, (b"content-length", b"-1")])

# Every body here is read whole, byte by byte, and cut in two at every place.
CASES = {
    "a field": (form((FIELD, b"value")), [A, b"value", PART_END, END]),
    "an empty field": (form((FIELD, b"")), [A, PART_END, END]),
    "a file": (form((FILE, b"text")), [X, b"text", PART_END, END]),
    "a field and a file": (form((FIELD, b"1"), (FILE, b"2")), [A, b"1", PART_END, X, b"2", PART_END, END]),
    "no part": (b"--B--\r\n", [END]),
    "no byte": (b"", [END]),
    "no line end at the end": (form((FIELD, b"1"), end=b"--B--"), [A, b"1", PART_END, END]),
    "an epilogue": (form((FIELD, b"1")) + b"\r\n--B\r\nmore", [A, b"1", PART_END, END]),
    "a line end first": (b"\r\n" + form((FIELD, b"1")), [A, b"1", PART_END, END]),
    "two line ends first": (b"\r\n\r\n" + form((FIELD, b"1")), [Fault(400, INVALID)]),
    "a bare LF first": (b"\n" + form((FIELD, b"1")), [Fault(400, INVALID)]),
    "a preamble": (b"pre\r\n" + form((FIELD, b"1")), [Fault(400, INVALID)]),
    "a preamble after a line end": (b"\r\nabc--B\r\n" + form((FIELD, b"1")), [Fault(400, INVALID)]),
    "another boundary": (b"--C\r\n" + FIELD + b"\r\n\r\n1\r\n--C--\r\n", [Fault(400, INVALID)]),
    "what looks like a boundary": (form((FIELD, b"\r\n-\r\r\n--\r\n")), [A, b"\r\n-\r\r\n--\r\n", PART_END, END]),
    "a longer boundary": (form((FIELD, b"1\r\n--Bx")), [A, Fault(400, INVALID)]),
    "half of a last boundary": (form((FIELD, b"1\r\n--B-")), [A, Fault(400, INVALID)]),
    "space after a boundary": (b"--B \r\n" + FIELD + b"\r\n\r\n1\r\n--B--\r\n", [Fault(400, INVALID)]),
    "the end in a part": (form((FIELD, b"1"), end=b""), [A, Fault(400, TRUNCATED)]),
    "the end in a boundary": (form((FIELD, b"1"), end=b"--B"), [A, Fault(400, TRUNCATED)]),
    "the end in the last boundary": (form((FIELD, b"1"), end=b"--B-"), [A, Fault(400, TRUNCATED)]),
    "the end in the first boundary": (b"--", [Fault(400, TRUNCATED)]),
    "the end after a line end": (b"\r\n", [Fault(400, TRUNCATED)]),
    "the end in a header": (b"--B\r\nContent-", [Fault(400, TRUNCATED)]),
    "bare LF as line ends": (form((FIELD, b"1")).replace(b"\r\n", b"\n"), [Fault(400, INVALID)]),
    "bare LF after a header": (form((FIELD + b"\n", b"1")), [Fault(400, INVALID)]),
    "bare LF between headers": (form((b"X: a\nY: b\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "bare LF before a header": (form((b"\nX: a\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "bare CR in a header": (form((b"X: a\rb\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "NUL in a header": (form((b"X: a\0b\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "space before the colon": (form((b"X : a\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "a folded header": (form((FIELD + b"\r\n folded", b"1")), [Fault(400, INVALID)]),
    "no colon": (form((b"X\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "no header": (b"--B\r\n\r\n1\r\n--B--\r\n", [Fault(400, UNNAMED)]),
    "no name": (form((b'Content-Disposition: form-data; ="a"', b"1")), [Fault(400, UNNAMED)]),
    "an extended name": (form((b"Content-Disposition: form-data; name*=utf-8''a", b"1")), [Fault(400, UNNAMED)]),
    "an attachment": (form((b'Content-Disposition: attachment; name="a"', b"1")), [Fault(400, INVALID)]),
    "two dispositions": (form((FIELD + b"\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "an empty disposition and another": (form((b"Content-Disposition:\r\n" + FIELD, b"1")), [Fault(400, INVALID)]),
    "a length of the part": (
        form((FIELD + b"\r\nContent-Length: -1", b"1")),  # RFC 7578 §4.8: ignored
        [WITH_LENGTH, b"1", PART_END, END],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_body_means_the_same_however_it_is_split(case: str) -> None:
    body, expected = CASES[case]
    assert read([body]) == expected
    assert read(bytewise(body)) == expected
    for cut in range(1, len(body)):
        assert read([body[:cut], body[cut:]]) == expected, cut


PIECES = st.sampled_from(
    (
        *(b"--B", b"\r\n", b"\r", b"\n", b"--", b"-", b"x", b": ", FIELD, FILE),
        *(b"\r\n\r\n", b"--B\r\n" + FIELD + b"\r\n\r\n", b"\r\n--B--\r\n"),
    )
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 300), max_size=6), st.booleans())
def test_any_bytes_mean_the_same_however_they_are_split(rest: bytes, cuts: list[int], well_begun: bool) -> None:
    body = b"--B\r\n" + FIELD + b"\r\n\r\n" + rest if well_begun else rest
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    whole = read([body])
    assert read(pieces) == whole
    assert read(bytewise(body)) == whole


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=5), st.integers(1, 50))
def test_what_is_written_is_read(parts: list[tuple[bool, bytes]], size: int) -> None:
    body = form(*((FILE if is_file else FIELD, data.replace(b"--B", b"")) for is_file, data in parts))
    expected = []
    for is_file, data in parts:
        clean = data.replace(b"--B", b"")
        expected += [X if is_file else A, *([clean] if clean else []), PART_END]
    assert read([body[at : at + size] for at in range(0, len(body), size)]) == [*expected, END]


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        (b'form-data; name="a;b"; filename="x; name=z"', "a;b", "x; name=z"),
        (b'form-data; name="a%22%0D%0A"', 'a"\r\n', None),  # as browsers write them
        (b'form-data; name="a\\"b"', 'a"b', None),
        (b'form-data; name="f"; filename="C:\\dir\\y.txt"', "f", "y.txt"),
        (b'form-data; name="f"; filename=""', "f", ""),
        (b"form-data; name=f; filename=x", "f", "x"),
        (b'Form-Data; NAME="a"', "a", None),
        (b'form-data; name="a";', "a", None),
        (b'form-data; name="f"; filename="x"; filename*=utf-8\'\'..%2Fy', "f", "x"),  # RFC 7578 §4.2
        ('form-data; name="é"; filename="文書"'.encode(), "é", "文書"),
        (b'form-data; name="\xe9"', "é", None),  # no UTF-8
    ],
)
def test_names_are_read_as_clients_write_them(disposition: bytes, name: str, filename: str | None) -> None:
    part = read([form((b"Content-Disposition: " + disposition, b""))])[0]
    assert isinstance(part, Part)
    assert (part.name, part.filename) == (name, filename)


def test_a_header_keeps_its_order_and_loses_its_case() -> None:
    part = read([form((b"X-One: 1\r\n" + FILE + b"\r\nContent-TYPE:\ttext/plain ", b""))])[0]
    assert isinstance(part, Part)
    assert [name for name, _ in part.headers] == [b"x-one", b"content-disposition", b"content-type"]
    assert part.headers[2] == (b"content-type", b"text/plain")


@pytest.mark.parametrize("boundary", ["", "B" * 257, "B\n", "B\r\n", "é", "B\0"])
def test_a_boundary_that_is_none_is_a_fault(boundary: str) -> None:
    reader = MultipartReader(boundary, Limits())
    assert reader.feed(b"--B--") == [Fault(400, INVALID)]
    assert reader.finish() == Fault(400, INVALID)


def test_a_fault_stays() -> None:
    reader = MultipartReader("B", Limits())
    fault = Fault(400, INVALID)
    assert reader.feed(b"xyz") == [fault]
    assert reader.feed(form((FIELD, b"1"))) == [fault]
    assert reader.finish() == fault


LIMITED = {
    "files": (Limits(files=1), form((FILE, b""), (FILE, b"")), "Too many files. Maximum number of files is 1."),
    "fields": (Limits(fields=1), form((FIELD, b""), (FIELD, b"")), "Too many fields. Maximum number of fields is 1."),
    "no field": (Limits(fields=0), form((FIELD, b"")), "Too many fields. Maximum number of fields is 0."),
    "bytes of a field": (Limits(field=1024), form((FIELD, b"x" * 1025)), "Part exceeded maximum size of 1KB."),
    "number of headers": (Limits(headers=2), form((b"X: 1\r\nY: 2\r\n" + FIELD, b"")), INVALID),
    "bytes of a header": (Limits(line=50), form((FIELD + b"; x=aaaaaaaaa", b"")), INVALID),
    "bytes of all headers": (Limits(head=60), form((b"X: " + b"y" * 20 + b"\r\n" + FIELD, b"")), INVALID),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_a_form_over_a_limit_is_refused(limit: str) -> None:
    limits, body, reason = LIMITED[limit]
    for pieces in ([body], bytewise(body)):
        assert read(pieces, limits)[-1] == Fault(400, reason)


def test_a_form_at_its_limits_is_read() -> None:
    body = form((b"X: 1\r\n" + FIELD, b"x" * 10), (FILE, b"y" * 2000), (b"X: 1\r\n" + FIELD, b"x" * 10))
    limits = Limits(files=1, fields=2, field=10, headers=2, line=len(FILE), head=len(FILE))
    for pieces in ([body], bytewise(body)):
        assert read(pieces, limits)[-1] is END


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_limit_holds_before_the_part_ends(size: int) -> None:
    reader = MultipartReader("B", Limits(field=1000, line=200))
    events = []
    fed = 0
    for start in (b"--B\r\n" + FIELD + b"\r\n\r\n", b"x" * 5000):
        for at in range(0, len(start), size):
            fed += len(start[at : at + size])
            events = reader.feed(start[at : at + size])
            if events and type(events[-1]) is Fault:
                assert fed < 1200
                return
    raise AssertionError("never refused")


@pytest.mark.parametrize("start", [b"--B\r\nX: ", b"--B\r\n"], ids=["value", "name"])
def test_a_header_without_an_end_is_not_kept(start: bytes) -> None:
    reader = MultipartReader("B", Limits(line=200))
    reader.feed(start)
    fed = 0
    while not reader.feed(b"x" * 16):
        fed += 16
        assert fed < 300


DELIMITER = b"\r\n--" + b"B" * 60
HOSTILE = {
    "line ends": (FILE, b"\r\n", 64 * 1024),
    "CR": (FILE, b"\r", 64 * 1024),
    "LF": (FILE, b"\n", 64 * 1024),
    "almost boundaries": (FILE, DELIMITER[:-1], 64 * 1024),
    "starts of boundaries": (FILE, b"\r\n--", 64 * 1024),
    "almost boundaries, cut": (FILE, DELIMITER[:-1], 61),
    "line ends in small pieces": (FILE, b"\r\n", 15),
    "parts": (FIELD, DELIMITER + b"\r\n" + FIELD + b"\r\n\r\n", 64 * 1024),
    "parts in small pieces": (FIELD, DELIMITER + b"\r\n" + FIELD + b"\r\n\r\n", 7),
    "quotes": (FIELD, DELIMITER + b"\r\n" + FIELD + b'; a="\\' * 500 + b"\r\n\r\n", 64 * 1024),
    "semicolons": (FIELD, DELIMITER + b"\r\n" + FIELD + b";" * 3900 + b"\r\n\r\n", 64 * 1024),
    "spaces": (FIELD, DELIMITER + b"\r\n" + FIELD + b"; " + b" " * 3900 + b"x\r\n\r\n", 64 * 1024),
    "long headers in small pieces": (FIELD, DELIMITER + b"\r\nX: " + b"y" * 4000 + b"\r\n" + FIELD + b"\r\n\r\n", 16),
}


def calls(body: bytes, size: int) -> int:
    """Return how many calls, of Python's or of C's functions, the reading of the body takes."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    reader = MultipartReader("B" * 60, Limits(files=1e9, fields=1e9))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    sys.setprofile(counting)
    try:
        for piece in pieces:
            reader.feed(piece)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_input_costs_linear_work(kind: str) -> None:
    start, repeated, size = HOSTILE[kind]
    opening = DELIMITER[2:] + b"\r\n" + start + b"\r\n\r\n"
    small, large = (opening + repeated * (length // len(repeated)) for length in (16 * 1024, 64 * 1024))
    assert calls(large, size) <= 5 * calls(small, size)


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if HOSTILE[kind][2] > 100])
def test_a_mebibyte_of_hostile_input_takes_no_time_to_speak_of(kind: str) -> None:
    start, repeated, size = HOSTILE[kind]
    body = DELIMITER[2:] + b"\r\n" + start + b"\r\n\r\n" + repeated * (MIB // len(repeated))
    reader = MultipartReader("B" * 60, Limits(files=1e9, fields=1e9))
    begun = time.process_time()
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    assert time.process_time() - begun < 3
