"""Chunked bodies: sizes, data, trailers (RFC 9112 §7.1).

A reader takes what the buffer has and returns the events that it completes; a line that is not whole yet stays in the
buffer. All the data of one buffer comes as one `Data`, so a flood of tiny chunks does not become a flood of events.
"""

import re

from portico.codec.events import Data, End, Event, Fault
from portico.http.headers import FORBIDDEN_TRAILERS, parse_field_line

SIZE, DATA, DATA_END, TRAILERS, DONE = range(5)

MAX_LINE = 1024  # bytes of one chunk-size line with its extensions
MAX_EXTENSIONS = 16384  # bytes of extensions in one body
QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# chunk-size [ chunk-ext ]; at most 16 digits are a number of 64 bits.
SIZE_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[ \t]*" + NAME + rb"(?:[ \t]*=[ \t]*(?:" + NAME + rb"|" + QUOTED + rb"))?)*)"
)


class ChunkedReader:
    """Turn a chunked body into Data events and one End."""

    __slots__ = ("extensions", "fault", "left", "max_trailer_fields", "max_trailers", "position", "state")

    def __init__(self, max_trailers: int, max_trailer_fields: int) -> None:
        self.state = SIZE
        self.left = 0
        self.position = 0  # where the next read of the buffer begins
        self.extensions = 0
        self.max_trailers = max_trailers
        self.max_trailer_fields = max_trailer_fields
        self.fault: Fault | None = None

    def read(self, buffer: bytes, position: int) -> Event | None:
        """Return the next event in the buffer from the position on, or None until more bytes arrive."""
        self.position = position
        if self.fault is not None:
            return self.fault
        parts: list[bytes] = []
        while self.state < TRAILERS:
            if self.state == DATA:
                piece = buffer[self.position : self.position + self.left]
                if not piece:
                    break
                parts.append(piece)
                self.position += len(piece)
                self.left -= len(piece)
                if self.left:
                    break
                self.state = DATA_END
            elif not (self._read_size(buffer) if self.state == SIZE else self._read_data_end(buffer)):
                break
        if parts:
            return Data(parts[0] if len(parts) == 1 else b"".join(parts))
        if self.fault is not None:
            return self.fault
        if self.state == TRAILERS:
            return self._read_trailers(buffer)
        return None

    def _fail(self, status: int, reason: str) -> bool:
        self.fault = Fault(status, reason)
        return False

    def _read_size(self, buffer: bytes) -> bool:
        end = buffer.find(b"\r\n", self.position, self.position + MAX_LINE + 2)
        if end < 0:
            rest = buffer[self.position : self.position + MAX_LINE + 2]
            if len(rest) > MAX_LINE:
                return self._fail(400, "chunk extensions are too long")
            # A line can only become right while its size is, and no bare CR or LF is in it (RFC 9112 §2.2).
            if rest and (not rest[:1].isalnum() or b"\n" in rest or b"\r" in rest[:-1]):
                return self._fail(400, "malformed chunk size")
            return False
        match = SIZE_LINE.fullmatch(buffer, self.position, end)
        if match is None:
            return self._fail(400, "malformed chunk size")
        self.extensions += end - match.end(1)
        if self.extensions > MAX_EXTENSIONS:
            return self._fail(400, "chunk extensions are too long")
        self.left = int(match[1], 16)
        if self.left >= 1 << 63:
            return self._fail(400, "chunk size is too large")
        self.position = end + 2
        self.state = DATA if self.left else TRAILERS
        return True

    def _read_data_end(self, buffer: bytes) -> bool:
        end = buffer[self.position : self.position + 2]
        if end == b"\r\n":
            self.position += 2
            self.state = SIZE
            return True
        if end and end != b"\r":
            return self._fail(400, "chunk data is longer than its size")
        return False

    def _read_trailers(self, buffer: bytes) -> Event | None:
        if buffer.startswith(b"\r\n", self.position):
            self.position += 2
            self.state = DONE
            return End([])
        end = buffer.find(b"\r\n\r\n", self.position)
        length = (len(buffer) if end < 0 else end) - self.position
        if length > self.max_trailers:
            return Fault(431, "trailers are too large")
        if end < 0:
            section = buffer[self.position :]
            if section.count(b"\n") != section.count(b"\r\n"):
                return Fault(400, "malformed trailer")
            return None
        trailers = []
        for line in buffer[self.position : end].split(b"\r\n"):
            field = parse_field_line(line)
            if field is None or field[0] in FORBIDDEN_TRAILERS:
                return Fault(400, "malformed trailer" if field is None else "field not allowed as a trailer")
            trailers.append(field)
        if len(trailers) > self.max_trailer_fields:
            return Fault(431, "too many trailers")
        self.position = end + 4
        self.state = DONE
        return End(trailers)
