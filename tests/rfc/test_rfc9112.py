"""RFC 9112, HTTP/1.1 messages: what must be refused, what must be understood, and where a message ends.

A refused case is sent whole, byte by byte, and with a second request behind it that must never be interpreted.
"""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.live import Answer, Echo, Live, Wire, answers, finished, live, one_by_one, raw, seen

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
Case = tuple[str, bytes, set[int]]


@dataclass
class Served:
    """The one server of this module and the app behind it."""

    server: Live
    app: Echo

    @property
    def port(self) -> int:
        return self.server.port


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    app = Echo()
    with live(app) as server:
        yield Served(server, app)


@pytest.fixture
def served(shared: Served) -> Served:
    # A task that the case before has left is run first: before Python 3.12 it starts one turn of the loop late.
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), shared.server.loop).result(5)
    shared.app.calls.clear()
    return shared


def start(line: bytes) -> bytes:
    """Return a request with this request line."""
    return line + b"\r\nHost: a\r\n\r\n"


def field(line: bytes) -> bytes:
    """Return a request with this field line after its Host."""
    return GET + line + b"\r\n\r\n"


def host(value: bytes) -> bytes:
    """Return a request with this Host."""
    return b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


def length(value: bytes, body: bytes = b"hello") -> bytes:
    """Return a request with this Content-Length."""
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + body


def both(*lines: bytes) -> bytes:
    """Return a request with these framing lines and a chunked body of nothing."""
    return POST + b"\r\n".join(lines) + b"\r\n\r\n0\r\n\r\n"


def coding(*values: bytes) -> bytes:
    """Return a request with these Transfer-Encoding lines and a chunked body."""
    lines = b"".join(b"Transfer-Encoding: " + value + b"\r\n" for value in values)
    return POST + lines + b"\r\n5\r\nhello\r\n0\r\n\r\n"


BAD = {400}

REQUEST_LINES: list[Case] = [
    ("two spaces after the method", start(b"GET  / HTTP/1.1"), BAD),
    ("two spaces before the version", start(b"GET /  HTTP/1.1"), BAD),
    ("a space before the method", start(b" GET / HTTP/1.1"), BAD),
    ("a space after the version", start(b"GET / HTTP/1.1 "), BAD),
    ("a tab after the method", start(b"GET\t/ HTTP/1.1"), BAD),
    ("a tab before the version", start(b"GET /\tHTTP/1.1"), BAD),
    ("a form feed for a space", start(b"GET\x0c/ HTTP/1.1"), BAD),
    ("no target", start(b"GET HTTP/1.1"), BAD),
    ("no version (HTTP/0.9)", b"GET /\r\n\r\n", BAD),
    ("no version and a bare LF", b"GET /\n\n", BAD),
    ("a bare LF ends the line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", BAD),
    ("a bare CR ends the line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", BAD),
    ("a bare CR in the target", start(b"GET /a\rb HTTP/1.1"), BAD),
    ("CR CR LF ends the line", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BAD),
    ("a lower-case protocol name", start(b"GET / http/1.1"), BAD),
    ("another protocol", start(b"GET / RTSP/1.1"), BAD),
    ("ICY", start(b"GET / ICY/1.1"), BAD),
    ("no dot in the version", start(b"GET / HTTP/11"), BAD),
    ("no minor version", start(b"GET / HTTP/1"), BAD),
    ("an empty minor version", start(b"GET / HTTP/1."), BAD),
    ("two minor digits", start(b"GET / HTTP/1.10"), BAD),
    ("two major digits", start(b"GET / HTTP/01.1"), BAD),
    ("a comma in the version", start(b"GET / HTTP/1,1"), BAD),
    ("a letter in the version", start(b"GET / HTTP/1.x"), BAD),
    ("more after the version", start(b"GET / HTTP/1.1 HTTP/1.1"), BAD),
    ("HTTP/0.9 by name", start(b"GET / HTTP/0.9"), {400, 505}),
    ("HTTP/2.0", start(b"GET / HTTP/2.0"), {505}),
    ("HTTP/3.0", start(b"GET / HTTP/3.0"), {505}),
    ("a parenthesis in the method", start(b"GE(T / HTTP/1.1"), BAD),
    ("a NUL in the method", start(b"GE\x00T / HTTP/1.1"), BAD),
    ("a slash in the method", start(b"GE/T / HTTP/1.1"), BAD),
    ("a quote in the method", start(b'"GET" / HTTP/1.1'), BAD),
    ("a colon in the method", start(b"GET: / HTTP/1.1"), BAD),
    ("obs-text in the method", start(b"G\xcbT / HTTP/1.1"), BAD),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD),
    ("an unknown method", start(b"BREW / HTTP/1.1"), {501}),
    ("methods are case-sensitive", start(b"get / HTTP/1.1"), {501}),
    ("a longer method that starts like a known one", start(b"GETS / HTTP/1.1"), {501}),
]

