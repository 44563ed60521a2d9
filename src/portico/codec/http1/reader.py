"""Requests of one connection (RFC 9112): feed it bytes, take events.

llhttp, through httptools, parses each header section once it is whole; what it lets through and the RFCs forbid is
refused here. The reader stops between two events, so bytes of a pipelined request stay unread until they are asked for.
"""

import re

import httptools

from portico.codec.events import Data, End, Event, Fault, Request
from portico.codec.fields import MAX_LENGTH_DIGITS
from portico.codec.http1.chunked import ChunkedReader
from portico.codec.limits import Limits
from portico.http.headers import is_token, list_members
from portico.http.methods import METHODS
from portico.http.urls import decode_path, is_authority, is_target, split_absolute

HEAD, LENGTH, CHUNKED, BROKEN = range(4)

# Fields that steer the reading of a request.
PLAIN, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT, TE, FORWARDED, UPGRADE = range(9)
KINDS = {
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"expect": EXPECT,
    b"te": TE,
    b"upgrade": UPGRADE,
    b"forwarded": FORWARDED,
    b"x-forwarded-for": FORWARDED,
    b"x-forwarded-host": FORWARDED,
    b"x-forwarded-port": FORWARDED,
    b"x-forwarded-proto": FORWARDED,
}
COMMON_NAMES = (
    b"Accept Accept-Encoding Accept-Language Authorization Cache-Control Content-Type Cookie Origin Pragma Priority "
    b"Referer Sec-Ch-Ua Sec-Ch-Ua-Mobile Sec-Ch-Ua-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site "
    b"Sec-Fetch-User Upgrade Upgrade-Insecure-Requests User-Agent X-Request-Id X-Real-Ip Traceparent "
    b"If-None-Match If-Modified-Since Host Content-Length Transfer-Encoding Connection Expect TE "
    b"Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto"
).split()
# A name as it is often spelt -> (lower-case name, kind): saves the copy and the second look-up.
NAMES = {
    spelling: (name.lower(), KINDS.get(name.lower(), PLAIN))
    for name in COMMON_NAMES
    for spelling in (name, name.lower())
}

VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")


