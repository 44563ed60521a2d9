"""Requests that are like the one before are what `read_request` makes of them, whoever did what to that one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.frames import indexed, literal

from portico.codec.events import Fault, Request
from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.messages import read_request
from portico.codec.http2.requests import MAX_KEPT, RequestReader
from portico.codec.limits import Limits

Fields = list[tuple[bytes, bytes]]

LIMITS = Limits()
GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a"), (b"accept", b"*/*")]
PATHS = [b"/", b"/a", b"/a?b=c", b"/a?", b"/b?c%20d", b"/%C3%A4", b"*", b"", b"a", b"/\x00", b"/" + b"x" * 9000]


def facts(request: Request | str | Fault) -> object:
    """Return all that there is to know of what was read."""
    if isinstance(request, str):
        return request
    if isinstance(request, Fault):
        return request.status, request.reason
    return {name: getattr(request, name) for name in slots_of(Request)}


def slots_of(kind: type) -> list[str]:
    """Return the fields of a request; those of a compiled one are in its class as well."""
    return [name for name in dir(kind) if not name.startswith("_") and name != "copy"]


def with_path(path: bytes) -> Fields:
    """Return the objects of GET, but for another path."""
    return [(b":path", path) if field[0] == b":path" else field for field in GET]


def check(reader: RequestReader, fields: Fields, *, ended: bool = True) -> Request | str | Fault:
    """Read a list; what comes out has to be what it is by itself."""
    request = reader.read(fields, 100, ended, LIMITS)
    assert facts(request) == facts(read_request(fields, ended, LIMITS))
    return request


def test_the_facts_are_all_of_a_request() -> None:
    assert {"method", "path", "headers", "query_string", "priority", "protocol", "has_body"} <= set(slots_of(Request))


def test_a_list_that_comes_again_is_read_the_same() -> None:
    reader = RequestReader()
    for _ in range(4):
        assert isinstance(check(reader, GET), Request)


@pytest.mark.parametrize("second", PATHS)
@pytest.mark.parametrize("first", PATHS)
def test_another_path_is_read_anew(first: bytes, second: bytes) -> None:
    reader = RequestReader()
    for path in (first, second, second, first, first, second):
        check(reader, with_path(path))


def test_nobody_sees_what_another_does_to_a_request() -> None:
    reader = RequestReader()
    for _ in range(4):
        request = check(reader, GET)
        assert isinstance(request, Request)
        request.headers.append((b"x-mine", b"1"))
        request.headers[0] = (b"host", b"other")
        request.path = "/other"
        request.query_string = b"mine"
        request.has_body = True


def test_whether_a_body_follows_is_a_part_of_the_request() -> None:
    reader = RequestReader()
    for ended in (True, True, False, False, False, True, True):
        check(reader, GET, ended=ended)


def test_other_objects_are_read_anew() -> None:
    reader = RequestReader()
    for _ in range(3):
        check(reader, GET)
    for place in range(len(GET)):
        fields = GET[:]
        fields[place] = (GET[place][0], b"?")
        for _ in range(3):
            check(reader, fields)
        check(reader, GET)
        check(reader, GET)
    for fields in (GET[:-1], [*GET, (b"te", b"gzip")], [*GET, (b":path", b"/")], GET[::-1], [], [(b"a", b"b")]):
        for _ in range(3):
            check(reader, fields)


def test_a_second_path_is_refused_however_often_it_comes() -> None:
    reader = RequestReader()
    twice = [*GET, (b":path", b"/")]
    for _ in range(4):
        assert isinstance(check(reader, twice), str)
        assert isinstance(check(reader, [*GET, (b":path", b"/a")]), str)
        check(reader, with_path(b"/a"))


@pytest.mark.parametrize(
    "extra",
    [(b"content-length", b"5"), (b"expect", b"100-continue"), (b"te", b"gzip"), (b"Upper", b"1"), (b"host", b"b")],
)
def test_what_is_refused_is_refused_again(extra: tuple[bytes, bytes]) -> None:
    reader = RequestReader()
    for path in (b"/", b"/", b"/a", b"/a"):
        for ended in (True, True, False, False):
            check(reader, [*with_path(path), extra], ended=ended)


def test_a_list_that_is_large_is_not_kept() -> None:
    reader = RequestReader()
    for _ in range(3):
        reader.read(GET, MAX_KEPT + 1, True, LIMITS)
        assert reader.fields == []
        assert reader.request is None
    for _ in range(3):
        check(reader, [])


CHOICES = st.lists(
    st.tuples(st.sampled_from([b"GET", b"POST", b"OPTIONS"]), st.sampled_from(PATHS), st.integers(0, 3), st.booleans())
)


@given(CHOICES)
def test_a_connection_reads_what_each_of_its_blocks_says(asked: list[tuple[bytes, bytes, int, bool]]) -> None:
    """The lists are those of a decoder here, whose tables share their fields."""
    decoder, reader = HeaderDecoder(), RequestReader()
    decoder.decode(literal(b"x-kept", b"1", store=True) + literal(b":authority", b"a", store=True), 1 << 20)
    for method, path, more, ended in asked:
        block = literal(2, method) if method != b"GET" else indexed(2)
        block += indexed(7) + literal(4, path) + indexed(62) + indexed(63) * more
        fields = decoder.decode(block, 1 << 20)
        assert fields is not None
        assert facts(reader.read(fields, decoder.size, ended, LIMITS)) == facts(read_request(fields, ended, LIMITS))
