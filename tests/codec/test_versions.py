"""A request means the same in every version of HTTP, and what one refuses the other does, too (RFC 9110 §1.2)."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from portico.codec.defaults import Defaults
from portico.codec.events import Fault, Request
from portico.codec.fields import FieldError
from portico.codec.http1.reader import RequestReader
from portico.codec.http1.writer import ResponseWriter
from portico.codec.http2.messages import ResponseFields, read_request
from portico.codec.limits import Limits

Fields = list[tuple[bytes, bytes]]

SAME = (
    "method", "target", "path", "raw_path", "query_string", "headers", "keep_alive", "has_body", "content_length",
    "expects_continue", "wants_trailers", "forwarded", "upgrades", "connection_upgrade", "protocol",
)  # fmt: skip
LIMITS = Limits(line=300, fields=6, body=1000)
# The wire of HTTP/1.1 has no way to write the others.
OCTETS = st.integers(0, 255).filter(lambda octet: octet not in b"\r\n")
METHODS = st.sampled_from([b"GET"] * 8 + [b"HEAD", b"POST", b"OPTIONS", b"BREW", b"G\x7fT", b"get"])
TARGETS = st.one_of(
    st.sampled_from([b"/", b"/?", b"/a?b?c", b"/%c3%a9%2F%zz?%20", b"//a/../b", b"/|{}^", b"/a;b=c,d"]),
    st.sampled_from([b"*", b"/a#b", b"/a\x00", b"/\xe9", b"x"]),
    st.lists(st.integers(0x21, 0x7F), max_size=8).map(lambda octets: b"/" + bytes(octets)),
)
HOSTS = st.sampled_from([b"a", b"example.com:8080", b"[::1]:80"] * 5 + [b"", b"a b", b"u@a", b"a:b", b"a,b", b"[::1"])
NAMES = st.sampled_from(
    [*b"accept x-custom x-other content-length expect x-forwarded-for te cookie priority".split(), b"x y", b""]
)
VALUES = st.one_of(
    st.sampled_from(
        [b"", b"5", b"1000", b"1001", b"+5", b"100-continue", b"trailers", b"a, b", b"a\x01b", b"a\tb", b"9" * 19]
    ),
    st.sampled_from([b"5", b"100-continue", b"trailers", b"a, b", b"a\tb", b"\xff"]),
    st.lists(OCTETS, max_size=4).map(bytes).map(lambda value: value.strip(b" \t")),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=7, unique_by=lambda field: field[0])


def read_1(method: bytes, target: bytes, host: bytes, fields: Fields) -> Request | None:
    reader = RequestReader(LIMITS)
    lines = [b"%b: %b\r\n" % field for field in [(b"host", host), *fields]]
    reader.feed(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines)))
    event = reader.next_event()
    assert isinstance(event, Request | Fault)
    return event if isinstance(event, Request) else None


def read_2(method: bytes, target: bytes, host: bytes, fields: Fields) -> Request | None:
    ended = all(name != b"content-length" or value == b"0" for name, value in fields)
    head = [(b":method", method), (b":scheme", b"http"), (b":authority", host), (b":path", target)]
    event = read_request([*head, *fields], ended, LIMITS)
    return event if isinstance(event, Request) else None


@given(METHODS, TARGETS, HOSTS, FIELDS)
@example(b"GET", b"/", b"a", [(b"te", b"trailers"), (b"expect", b"100-continue"), (b"x-forwarded-for", b"a")])
@example(b"POST", b"/a?b", b"a", [(b"content-length", b"5")])
def test_a_request_means_the_same(method: bytes, target: bytes, host: bytes, fields: Fields) -> None:
    if any(name == b"te" and value != b"trailers" for name, value in fields):
        return  # RFC 9113 §8.2.2: HTTP/2 has no other
    first = read_1(method, target, host, fields)
    second = read_2(method, target, host, fields)
    assert (first is None) == (second is None)
    if first is None or second is None:
        return
    for name in SAME:
        assert getattr(first, name) == getattr(second, name), name
    assert (first.http_version, second.http_version) == ("1.1", "2")


SENT_NAMES = st.sampled_from(
    [b"Accept", b"x-a", b"Content-Length", b"connection", b"Transfer-Encoding", b"keep-alive", b"Date", b"server",
     b"x y", b"", b"set-cookie", "x", None, b"strict-transport-security"]
)  # fmt: skip
SENT_VALUES = st.sampled_from([b"", b"5", b"6", b"a b", b"a\r\nb", b"a\0", "text", 5, b"close", b"\xff", b"chunked"])


def refusal(take: Callable[[], None]) -> str | None:
    try:
        take()
    except FieldError as error:
        return str(error)
    return None


@given(st.lists(st.tuples(SENT_NAMES, SENT_VALUES) | st.just([b"x-list", b"1"]), max_size=5))
def test_an_application_may_send_the_same(headers: list[tuple[object, object]]) -> None:
    writer = ResponseWriter(Defaults(b"", b""))
    fields = ResponseFields()
    refusals = [refusal(lambda: writer.start(200, headers)), refusal(lambda: fields.take(headers))]
    assert refusals[0] == refusals[1]
    if refusals[0] is not None:
        return
    assert b"".join(writer.fields) == b"".join(b"%b: %b\r\n" % field for field in fields.fields)
    assert (writer.content_length, writer.has_date, writer.has_server, writer.has_hsts) == (
        fields.content_length,
        fields.has_date,
        fields.has_server,
        fields.has_hsts,
    )