TARGETS: list[Case] = [
    ("a path without a slash", start(b"GET a HTTP/1.1"), BAD),
    ("only a query", start(b"GET ?a=b HTTP/1.1"), BAD),
    ("a space", start(b"GET /a b HTTP/1.1"), BAD),
    ("a NUL", start(b"GET /a\x00b HTTP/1.1"), BAD),
    ("a control byte", start(b"GET /a\x01b HTTP/1.1"), BAD),
    ("a DEL", start(b"GET /a\x7fb HTTP/1.1"), BAD),
    ("a tab", start(b"GET /a\tb HTTP/1.1"), BAD),
    ("a byte that is not ASCII", start(b"GET /\xff HTTP/1.1"), BAD),
    ("a fragment", start(b"GET /a#b HTTP/1.1"), BAD),
    ("a fragment after a query", start(b"GET /a?b#c HTTP/1.1"), BAD),
    ("a fragment in absolute-form", start(b"GET http://a/#b HTTP/1.1"), BAD),
    ("an asterisk with GET", start(b"GET * HTTP/1.1"), BAD),
    ("an asterisk and more", start(b"OPTIONS *a HTTP/1.1"), BAD),
    ("an authority with GET", start(b"GET a:80 HTTP/1.1"), BAD),
    ("an authority with OPTIONS", start(b"OPTIONS a:80 HTTP/1.1"), BAD),
    ("CONNECT to a path", start(b"CONNECT / HTTP/1.1"), BAD),
    ("CONNECT without a port", start(b"CONNECT a HTTP/1.1"), BAD),
    ("CONNECT with an empty host", start(b"CONNECT :80 HTTP/1.1"), BAD),
    ("CONNECT in absolute-form", start(b"CONNECT http://a:80/ HTTP/1.1"), BAD),
    ("CONNECT with userinfo", start(b"CONNECT u@a:80 HTTP/1.1"), BAD),
    ("CONNECT with a bad port", start(b"CONNECT a:b HTTP/1.1"), BAD),
    ("absolute-form with an empty host", start(b"GET http:///a HTTP/1.1"), BAD),
    ("absolute-form with only a port", start(b"GET http://:80/ HTTP/1.1"), BAD),
    ("absolute-form with userinfo", start(b"GET http://u:p@a/ HTTP/1.1"), BAD),
    ("absolute-form with a bad port", start(b"GET http://a:b/ HTTP/1.1"), BAD),
    ("absolute-form with a bad IPv6 address", start(b"GET http://[::g]/ HTTP/1.1"), BAD),
    ("absolute-form without slashes", start(b"GET http:a HTTP/1.1"), BAD),
]

