"""multipart/form-data (RFC 7578): bytes in, parts out; every limit holds while parsing.

`multipart` finds the boundaries. Around it stands what makes a body mean the same however it is split: at most one
line end comes before the first boundary, a part's header is one field line of RFC 9110, and sizes are counted here.
"""

import math
from enum import Enum

import multipart  # type: ignore[import-untyped]

from portico.codec.events import Fault
from portico.http.headers import parse_field_line

MAX_BOUNDARY = 256  # RFC 2046 §5.1.1 has 70
INVALID = "Invalid multipart data."
UNNAMED = 'The Content-Disposition header field "name" must be provided.'
TRUNCATED = "The multipart body ends before its last boundary."
CRLF = b"\r\n"
BOUNDARY_BYTES = bytes(range(0x20, 0x7F))

try:
    multipart.PushMultipartParser  # noqa: B018
except AttributeError:
    raise ImportError(
        "another package hides the module 'multipart': pip install 'multipart>=2' and, if it is installed at all, "
        "'python-multipart>=0.0.13'"
    ) from None


class Mark(Enum):
    """What ends: a part, or the form."""

    PART_END = "part end"
    END = "end"


PART_END = Mark.PART_END
END = Mark.END


class Part:
    """The head of a part. It is a field where `filename` is None, else a file; `bytes` and PART_END follow."""

    __slots__ = ("bytes_received", "complete", "filename", "headers", "name")

    def __init__(self, name: str, filename: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        self.name = name
        self.filename = filename  # as the client says it: never a path
        self.headers = headers  # names in lower case
        self.bytes_received = 0  # this and the next are what the parser below keeps in its segments
        self.complete = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and (self.name, self.filename, self.headers) == (
            other.name,
            other.filename,
            other.headers,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {self.filename!r}, {self.headers!r})"


Event = Part | bytes | Mark | Fault


class Limits:
    """How much of a form is read before it is refused. A form that is over one of these is a bad request, a 400."""

    __slots__ = ("field", "fields", "files", "head", "headers", "line")

    def __init__(
        self,
        files: float = 1000,
        fields: float = 1000,
        field: float = 1024 * 1024,
        headers: int = 8,
        line: int = 4096,
        head: int = 8192,
    ) -> None:
        self.files = files  # number of files
        self.fields = fields  # number of fields
        self.field = field  # bytes of a field; a file has no limit here
        self.headers = headers  # number of headers of a part; RFC 7578 §4.8 has three
        self.line = line  # bytes of one of them
        self.head = head  # bytes of all of them


class MultipartReader:
    """Turn a body into parts. Where a `Fault` is among the events it is the last, and every call after gives it again.

    Args:
        boundary: The parameter `boundary` of the body's Content-Type.
        limits: What is read before the form is refused.
        charset: What names and filenames are written in; they are read as Latin-1 where they are not.
    """

    __slots__ = ("_fault", "_left", "_opening", "_parser", "_start")

    def __init__(self, boundary: str, limits: Limits, charset: str = "utf-8") -> None:
        raw = boundary.encode("latin-1", "replace")
        self._fault: Fault | None = None
        if not 0 < len(raw) <= MAX_BOUNDARY or raw.translate(None, BOUNDARY_BYTES):
            self._fault = Fault(400, INVALID)
            raw = b"-"
        self._parser = _Parser(raw, limits, charset)
        self._left: float = math.inf  # bytes that the part may still have
        self._opening = b"--" + raw
        self._start: bytes | None = b""  # what has come of the first boundary; None once it is there

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that the data completes."""
        if self._fault is not None:
            return [self._fault]
        if self._start is not None:
            data = self._open(self._start + data)
        events: list[Event] = []
        if not data:
            return events if self._fault is None else [self._fault]
        left = self._left
        try:
            for event in self._parser.parse(data):
                if event is None:
                    events.append(PART_END)
                    continue
                if type(event) is Part:
                    left = math.inf if event.filename is not None else self._parser.limits.field
                else:
                    left -= len(event)
                    if left < 0:
                        raise self._parser.too_large()
                events.append(event)
        except multipart.MultipartError as error:
            self._fault = error.fault if isinstance(error, _Refused) else Fault(400, INVALID)
            events.append(self._fault)
        self._left = left
        return events

    def finish(self) -> Event:
        """Return END, or the fault of a body that is not complete. One without a byte is a form without a part."""
        if self._fault is None and self._start != b"":
            try:
                self._parser.close(check_complete=True)
            except multipart.MultipartError:
                self._fault = Fault(400, TRUNCATED)
        return END if self._fault is None else self._fault

    def _open(self, data: bytes) -> bytes:
        """Return the body from its first boundary on, or nothing while that is not complete."""
        if CRLF.startswith(data):
            self._start = data
            return b""
        begin = 2 if data.startswith(CRLF) else 0
        if data.startswith(self._opening, begin):
            self._start = None
            return data[begin:]
        if not self._opening.startswith(data[begin:]):
            self._fault = Fault(400, INVALID)
        self._start = data
        return b""


class _Refused(multipart.MultipartError):  # type: ignore[misc]
    """Leaves the parser with a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class _Parser(multipart.PushMultipartParser):  # type: ignore[misc]
    """The parser below, with its two steps for a part's head replaced: were they not called, no part would pass."""

    def __init__(self, boundary: bytes, limits: Limits, charset: str) -> None:
        super().__init__(boundary, max_header_size=limits.line + 2)  # it counts the line end, too, until that is there
        self.limits = limits
        self.charset = charset
        self.files = 0
        self.fields = 0
        self.fields_of_part: list[tuple[bytes, bytes]] = []
        self.head = 0  # bytes of them

    def _on_segment_headerline(self, line: bytes) -> None:
        limits = self.limits
        size = len(line)
        self.head += size
        field = parse_field_line(line) if size <= limits.line and self.head <= limits.head else None
        if field is None or len(self.fields_of_part) == limits.headers:
            raise _Refused(Fault(400, INVALID))
        self.fields_of_part.append(field)

    def _create_segment(self, headerlist: object) -> Part:
        fields, self.fields_of_part = self.fields_of_part, []
        self.head = 0
        disposition: bytes | None = None
        for field, value in fields:
            if field == b"content-disposition":
                if disposition is not None:
                    raise _Refused(Fault(400, INVALID))
                disposition = value
        kind, name, filename = multipart.parse_content_disposition((disposition or b"").decode("latin-1"))
        if name is None:
            raise _Refused(Fault(400, UNNAMED))
        if kind != "form-data":
            raise _Refused(Fault(400, INVALID))
        if filename is None:
            self.fields += 1
            if self.fields > self.limits.fields:
                raise _too_many("fields", self.limits.fields)
        else:
            self.files += 1
            if self.files > self.limits.files:
                raise _too_many("files", self.limits.files)
            filename = self._text(filename)
        return Part(self._text(name), filename, fields)

    def _text(self, latin: str) -> str:
        return latin if latin.isascii() else decode(latin.encode("latin-1"), self.charset)

    def too_large(self) -> _Refused:
        return _Refused(Fault(400, f"Part exceeded maximum size of {int(self.limits.field / 1024)}KB."))


def _too_many(what: str, most: float) -> _Refused:
    return _Refused(Fault(400, f"Too many {what}. Maximum number of {what} is {most}."))


def decode(raw: bytes | bytearray, charset: str) -> str:
    """Return the text of a field; it is read as Latin-1 where it is not in the charset."""
    try:
        return raw.decode(charset)
    except (UnicodeError, LookupError):
        return raw.decode("latin-1")
