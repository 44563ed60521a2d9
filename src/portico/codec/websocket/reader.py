"""Messages of one WebSocket peer (RFC 6455 §5, §6.2): feed it bytes, take events.

A frame that lies whole in the buffer becomes its message in one step. Of a longer one each piece is unmasked,
decompressed and decoded as it comes, so that invalid UTF-8 and too much data are noticed inside the frame, and nothing
is kept but what the message will hold.
"""

from codecs import utf_8_decode
from io import BytesIO, StringIO
from zlib import error as DeflateError

from portico.codec.websocket.deflate import Inflater, TooBig
from portico.codec.websocket.events import Event, Ping, Pong, Violation
from portico.codec.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INVALID_DATA,
    MAX_CONTROL,
    PING,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    read_close,
)
from portico.codec.websocket.mask import Space, new_space, payload_of, unmask, unmask_into

# Room for a whole frame is made at once when at least this part of it has come: who announces much and sends little
# costs no more than that.
SPACIOUS = 16
NOT_UTF_8 = Violation(INVALID_DATA, "text is not UTF-8")
NOT_DEFLATE = Violation(INVALID_DATA, "malformed compressed data")


class MessageReader:
    """Turn the bytes of a client into messages and control frames."""

    __slots__ = (
        "binary",
        "buffer",
        "compressed",
        "ended",
        "expected",
        "final",
        "inflater",
        "key",
        "left",
        "max_compressed",
        "max_size",
        "opcode",
        "phase",
        "position",
        "size",
        "space",
        "split",
        "text",
        "violation",
    )

    def __init__(self, max_size: int, inflater: Inflater | None) -> None:
        self.max_size = max_size
        # What does not compress gets a little longer by being compressed.
        self.max_compressed = max_size + (max_size >> 4) + 1024
        self.inflater = inflater
        self.buffer = b""
        self.position = 0
        self.ended = False  # by a close frame or a violation
        self.violation: Violation | None = None
        # The message in progress; an opcode of CONTINUATION says that there is none.
        self.opcode = CONTINUATION
        self.compressed = False
        self.size = 0  # bytes that came out so far
        self.expected = 0  # bytes that the frames so far have announced
        self.split = b""  # the beginning of a character whose end is still to come
        self.text: StringIO | None = None
        self.binary: BytesIO | None = None
        self.space: Space | None = None  # of a binary message in one frame, much of which came with its head
        # The frame in progress.
        self.left = -1  # bytes of its payload still to come; -1: there is no frame
        self.final = False
        self.key = b""
        self.phase = 0

    def feed(self, data: bytes) -> None:
        """Append bytes from the peer."""
        if self.ended:
            return
        if self.position == len(self.buffer):
            self.buffer = data
        else:
            self.buffer = self.buffer[self.position :] + data
        self.position = 0

    def close(self) -> None:
        """Read nothing more."""
        self._end()

    def next_event(self) -> Event | None:
        """Return the next event, or None until more bytes are fed.

        Nothing follows a Close, and nothing but the same Violation a Violation.
        """
        if self.ended:
            return self.violation
        while True:
            before = self.position
            if self.left >= 0:
                event = self._read_payload()
            elif len(self.buffer) - before < 2:
                event = None
            else:
                event = self._read_head()
            if event is None and self.position != before:
                continue
            if self.position == len(self.buffer):
                self.buffer = b""
                self.position = 0
            return event

    def _fail(self, code: int, reason: str) -> Violation:
        self._end()
        self.violation = Violation(code, reason)
        return self.violation

    def _end(self) -> None:
        """Read nothing more, and keep nothing."""
        self.ended = True
        self.buffer = b""
        self.position = 0
        self.text = None
        self.binary = None
        self.space = None
        self.inflater = None

    def _read_head(self) -> Event | None:
        """Read the head of a frame (§5.2), and the frame where it is whole."""
        buffer = self.buffer
        at = self.position
        first = buffer[at]
        second = buffer[at + 1]
        opcode = first & 15
        length = second & 127
        violation = self._check_head(first, second, opcode, length)
        if violation is not None:
            return violation
        available = len(buffer) - at
        if length < 126:
            if available < 6:
                return None
            at += 2
        elif length == 126:
            if available < 4:
                return None
            length = (buffer[at + 2] << 8) | buffer[at + 3]
            if length < 126:
                return self._fail(PROTOCOL_ERROR, "length is not in its shortest form")
            at += 4
        else:
            if available < 10:
                return None
            if buffer[at + 2] & 128:
                return self._fail(PROTOCOL_ERROR, "length with the highest bit set")
            length = int.from_bytes(buffer[at + 2 : at + 10], "big")
            if length < 65536:
                return self._fail(PROTOCOL_ERROR, "length is not in its shortest form")
            at += 10
        if opcode >= CLOSE:
            return self._read_control(opcode, at, length)
        compressed = self.compressed if opcode == CONTINUATION else bool(first & 64)
        expected = self.expected if opcode == CONTINUATION else 0
        if length > (self.max_compressed if compressed else self.max_size) - expected:
            return self._fail(TOO_BIG, f"message is larger than {self.max_size} bytes")
        expected += length
        if len(buffer) < at + 4:
            return None
        octets = buffer
        key = octets[at : at + 4]
        at += 4
        if opcode >= TEXT and first & 128 and not compressed and len(buffer) - at >= length:
            self.position = at + length
            payload = unmask(buffer, at, at + length, key, 0)
            if opcode == BINARY:
                return payload
            try:
                return payload.decode()
            except UnicodeDecodeError:
                return self._fail(NOT_UTF_8.code, NOT_UTF_8.reason)
        if opcode == BINARY and first & 128 and not compressed and (len(buffer) - at) * SPACIOUS >= length:
            self.opcode = BINARY
            self.space = new_space(length)
            self.size = 0
        elif opcode != CONTINUATION:
            self._begin_message(opcode, compressed)
        self.expected = expected
        self.position = at
        self.key = key
        self.phase = 0
        self.left = length
        self.final = bool(first & 128)
        return self._read_payload()

    def _check_head(self, first: int, second: int, opcode: int, length: int) -> Violation | None:
        """Hold the first two octets against the rules that need no more of the frame."""
        if first & 48:
            return self._fail(PROTOCOL_ERROR, "reserved bit set")
        if first & 64 and (self.inflater is None or opcode not in (TEXT, BINARY)):
            return self._fail(PROTOCOL_ERROR, "reserved bit set")
        if 2 < opcode < 8 or opcode > 10:
            return self._fail(PROTOCOL_ERROR, f"reserved opcode {opcode}")
        if not second & 128:
            return self._fail(PROTOCOL_ERROR, "frame is not masked")
        if opcode >= CLOSE:
            if not first & 128:
                return self._fail(PROTOCOL_ERROR, "fragmented control frame")
            if length > MAX_CONTROL:
                return self._fail(PROTOCOL_ERROR, "control frame is longer than 125 bytes")
        elif opcode == CONTINUATION:
            if self.opcode == CONTINUATION:
                return self._fail(PROTOCOL_ERROR, "continuation of no message")
        elif self.opcode != CONTINUATION:
            return self._fail(PROTOCOL_ERROR, "message inside a message")
        return None

    def _read_control(self, opcode: int, at: int, length: int) -> Event | None:
        buffer = self.buffer
        if len(buffer) - at < length + 4:
            return None
        payload = unmask(buffer, at + 4, at + 4 + length, buffer[at : at + 4], 0)
        self.position = at + 4 + length
        if opcode == PING:
            return Ping(payload)
        if opcode != CLOSE:
            return Pong(payload)
        event = read_close(payload)
        if type(event) is Violation:
            return self._fail(event.code, event.reason)
        self._end()
        return event

    def _begin_message(self, opcode: int, compressed: bool) -> None:
        self.opcode = opcode
        self.compressed = compressed
        self.size = 0
        if opcode == TEXT:
            self.text = StringIO()
        else:
            self.binary = BytesIO()

    def _read_payload(self) -> Event | None:
        """Take what has come of the frame in progress; return the message where this is its end."""
        start = self.position
        end = len(self.buffer)
        if end - start > self.left:
            end = start + self.left
        size = end - start
        if not size and self.left:
            return None
        if self.space is not None:
            return self._fill_space(self.space, start, end, size)
        piece = unmask(self.buffer, start, end, self.key, self.phase)
        self.position = end
        self.phase = (self.phase + size) & 3
        self.left -= size
        last = self.left == 0 and self.final
        if self.left == 0:
            self.left = -1
        if self.compressed:
            assert self.inflater is not None
            try:
                piece = self.inflater.inflate(piece, last, self.max_size - self.size)
            except TooBig:
                return self._fail(TOO_BIG, f"message is larger than {self.max_size} bytes")
            except DeflateError:
                return self._fail(NOT_DEFLATE.code, NOT_DEFLATE.reason)
        self.size += len(piece)
        if self.opcode == TEXT:
            return self._take_text(piece, last)
        binary = self.binary
        assert binary is not None
        if not last:
            binary.write(piece)
            return None
        self.opcode = CONTINUATION
        self.binary = None
        if self.size == len(piece):
            return piece
        binary.write(piece)
        return binary.getvalue()

    def _fill_space(self, space: Space, start: int, end: int, size: int) -> Event | None:
        unmask_into(space, self.size, self.buffer, start, end, self.key, self.phase)
        self.position = end
        self.phase = (self.phase + size) & 3
        self.left -= size
        self.size += size
        if self.left:
            return None
        self.left = -1
        self.opcode = CONTINUATION
        self.space = None
        return payload_of(space)

    def _take_text(self, piece: bytes, last: bool) -> Event | None:
        if self.split:
            piece = self.split + piece
        try:
            decoded, used = utf_8_decode(piece, "strict", last)
        except UnicodeDecodeError:
            return self._fail(NOT_UTF_8.code, NOT_UTF_8.reason)
        self.split = piece[used:]
        text = self.text
        assert text is not None
        text.write(decoded)
        if not last:
            return None
        self.opcode = CONTINUATION
        self.text = None
        return text.getvalue()