FIELDS: list[Case] = [
    ("a space before the colon", field(b"A : b"), BAD),
    ("a tab before the colon", field(b"A\t: b"), BAD),
    ("a space before the colon of Content-Length", POST + b"Content-Length : 5\r\n\r\nhello", BAD),
    ("a space before the colon of Transfer-Encoding", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", BAD),
    ("a space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD),
    ("a tab before the first field", b"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", BAD),
    ("whitespace alone before the first field", b"GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", BAD),
    ("obs-fold with a space", field(b"A: b\r\n c"), BAD),
    ("obs-fold with a tab", field(b"A: b\r\n\tc"), BAD),
    ("obs-fold of nothing", field(b"A: b\r\n "), BAD),
    ("obs-fold in Content-Length", length(b"\r\n 5"), BAD),
    ("obs-fold in Transfer-Encoding", coding(b"\r\n chunked"), BAD),
    ("no name", field(b": b"), BAD),
    ("no colon", field(b"A"), BAD),
    ("a space in the name", field(b"A B: c"), BAD),
    ("a parenthesis in the name", field(b"A(: c"), BAD),
    ("a NUL in the name", field(b"A\x00: c"), BAD),
    ("a slash in the name", field(b"A/B: c"), BAD),
    ("obs-text in the name", field(b"A\xe9: c"), BAD),
    ("a control byte in the name", field(b"A\x1f: c"), BAD),
    ("a bare CR in the name", field(b"A\rB: c"), BAD),
    ("a NUL in the value", field(b"A: b\x00c"), BAD),
    ("a NUL at the end of the value", field(b"A: b\x00"), BAD),
    ("a bare CR in the value", field(b"A: b\rc"), BAD),
    ("a bare CR before another field", field(b"A: b\rTransfer-Encoding: chunked"), BAD),
    ("a bare LF in the value", field(b"A: b\nc: d"), BAD),
    ("CR CR LF", field(b"A: b\r"), BAD),
    ("a bare LF ends the last field", GET + b"A: b\n\r\n", BAD),
    ("a bare LF ends the section", GET + b"\n", BAD),
    ("a bare CR ends the section", GET + b"A: b\r\n\rX: y\r\n\r\n", BAD),
    *[
        (f"control byte {c:#04x} in a value", field(b"A: b" + bytes([c]) + b"c"), BAD)
        for c in (1, 8, 11, 12, 27, 28, 31, 127)
    ],
]

HOSTS: list[Case] = [
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", BAD),
    ("no Host in absolute-form", b"GET http://a/ HTTP/1.1\r\n\r\n", BAD),
    ("two Hosts", GET + b"Host: b\r\n\r\n", BAD),
    ("two equal Hosts", GET + b"Host: a\r\n\r\n", BAD),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", BAD),
    ("a bad Host in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", BAD),
    ("a bad Host in absolute-form", b"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", BAD),
    *[
        (f"Host {value.decode('latin-1')!r}", host(value), BAD)
        for value in (
            b"u@a", b"u:p@a", b"@", b"a b", b"a\tb", b"a:b", b"a:80x", b"a:-1", b"a:+80", b"a:80:80", b"a: 80",
            b"a :80",
            b":", b":80",
            b"::1", b"[::1", b"::1]", b"[]", b"[::g]", b"[:::1]", b"[::1]x", b"[::1]:x", b"[::1]80", b"[1.2.3.4]",
            b"[::1%25eth0]",
            b"[1:2:3:4:5:6:7:8:9]", b"[::1::2]", b"[12345::]", b"x[::1]",
            b"a/b", b"/", b"a/", b"http://a", b"a?b", b"a#b", b"a\\b", b"a,b", b"a, b", b"a<b", b'a"b', b"a|b",
            b"a^b", b"a`b", b"{a}",
            b"%", b"%z1", b"a%4", b"\xe9", "é".encode(),
        )
    ],
]  # fmt: skip

FRAMING: list[Case] = [
    ("Content-Length and Transfer-Encoding", both(b"Content-Length: 5", b"Transfer-Encoding: chunked"), BAD),
    ("Transfer-Encoding and Content-Length", both(b"Transfer-Encoding: chunked", b"Content-Length: 5"), BAD),
    ("Content-Length 0 and Transfer-Encoding", both(b"Content-Length: 0", b"Transfer-Encoding: chunked"), BAD),
    ("Content-Length and an unknown coding", POST + b"Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello", BAD),
    ("two different lengths", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", BAD),
    ("two equal lengths", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", BAD),
    ("a second length in another case", POST + b"Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", BAD),
    *[
        (f"Content-Length {value.decode('latin-1')!r}", length(value), BAD)
        for value in (
            b"", b"+5", b"-5", b"5, 6", b"5, 5", b"5,5", b"5,", b"0x5", b"5 5", b"1_0", b"5.0", b"5;", b'"5"',
            b"1e2", b"five",
            b"5\x0b", "\uff15".encode(), "\u0665".encode(),
        )
    ],
    ("a length over 64 bits", length(b"99999999999999999999999"), {400, 413}),
    ("a length over 63 bits", length(b"9999999999999999999"), {400, 413}),
    ("a length of 2**64 + 5", length(b"18446744073709551621"), {400, 413}),
    *[
        (f"Transfer-Encoding {b' | '.join(values).decode('latin-1')!r}", coding(*values), statuses)
        for values, statuses in (
            ((b"gzip",), BAD), ((b"identity",), BAD), ((b"xchunked",), BAD), ((b"chunkedx",), BAD), ((b"",), BAD),
            ((b"chunked, gzip",), BAD),
            ((b"chunked", b"gzip"), BAD), ((b"chunked, identity",), BAD), ((b"chunked, chunked",), BAD),
            ((b"chunked", b"chunked"), BAD),
            ((b"chunked", b"Chunked"), BAD), ((b"chunked, gzip, chunked",), BAD), ((b'"chunked"',), BAD),
            ((b"\x0bchunked",), BAD),
            ((b"chunked\x0b",), BAD), ((b"chun ked",), BAD), ((b"gzip chunked",), BAD),
            ((b"chunked;a=b",), {400, 501}),
            ((b"gzip, chunked",), {501}), ((b"gzip", b"chunked"), {501}), ((b"gzip,chunked",), {501}),
            ((b"x-y, chunked",), {501}),
            ((b"identity, chunked",), {400, 501}),
        )
    ],
    ("Transfer-Encoding in HTTP/1.0", coding(b"chunked").replace(b"1.1", b"1.0"), BAD),
    ("the same and keep-alive", coding(b"chunked\r\nConnection: keep-alive").replace(b"1.1", b"1.0"), BAD),
]  # fmt: skip

CHUNKS: list[Case] = [
    (name, CHUNKED + body, statuses)
    for name, body, statuses in (
        ("an empty size", b"\r\nhello\r\n0\r\n\r\n", BAD),
        ("a plus", b"+5\r\nhello\r\n0\r\n\r\n", BAD),
        ("a minus", b"-5\r\nhello\r\n0\r\n\r\n", BAD),
        ("0x", b"0x5\r\nhello\r\n0\r\n\r\n", BAD),
        ("an underscore", b"0_5\r\nhello\r\n0\r\n\r\n", BAD),
        ("a space before the size", b" 5\r\nhello\r\n0\r\n\r\n", BAD),
        ("a space after the size", b"5 \r\nhello\r\n0\r\n\r\n", BAD),
        ("a tab after the size", b"5\t\r\nhello\r\n0\r\n\r\n", BAD),
        ("a space inside the size", b"0 5\r\nhello\r\n0\r\n\r\n", BAD),
        ("not hexadecimal", b"g\r\nhello\r\n0\r\n\r\n", BAD),
        ("a digit of another script", "\uff15\r\nhello\r\n0\r\n\r\n".encode(), BAD),
        ("17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n", {400, 413}),
        ("2**64 - 1", b"ffffffffffffffff1\r\nhello\r\n0\r\n\r\n", {400, 413}),
        ("a NUL after the size", b"5\x00\r\nhello\r\n0\r\n\r\n", BAD),
        ("a bare LF after the size", b"5\nhello\r\n0\r\n\r\n", BAD),
        ("a bare CR after the size", b"5\rhello\r\n0\r\n\r\n", BAD),
        ("CR CR LF after the size", b"5\r\r\nhello\r\n0\r\n\r\n", BAD),
        ("an empty extension of a bare LF", b"5;\nhello\r\n0\r\n\r\n", BAD),
        ("a bare LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n", BAD),
        ("a bare CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n", BAD),
        ("a NUL in an extension", b"5;a\x00b\r\nhello\r\n0\r\n\r\n", BAD),
        ("CR LF in a quoted extension", b'5;a="\r\nb"\r\nhello\r\n0\r\n\r\n', BAD),
        ("a bare LF in a quoted extension", b'5;a="\nb"\r\nhello\r\n0\r\n\r\n', BAD),
        ("a space in an extension name", b"5;a b\r\nhello\r\n0\r\n\r\n", BAD),
        ("an endless extension", b"5;a=" + b"x" * 20000 + b"\r\nhello\r\n0\r\n\r\n", {400, 413}),
        (
            "endless extensions in sum",
            b"".join(b"1;a=%b\r\nx\r\n" % (b"y" * 1000) for _ in range(40)) + b"0\r\n\r\n",
            {400, 413},
        ),
        ("a byte after a chunk", b"5\r\nhelloX\r\n0\r\n\r\n", BAD),
        ("a chunk longer than its size", b"5\r\nhello world\r\n0\r\n\r\n", BAD),
        ("nothing after a chunk", b"5\r\nhello0\r\n\r\n", BAD),
        ("a bare LF after a chunk", b"5\r\nhello\n0\r\n\r\n", BAD),
        ("a bare CR after a chunk", b"5\r\nhello\r0\r\n\r\n", BAD),
        ("CR CR LF after a chunk", b"5\r\nhello\r\r\n0\r\n\r\n", BAD),
        ("two line ends after a chunk", b"5\r\nhello\r\n\r\n0\r\n\r\n", BAD),
        ("a bare LF after the last chunk", b"0\n\r\n", BAD),
        ("a bare LF ends the trailers", b"0\r\n\n", BAD),
        ("a trailer without a colon", b"0\r\nA\r\n\r\n", BAD),
        ("a trailer with a space before its colon", b"0\r\nA : b\r\n\r\n", BAD),
        ("a trailer with obs-fold", b"0\r\nA: b\r\n c\r\n\r\n", BAD),
        ("a trailer with a NUL", b"0\r\nA: b\x00c\r\n\r\n", BAD),
        ("a trailer with a bare LF", b"0\r\nA: b\nC: d\r\n\r\n", BAD),
        ("a trailer with a bad name", b"0\r\nA(: b\r\n\r\n", BAD),
        ("Content-Length in trailers", b"0\r\nContent-Length: 5\r\n\r\n", BAD),
        ("Transfer-Encoding in trailers", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", BAD),
        ("Host in trailers", b"0\r\nHost: b\r\n\r\n", BAD),
        ("too many trailers", b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n", {400, 431}),
        ("too long trailers", b"0\r\nA: " + b"b" * 40000 + b"\r\n\r\n", {400, 431}),
    )
]

MODES = ("whole", "byte by byte", "with trailing bytes", "byte by byte with trailing bytes")


def table(*tables: list[Case]) -> pytest.MarkDecorator:
    """Parametrise over the cases of these tables."""
    cases = [case for rows in tables for case in rows]
    return pytest.mark.parametrize(("data", "statuses"), [case[1:] for case in cases], ids=[case[0] for case in cases])


def refused(served: Served, data: bytes, statuses: set[int], mode: str) -> None:
    """Send `data`; assert one refusal, a closed connection, and that the next request was not interpreted."""
    if "trailing" in mode:
        data += SECOND
    pieces = one_by_one(data) if mode.startswith("byte") else None
    only = answers(finished(served.port, data, pieces=pieces))
    assert [answer.status in statuses for answer in only] == [True], only
    assert only[0].closes
    assert "/second" not in served.app.calls


@pytest.mark.parametrize("mode", MODES)
class TestRefused:
    """RFC 9112 §2.2: a message that does not match the grammar gets a 400 and the connection is closed."""

    @table(REQUEST_LINES)
    def test_a_bad_request_line(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§3: method SP request-target SP HTTP-version CRLF, and nothing else; §2.3: the version is case-sensitive."""
        refused(served, data, statuses, mode)
        assert served.app.calls == []

    @table(TARGETS)
    def test_a_bad_target(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§3.2: no whitespace is allowed in a target; each form only where it belongs."""
        refused(served, data, statuses, mode)
        assert served.app.calls == []

    @table(FIELDS)
    def test_a_bad_field_line(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§5.1: whitespace before the colon MUST be rejected; §5.2: and obs-fold; §2.2: and whitespace in front."""
        refused(served, data, statuses, mode)
        assert served.app.calls == []

    @table(HOSTS)
    def test_a_bad_host(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§3.2: a server MUST answer 400 to a 1.1 request without Host, and to any with several or an invalid one."""
        refused(served, data, statuses, mode)
        assert served.app.calls == []

    @table(FRAMING)
    def test_bad_framing(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§6.3: a bad length, or a final coding that is not chunked, MUST get 400; §6.1: unknown codings get 501."""
        refused(served, data, statuses, mode)
        assert served.app.calls == []

    @table(CHUNKS)
    def test_a_bad_chunk(self, served: Served, data: bytes, statuses: set[int], mode: str) -> None:
        """§7.1: chunk-size is 1*HEXDIG and MUST be guarded against overflow; §7.1.1: extensions MUST be bounded."""
        refused(served, data, statuses, mode)
        assert served.app.calls in ([], ["/first"])


def test_nothing_is_read_after_a_refusal(served: Served) -> None:
    """§2.2, §11.2: bytes behind a malformed message cannot be trusted, even when they arrive later."""
    with Wire(served.port) as wire:
        wire.send(field(b"A : b"))
        assert wire.answer().status == 400
        wire.send(SECOND)
        assert wire.rest() == b""
    assert served.app.calls == []


def test_requests_before_a_refusal_are_answered(served: Served) -> None:
    """§9.3.2: responses keep the order of the requests, a refusal included."""
    found = answers(finished(served.port, SECOND + SECOND + field(b"A : b") + SECOND))
    assert [answer.status for answer in found] == [200, 200, 400]
    assert served.app.calls == ["/second", "/second"]


# --- understood -------------------------------------------------------------------------------


def ask(served: Served, data: bytes, mode: str) -> list[Answer]:
    """Return the answers to `data` and a last request that closes; the last answer is checked and dropped."""
    data += BYE
    found = answers(finished(served.port, data, pieces=one_by_one(data) if mode.startswith("byte") else None))
    assert seen(found[-1])["path"] == "/bye"
    return found[:-1]


GOOD: list[tuple[str, bytes, dict[str, object]]] = [
    ("a leading empty line", b"\r\n" + GET + b"\r\n", {"path": "/"}),
    ("leading empty lines", b"\r\n\r\n" + GET + b"\r\n", {"path": "/"}),
    ("a query", start(b"GET /a?b=c&d HTTP/1.1"), {"path": "/a", "raw_path": b"/a", "query_string": b"b=c&d"}),
    ("an empty query", start(b"GET /a? HTTP/1.1"), {"path": "/a", "query_string": b""}),
    ("a question mark in the query", start(b"GET /a?b?c HTTP/1.1"), {"query_string": b"b?c"}),
    ("two slashes first", start(b"GET //a/b HTTP/1.1"), {"path": "//a/b", "raw_path": b"//a/b"}),
    ("a colon in the path", start(b"GET /a:b HTTP/1.1"), {"path": "/a:b"}),
    ("a URL in the path", start(b"GET /http://a/ HTTP/1.1"), {"path": "/http://a/"}),
    ("asterisk-form", start(b"OPTIONS * HTTP/1.1"), {"method": "OPTIONS", "raw_path": b"*"}),
    (
        "absolute-form",
        start(b"GET http://b:81/c?d HTTP/1.1"),
        {"path": "/c", "query_string": b"d", "headers": [(b"host", b"b:81")]},
    ),
    ("absolute-form without a path", start(b"GET http://b HTTP/1.1"), {"path": "/", "headers": [(b"host", b"b")]}),
    ("absolute-form with a query alone", start(b"GET http://b?c HTTP/1.1"), {"path": "/", "query_string": b"c"}),
    ("absolute-form in capitals", start(b"GET HTTP://B/ HTTP/1.1"), {"path": "/"}),
    ("absolute-form with IPv6", start(b"GET http://[::1]:80/ HTTP/1.1"), {"headers": [(b"host", b"[::1]:80")]}),
    ("a name in capitals", field(b"FOO: Bar"), {"headers": [(b"host", b"a"), (b"foo", b"Bar")]}),
    ("whitespace around a value", field(b"A:\t  b c \t "), {"headers": [(b"host", b"a"), (b"a", b"b c")]}),
    ("no whitespace before a value", field(b"A:b"), {"headers": [(b"host", b"a"), (b"a", b"b")]}),
    ("an empty value", field(b"A:"), {"headers": [(b"host", b"a"), (b"a", b"")]}),
    ("a value of whitespace", field(b"A: \t "), {"headers": [(b"host", b"a"), (b"a", b"")]}),
    ("a tab in a value", field(b"A: b\tc"), {"headers": [(b"host", b"a"), (b"a", b"b\tc")]}),
    ("a colon in a value", field(b"A: b:c"), {"headers": [(b"host", b"a"), (b"a", b"b:c")]}),
    ("obs-text in a value", field(b"A: \xe9\xff"), {"headers": [(b"host", b"a"), (b"a", b"\xe9\xff")]}),
    (
        "every tchar in a name",
        field(b"!#$%&'*+-.^_`|~09az: b"),
        {"headers": [(b"host", b"a"), (b"!#$%&'*+-.^_`|~09az", b"b")]},
    ),
    ("a length", length(b"5"), {"body": b"hello"}),
    ("a length with zeros", length(b"005"), {"body": b"hello"}),
    ("a length of nothing", length(b"0", b""), {"body": b""}),
    ("a body with GET", GET + b"Content-Length: 5\r\n\r\nhello", {"method": "GET", "body": b"hello"}),
    ("no length: no body", POST + b"\r\n", {"method": "POST", "body": b""}),
    ("chunks", coding(b"chunked"), {"body": b"hello"}),
    ("chunked in capitals", coding(b"CHUNKED"), {"body": b"hello"}),
    ("chunked in whitespace", coding(b" \tchunked  "), {"body": b"hello"}),
    ("no chunk but the last", CHUNKED + b"0\r\n\r\n", {"body": b""}),
    ("a size with zeros", CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n", {"body": b"hello"}),
    ("sizes in both cases", CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", {"body": b"0123456789" * 2}),
    ("an extension", CHUNKED + b"5;a\r\nhello\r\n0;b=c\r\n\r\n", {"body": b"hello"}),
    ("a quoted extension", CHUNKED + b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', {"body": b"hello"}),
    ("line ends in a chunk", CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", {"body": b"\r\n\r\n"}),
    (
        "trailers",
        CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n",
        {"body": b"hello", "headers": [(b"host", b"a"), (b"transfer-encoding", b"chunked")]},
    ),
]


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_message_is_understood(served: Served, data: bytes, expected: dict[str, object], mode: str) -> None:
    """§2.2: an empty line before a request SHOULD be ignored; §5: OWS is no part of the value;
    §7.1: chunked MUST be decoded; §7.1.1: unknown extensions MUST be ignored; §7.1.2: trailers MUST stay apart."""
    (answer,) = ask(served, data, mode)
    view = seen(answer)
    assert {key: view[key] for key in expected} == expected


@pytest.mark.parametrize(
    "value",
    [b"a", b"A.Example", b"a:80", b"a:", b"a.", b"a_b", b"a-b~c", b"xn--bcher-kva", b"127.0.0.1",
     b"127.0.0.1:8000", b"[::1]", b"[::1]:80",
     b"[2001:DB8::192.0.2.1]", b"[v1.a:b]", b"a%20b", b"a!$&'()*+;=b"],
)  # fmt: skip
def test_a_host_is_understood(served: Served, value: bytes) -> None:
    """RFC 9110 §7.2: Host = uri-host [ ":" port ]; RFC 3986 §3.2.2 says what a host is."""
    (answer,) = ask(served, host(value), "whole")
    assert seen(answer)["headers"] == [(b"host", value)]


@pytest.mark.xfail(reason="llhttp refuses it with 400, which is safe: nobody sends a tab there")
def test_a_tab_after_chunked(served: Served) -> None:
    """RFC 9110 §5.6.3: OWS may be a tab, and is no part of the value."""
    (answer,) = ask(served, coding(b"chunked\t"), "whole")
    assert seen(answer)["body"] == b"hello"


def test_absolute_form_replaces_host(served: Served) -> None:
    """§3.2.2: an origin server MUST ignore the received Host and use the host of the target instead."""
    (answer,) = ask(served, b"GET http://good:81/ HTTP/1.1\r\nX: y\r\nHost: evil\r\n\r\n", "whole")
    assert sorted(seen(answer)["headers"]) == [(b"host", b"good:81"), (b"x", b"y")]


def test_http_1_0_needs_no_host(served: Served) -> None:
    """§3.2: only a 1.1 request must have a Host."""
    (answer,) = answers(finished(served.port, b"GET / HTTP/1.0\r\n\r\n"))
    assert seen(answer)["http_version"] == "1.0"


@pytest.mark.xfail(reason="llhttp refuses HTTP/1.2; a SHOULD that nobody sends")
def test_a_higher_minor_version_is_read_as_1_1(served: Served) -> None:
    """RFC 9110 §2.5: a server SHOULD process a higher minor version as the highest that it has."""
    (answer,) = ask(served, start(b"GET / HTTP/1.2"), "whole")
    assert seen(answer)["http_version"] == "1.1"


# --- where a request ends -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [length(b"9"), CHUNKED, CHUNKED + b"5", CHUNKED + b"5\r\nhe", CHUNKED + b"5\r\nhello\r\n",
     CHUNKED + b"0\r\n", CHUNKED + b"0\r\nA: b\r\n"],
)  # fmt: skip
def test_an_incomplete_body_never_looks_complete(served: Served, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """§8: a request with fewer bytes than announced MUST be treated as incomplete."""
    found = answers(raw(served.port, data, half_close=True))
    assert all(answer.status == 400 for answer in found)  # `Echo` answers 200 to a body it saw whole
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []  # the peer's fault is no error


@pytest.mark.parametrize("data", [b"GET", b"GET / HTTP/1.1", GET, GET + b"A"])
def test_an_incomplete_head_is_no_request(served: Served, data: bytes) -> None:
    """§8: a head that the close cuts off is incomplete; a 400 MAY be sent before closing."""
    found = answers(raw(served.port, data, half_close=True))
    assert all(answer.status == 400 for answer in found)
    assert served.app.calls == []


def test_a_connection_closed_before_a_request_gets_no_answer(served: Served) -> None:
    """§9: closing an idle connection is no error."""
    assert raw(served.port, b"", half_close=True) == b""
    assert raw(served.port, b"\r\n", half_close=True) == b""


def test_a_half_closed_client_is_answered(served: Served) -> None:
    """§9.6: a client may close its sending side and still read what it asked for."""
    found = answers(raw(served.port, SECOND + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", half_close=True))
    assert [seen(answer)["path"] for answer in found] == ["/second", "/first"]


# --- connections --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
def test_pipelined_requests_are_answered_in_order(served: Served, mode: str) -> None:
    """§9.3.2: a server MUST send the responses in the order of the requests."""
    bodies = [b"0", b"11" * 50, b"", b"3" * 300]
    data = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (i, len(b), b) for i, b in enumerate(bodies)
    )
    found = [seen(answer) for answer in ask(served, data, mode)]
    assert [(view["path"], view["body"]) for view in found] == [(f"/{i}", body) for i, body in enumerate(bodies)]


def test_many_pipelined_requests(served: Served) -> None:
    """§9.3.2: pipelining is bounded by flow control, not by losing requests."""
    data = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(5000))
    with Wire(served.port) as wire:
        writer = threading.Thread(target=wire.send, args=(data + BYE,))
        writer.start()
        found = answers(wire.rest())
        writer.join()
    assert [seen(answer)["path"] for answer in found] == [*(f"/{i}" for i in range(5000)), "/bye"]


@pytest.mark.parametrize(
    ("data", "persists"),
    [
        (GET + b"\r\n", True),
        (GET + b"Connection: close\r\n\r\n", False),
        (GET + b"Connection: CLOSE\r\n\r\n", False),
        (GET + b"Connection: x, close\r\n\r\n", False),
        (GET + b"Connection: x\r\nConnection: close\r\n\r\n", False),
        (GET + b"Connection: close, keep-alive\r\n\r\n", False),
        (GET + b"Connection: not-close\r\n\r\n", True),
        (GET + b"Connection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: x, keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", False),
    ],
)
def test_persistence(served: Served, data: bytes, persists: bool) -> None:
    """§9.3: close wins; 1.1 persists; 1.0 when asked; §9.6: a server MUST close after `close` and SHOULD say so."""
    found = answers(finished(served.port, data + BYE))
    assert [seen(answer)["path"] for answer in found] == (["/", "/bye"] if persists else ["/"])
    assert found[-1].closes
    assert found[0].closes is not persists
    if persists and b"HTTP/1.0" in data:
        assert (found[0].field(b"connection") or b"").lower() == b"keep-alive"


def test_nothing_is_interpreted_after_close(served: Served) -> None:
    """§9.6: a server MUST NOT process requests received after one with `close`."""
    (answer,) = answers(finished(served.port, BYE + SECOND))
    assert seen(answer)["path"] == "/bye"
    assert served.app.calls == ["/bye"]


def test_the_status_line_is_1_1_even_for_a_1_0_client(served: Served) -> None:
    """RFC 9110 §2.5: the version in a response is the server's own."""
    assert raw(served.port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