class RequestReader:
    """Turn the bytes of one connection into Request, Data, End and Fault events."""

    __slots__ = (
        "body_read",
        "buffer",
        "chunked",
        "connection",
        "expect",
        "fault",
        "headers",
        "host",
        "hosts",
        "left",
        "length",
        "limits",
        "parser",
        "position",
        "request",
        "state",
        "te",
        "transfer_encoding",
        "upgrade",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.buffer = b""
        self.position = 0
        self.state = HEAD
        self.parser: httptools.HttpRequestParser | None = None
        self.request: Request | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunked: ChunkedReader | None = None
        self.fault: Fault | None = None
        self.left = 0  # bytes of a body with a length still to come
        self.body_read = 0
        self._forget_head()

    def _forget_head(self) -> None:
        self.hosts = 0
        self.host = b""
        self.length: bytes | None = None
        self.transfer_encoding: bytes | None = None
        self.connection: bytes | None = None
        self.expect: bytes | None = None
        self.te: bytes | None = None
        self.upgrade: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Append bytes from the peer."""
        if self.position == len(self.buffer):
            self.buffer = data
        else:
            self.buffer = self.buffer[self.position :] + data
        self.position = 0

    def buffered(self) -> int:
        """Return how many bytes were fed and not yet turned into events."""
        return len(self.buffer) - self.position

    def rest(self) -> bytes:
        """Take the bytes that were fed and not yet turned into events."""
        rest = self.buffer[self.position :]
        self.buffer = b""
        self.position = 0
        return rest

    def close(self) -> None:
        """Drop the parser, which holds a reference to the reader."""
        self.parser = None
        self.buffer = b""
        self.position = 0
        self.state = BROKEN

    def next_event(self) -> Event | None:
        """Return the next event, or None until more bytes are fed; after a Fault, the same Fault."""
        if self.state == LENGTH and self.left == 0:
            self.state = HEAD
            return End([])
        if self.position == len(self.buffer):
            return self.fault
        if self.state == HEAD:
            return self._read_head()
        if self.state == LENGTH:
            return self._read_length()
        if self.state == CHUNKED:
            return self._read_chunked()
        return self.fault

    def _fail(self, status: int, reason: str) -> Fault:
        self.state = BROKEN
        self.buffer = b""
        self.position = 0
        self.parser = None
        self.fault = Fault(status, reason)
        return self.fault

    # The head

    def _read_head(self) -> Event | None:
        buffer = self.buffer
        start = self.position
        while buffer.startswith(b"\r\n", start):  # RFC 9112 §2.2: empty lines before the request line are ignored.
            start += 2
        self.position = start
        end = buffer.find(b"\r\n\r\n", start)
        if end < 0:
            return self._check_partial_head()
        end += 4
        line_end = buffer.find(b"\r\n", start)
        if line_end - start > self.limits.line:
            return self._fail(414, "request line is too long")
        if end - line_end - 4 > self.limits.head:
            return self._fail(431, "header section is too large")
        request = Request()
        fault = self._read_request_line(request, buffer, start, line_end)
        if fault is not None:
            return fault
        self.request = request
        self.headers = request.headers
        parser = self.parser
        if parser is None:
            parser = self.parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(buffer if start == 0 and end == len(buffer) else buffer[start:end])
        except httptools.HttpParserUpgrade:
            self.parser = None  # an upgrade that is not taken is a request like any other (RFC 9110 §7.8)
        except httptools.HttpParserError as error:
            return self._fail(400, str(error))
        self.position = end
        return self._complete_head(request)

    def _check_partial_head(self) -> Fault | None:
        """Refuse a head that can no longer become right, or that is larger than allowed, before it is whole."""
        part = self.buffer[self.position :]
        line_end = part.find(b"\r\n")
        if (len(part) if line_end < 0 else line_end) > self.limits.line:
            return self._fail(414, "request line is too long")
        if line_end >= 0 and len(part) - line_end - 4 > self.limits.head:
            return self._fail(431, "header section is too large")
        if part.count(b"\n") != part.count(b"\r\n"):
            return self._fail(400, "line feed without carriage return")
        if part != b"\r" and not is_token(part[:1]) and part:
            return self._fail(400, "malformed request line")
        return None

    def _read_request_line(self, request: Request, buffer: bytes, start: int, end: int) -> Fault | None:
        """Read `method SP request-target SP HTTP-version`, with exactly these two spaces (RFC 9112 §3)."""
        space = buffer.find(b" ", start, end)
        target_end = end - 9
        if space < 0 or target_end <= space:
            return self._fail(400, "malformed request line")
        if not buffer.endswith(b" HTTP/1.1", space + 1, end):
            if not buffer.endswith(b" HTTP/1.0", space + 1, end):
                if (
                    buffer[target_end] == 32
                    and VERSION.fullmatch(buffer, target_end + 1, end)
                    and not buffer.startswith(b"0", target_end + 6)
                ):
                    return self._fail(505, "HTTP version is not supported")
                return self._fail(400, "malformed request line")
            request.http_version = "1.0"
            request.keep_alive = False
        name = buffer[start:space]
        method = METHODS.get(name)
        target = buffer[space + 1 : target_end]
        if not target or not is_target(target):
            return self._fail(400, "malformed request target")
        if method is None:
            if name == b"CONNECT":
                known = is_authority(target) and not target.endswith(b":") and b":" in target
                return self._fail(501 if known else 400, "CONNECT is not implemented")
            if is_token(name):
                return self._fail(501, "method is not implemented")
            return self._fail(400, "malformed method")
        request.method = method
        request.target = target
        return None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one field line from llhttp."""
        known = NAMES.get(name)
        if known is None:
            name = name.lower()
            kind = KINDS.get(name, PLAIN)
        else:
            name, kind = known
        if value and value[-1] in (32, 9):
            value = value.rstrip(b" \t")
        self.headers.append((name, value))
        if kind != PLAIN:
            self._note(kind, value)

    def _note(self, kind: int, value: bytes) -> None:
        """Remember a field that steers the reading; members of a list that comes in several lines are joined."""
        if kind == HOST:
            self.hosts += 1
            self.host = value
        elif kind == CONTENT_LENGTH:
            self.length = value if self.length is None else b"twice"
        elif kind == TRANSFER_ENCODING:
            self.transfer_encoding = _join(self.transfer_encoding, value)
        elif kind == CONNECTION:
            self.connection = _join(self.connection, value)
        elif kind == EXPECT:
            self.expect = _join(self.expect, value)
        elif kind == TE:
            self.te = _join(self.te, value)
        elif kind == UPGRADE:
            self.upgrade = _join(self.upgrade, value)
        elif self.request is not None:
            self.request.forwarded = True

    def _complete_head(self, request: Request) -> Event:
        if len(self.headers) > self.limits.fields:
            return self._fail(431, "too many header fields")
        fault = self._read_target(request)
        if fault is not None:
            return fault
        if self.connection is not None:
            self._read_connection(request, self.connection)
        if self.upgrade is not None and request.http_version == "1.1":  # RFC 9110 §7.8: not in HTTP/1.0
            request.upgrades = list_members(self.upgrade)
        if self.te is not None:
            request.wants_trailers = b"trailers" in list_members(self.te)
        if self.expect is not None and request.http_version == "1.1":
            if self.expect.lower() != b"100-continue":
                return self._fail(417, "expectation is not known")
            request.expects_continue = True
        if self.length is None and self.transfer_encoding is None:
            request.content_length = 0
        else:
            fault = self._read_framing(request)
            if fault is not None:
                return fault
        self._forget_head()
        self.request = None
        return request

    def _read_target(self, request: Request) -> Fault | None:
        """Check the Host field against the target and split the target (RFC 9112 §3.2)."""
        target = request.target
        if target[0] != 47:  # "/"
            if target == b"*" and request.method == "OPTIONS":
                request.raw_path = target
                request.path = "*"
                return self._check_host(request)
            parts = split_absolute(target)
            if parts is None:
                return self._fail(400, "malformed request target")
            fault = self._check_host(request)
            if fault is not None:
                return fault
            # RFC 9112 §3.2.2: the authority of an absolute-form target replaces the Host field.
            request.headers[:] = [(b"host", parts[0]), *(field for field in request.headers if field[0] != b"host")]
            target = parts[1]
        else:
            fault = self._check_host(request)
            if fault is not None:
                return fault
        mark = target.find(b"?")
        if mark >= 0:
            request.query_string = target[mark + 1 :]
            target = target[:mark]
        request.raw_path = target
        request.path = decode_path(target)
        return None

    def _check_host(self, request: Request) -> Fault | None:
        if self.hosts == 1:
            return None if is_authority(self.host) else self._fail(400, "malformed Host")
        if self.hosts or request.http_version == "1.1":
            return self._fail(400, "a request has exactly one Host")
        return None

    def _read_connection(self, request: Request, value: bytes) -> None:
        options = list_members(value)
        if b"close" in options:
            request.keep_alive = False
        elif b"keep-alive" in options:
            request.keep_alive = True
        request.connection_upgrade = b"upgrade" in options

    def _read_framing(self, request: Request) -> Fault | None:
        """Decide how the body ends (RFC 9112 §6.3)."""
        limit = self.limits.body
        if self.transfer_encoding is not None:
            if self.length is not None:
                return self._fail(400, "Content-Length with Transfer-Encoding")
            if request.http_version == "1.0":
                return self._fail(400, "Transfer-Encoding in HTTP/1.0")
            codings = list_members(self.transfer_encoding)
            if codings != [b"chunked"]:
                final = codings.count(b"chunked") == 1 and codings[-1] == b"chunked"
                return self._fail(501 if final else 400, "transfer coding is not known")
            self.chunked = ChunkedReader(self.limits.head, self.limits.fields)
            self.state = CHUNKED
            request.has_body = True
        elif self.length is not None:
            if not self.length.isdigit() or len(self.length) > MAX_LENGTH_DIGITS:
                return self._fail(400, "malformed Content-Length")
            length = int(self.length)
            request.content_length = length
            if length == 0:
                return None
            if 0 <= limit < length:
                return self._fail(413, "body is too large")
            self.left = length
            self.state = LENGTH
            request.has_body = True
        self.body_read = 0
        self.parser = None  # llhttp waits for a body that it never gets: the next request has a new one
        return None

    # The body

    def _read_length(self) -> Event:
        available = len(self.buffer) - self.position
        if available <= self.left and self.position == 0:
            data = self.buffer
        else:
            data = self.buffer[self.position : self.position + self.left]
        self.left -= len(data)
        self.position += len(data)
        return Data(data)

    def _read_chunked(self) -> Event | None:
        chunked = self.chunked
        assert chunked is not None
        event = chunked.read(self.buffer, self.position)
        self.position = chunked.position
        if type(event) is Data:
            self.body_read += len(event.data)
            if 0 <= self.limits.body < self.body_read:
                return self._fail(413, "body is too large")
        elif type(event) is End:
            self.state = HEAD
            self.chunked = None
        elif type(event) is Fault:
            return self._fail(event.status, event.reason)
        return event


def _join(before: bytes | None, value: bytes) -> bytes:
    return value if before is None else before + b", " + value
