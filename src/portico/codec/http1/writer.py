"""Responses of one connection (RFC 9112): heads, framing, chunks.

`start` checks what the application gave, `head` decides how the body ends once its first piece is known.
"""

from portico.codec.defaults import Defaults
from portico.codec.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    CR,
    DATE,
    HOP_BY_HOP,
    HSTS,
    LF,
    NUL,
    PLAIN,
    SERVER,
    check_length,
    check_name,
    check_value,
)
from portico.http.status import forbids_body, reason

EMPTY, LENGTH, CHUNKED, CLOSE = range(4)  # how a body ends

MAX_KNOWN_NAMES = 1024
MAX_KNOWN_LENGTHS = 4096
LAST_CHUNK = b"0\r\n\r\n"

# A name as applications spell it -> (`b"name: "`, kind).
_names: dict[bytes, tuple[bytes, int]] = {}
_status_lines: dict[int, bytes] = {}
_lengths: dict[int, bytes] = {}


def status_line(status: int) -> bytes:
    """Return the status line with its CRLF; always HTTP/1.1, whatever the request's version (RFC 9110 §2.5)."""
    line = _status_lines.get(status)
    if line is None:
        line = _status_lines[status] = f"HTTP/1.1 {status} {reason(status)}\r\n".encode("ascii")
    return line


def content_length(length: int) -> bytes:
    """Return the Content-Length line; those of small bodies are kept."""
    line = _lengths.get(length)
    if line is None:
        line = b"content-length: %d\r\n" % length
        if length < MAX_KNOWN_LENGTHS:
            _lengths[length] = line
    return line


def learn_name(name: object) -> tuple[bytes, int]:
    """Return what is written for a field name and what it steers; FieldError where it is not a token."""
    lower, kind = check_name(name)
    known = (lower + b": ", kind)
    if len(_names) < MAX_KNOWN_NAMES:
        _names[name] = known  # type: ignore[index]
    return known


def field_lines(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Return the lines of fields that have been checked."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def error_response(status: int, defaults: Defaults, fields: bytes, body: bytes) -> bytes:
    """Return a whole response in text, after which the connection is closed; `fields` are lines."""
    head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    return b"".join((status_line(status), defaults.lines, fields, head, body))


class ResponseWriter:
    """Write the responses of one connection, one after the other."""

    __slots__ = (
        "content_length",
        "defaults",
        "fields",
        "framing",
        "has_date",
        "has_hsts",
        "has_server",
        "head_request",
        "keep_alive",
        "status",
        "version_1_0",
    )

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults
        self.fields: list[bytes] = []
        self.status = 0
        self.framing = EMPTY
        self.content_length = -1  # as the application declared it; -1: it did not
        self.keep_alive = True
        self.head_request = False
        self.version_1_0 = False
        self.has_date = False
        self.has_server = False
        self.has_hsts = False

    def is_chunked(self) -> bool:
        """Tell whether the body of the response is sent in chunks."""
        return self.framing == CHUNKED

    def ends_with_connection(self) -> bool:
        """Tell whether closing the connection is what ends the body."""
        return self.framing == CLOSE

    def expect(self, head_request: bool, version_1_0: bool, keep_alive: bool) -> None:
        """Prepare for the response to a request of this kind."""
        self.head_request = head_request
        self.version_1_0 = version_1_0
        self.keep_alive = keep_alive
        self.content_length = -1

    def start(self, status: int, headers: object) -> None:
        """Take status and fields of the response; raises FieldError where they cannot be sent."""
        fields: list[bytes] = []
        self.status = status
        self.content_length = -1
        self.has_date = self.has_server = self.has_hsts = False
        for name, given in headers:  # type: ignore[attr-defined]
            known = _names.get(name) if type(name) is bytes else None
            prefix, kind = learn_name(name) if known is None else known
            if type(given) is not bytes:
                check_value(name, given)
            value = given if type(given) is bytes else bytes(given)
            if LF in value or CR in value or NUL in value:
                check_value(name, value)
            if kind != PLAIN and not self._steer(kind, value):
                continue
            fields.append(prefix)
            fields.append(value)
            fields.append(b"\r\n")
        self.fields = fields

    def _steer(self, kind: int, value: bytes) -> bool:
        """Take note of a field that steers the message; return whether it is written as it stands."""
        if kind == CONTENT_LENGTH:
            self.content_length = check_length(value, self.content_length)
            return False
        if kind == CONNECTION:
            if b"close" in value.lower():
                self.keep_alive = False
            return False
        if kind == DATE:
            self.has_date = True
        elif kind == SERVER:
            self.has_server = True
        elif kind == HSTS:
            self.has_hsts = True
        return kind != HOP_BY_HOP  # RFC 9112 §6.1: the framing is ours

    def _first_pieces(self) -> list[bytes]:
        """Return the status line, the fields that the server adds, and the application's."""
        defaults = self.defaults
        parts = [status_line(self.status)]
        if self.has_date or self.has_server or self.has_hsts:
            parts.append(b"" if self.has_date else defaults.date)
            parts.append(b"" if self.has_server else defaults.server)
            parts.append(b"" if self.has_hsts else defaults.hsts)
            parts.append(defaults.extra)
        else:
            parts.append(defaults.lines)
        parts += self.fields
        return parts

    def switch(self, protocol: bytes) -> bytes:
        """Return a 101 response (RFC 9110 §15.2.2), whose fields `start` has taken."""
        parts = self._first_pieces()
        parts.append(b"upgrade: %b\r\nconnection: upgrade\r\n\r\n" % protocol)
        return b"".join(parts)

    def head(self, length: int, trailers: bool) -> list[bytes]:
        """Return the pieces of the head, given the length of the whole body (-1: more is to come)."""
        parts = self._first_pieces()
        if forbids_body(self.status):
            self.framing = EMPTY
            if self.content_length >= 0 and self.status == 304:
                parts.append(content_length(self.content_length))
        elif self.content_length >= 0 and not (trailers and not self.version_1_0):
            self.framing = EMPTY if self.head_request else LENGTH
            parts.append(content_length(self.content_length))
        elif length >= 0 and not trailers:
            self.framing = EMPTY if self.head_request else LENGTH
            if length or not self.head_request:
                parts.append(content_length(length))
        elif self.head_request:
            self.framing = EMPTY
        elif self.version_1_0:
            self.framing = CLOSE  # RFC 9112 §6.1: no chunks to a client of HTTP/1.0
            self.keep_alive = False
        else:
            self.framing = CHUNKED
            parts.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n\r\n")
        elif self.version_1_0:
            parts.append(b"connection: keep-alive\r\n\r\n")
        else:
            parts.append(b"\r\n")
        return parts

    def body(self, parts: list[bytes], data: bytes, more: bool, trailers: bool) -> None:
        """Append the pieces of one piece of the body, with its framing; the last one ends the body."""
        framing = self.framing
        if framing == EMPTY:
            return
        if framing != CHUNKED:
            parts.append(data)
            return
        if data:
            parts.append(b"%x\r\n" % len(data))
            parts.append(data)
            parts.append(b"\r\n")
        if not more and not trailers:
            parts.append(LAST_CHUNK)

    def end(self, trailers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the last chunk with the trailers."""
        if self.framing != CHUNKED:
            return b""
        return b"0\r\n%b\r\n" % field_lines(trailers)
