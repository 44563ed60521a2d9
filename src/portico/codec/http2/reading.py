"""Frames out of bytes (RFC 9113 §3.4, §4.1, §4.2): where each one's payload lies, and no more."""

from portico.codec.http2.frames import HEAD_SIZE, PREFACE

NO_FRAME, FRAME, BAD_PREFACE, TOO_LARGE = range(4)


class FrameReader:
    """Feed it bytes; after a `next` that returns FRAME, its attributes are those of the frame."""

    __slots__ = (
        "buffer",
        "end",
        "flags",
        "kind",
        "max_size",
        "missing",
        "pieces",
        "position",
        "preface",
        "start",
        "stream_id",
    )

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size  # bytes of a payload
        self.preface = len(PREFACE)  # bytes of it still to come
        self.buffer = b""
        self.position = 0
        self.pieces: list[bytes] = []  # of a frame that has begun
        self.missing = 0  # bytes of it still to come
        self.kind = 0
        self.flags = 0
        self.stream_id = 0
        self.start = 0  # of the payload, in the buffer
        self.end = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.missing > len(data):
            self.missing -= len(data)
            self.pieces.append(data)
            return
        self.missing = 0
        if self.pieces:
            self.pieces.append(data)
            data = b"".join(self.pieces)
            self.pieces = []
        if self.position == len(self.buffer):
            self.buffer = data
        else:
            self.buffer = self.buffer[self.position :] + data
        self.position = 0

    def next(self) -> int:
        """Find the next frame; return FRAME, NO_FRAME until more bytes are fed, or what is wrong."""
        if self.preface and not self._read_preface():
            return BAD_PREFACE
        octets = self.buffer
        at = self.position
        available = len(self.buffer) - at
        if available < HEAD_SIZE:
            return NO_FRAME
        length = (octets[at] << 16) | (octets[at + 1] << 8) | octets[at + 2]
        if length > self.max_size:
            return TOO_LARGE
        if available < HEAD_SIZE + length:
            self.pieces.append(self.buffer[at:])
            self.missing = HEAD_SIZE + length - available
            self.buffer = b""
            self.position = 0
            return NO_FRAME
        self.kind = octets[at + 3]
        self.flags = octets[at + 4]
        self.stream_id = (
            ((octets[at + 5] & 127) << 24) | (octets[at + 6] << 16) | (octets[at + 7] << 8) | octets[at + 8]
        )
        self.start = at + HEAD_SIZE
        self.end = self.position = self.start + length
        return FRAME

    def is_within(self) -> bool:
        """Tell whether a frame, or the preface, has begun and is not whole."""
        return bool(self.pieces) or self.position < len(self.buffer) or self.preface > 0

    def close(self) -> None:
        """Drop what is left."""
        self.buffer = b""
        self.position = 0
        self.pieces = []

    def _read_preface(self) -> bool:
        """Take what has come of the client's preface; return whether it is right so far."""
        size = min(self.preface, len(self.buffer) - self.position)
        start = len(PREFACE) - self.preface
        if self.buffer[self.position : self.position + size] != PREFACE[start : start + size]:
            return False
        self.position += size
        self.preface -= size
        return True
