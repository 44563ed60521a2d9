"""What a server sends on one connection: header blocks, DATA within the windows, the most urgent first (RFC 9218).

DATA that has no window yet, or for which the transport has no room, waits in its stream. `pump` frames what may go.
"""

from typing import Any

from portico.codec.http2.allowance import Allowance
from portico.codec.http2.encoder import HeaderEncoder
from portico.codec.http2.frames import (
    CONTINUATION,
    DATA,
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    frame_head,
)
from portico.codec.http2.streams import StreamState

BURST = 131072  # bytes that are framed before the transport is asked whether it has room for more
LOW_WATER = 16384  # bytes that wait in a stream when it may be given more
LEAST_USEFUL = 256  # bytes of a DATA frame that a window has cut short; smaller ones are not worth their work
URGENCIES = 8


class Sender:
    """The sending half of a connection; the receiving half is its subclass."""

    __slots__ = (
        "encoder",
        "frame_size",
        "full",
        "initial_window",
        "lanes",
        "out",
        "ready",
        "relieved",
        "size",
        "window",
        "work",
    )

    def __init__(self, work: Allowance) -> None:
        self.encoder = HeaderEncoder()
        self.work = work  # frames that the client makes us handle; a useful DATA frame pays for some
        self.out: list[Any] = []  # frames, in pieces
        self.size = 0  # bytes of them
        self.full = False  # the transport takes nothing more for now
        self.window = DEFAULT_WINDOW  # of the connection
        self.initial_window = DEFAULT_WINDOW  # of new streams
        self.frame_size = DEFAULT_FRAME_SIZE  # bytes of a payload that the client takes
        self.lanes: list[list[StreamState]] = [[] for _ in range(URGENCIES)]
        self.ready = 0  # streams in the lanes
        self.relieved: list[StreamState] = []  # have sent what was waiting, or most of it

    def take(self) -> list[Any]:
        """Return the pieces of what is to be written."""
        out = self.out
        self.out = []
        self.size = 0
        return out

    def put(self, frame: bytes) -> None:
        """Have a frame written."""
        self.out.append(frame)
        self.size += len(frame)

    # What the application sends

    def send_headers(self, stream: StreamState, status: int, fields: list[tuple[bytes, bytes]], end: bool) -> None:
        """Send the head of a response, which `end`s the stream, or an interim one (§8.1)."""
        if not stream.closed and not stream.local_ended:
            self._put_block(stream, self.encoder.encode(status, fields), end)

    def send_trailers(self, stream: StreamState, fields: list[tuple[bytes, bytes]]) -> None:
        """End the stream with trailers, behind the data that waits."""
        if stream.closed or stream.local_ended:
            return
        if stream.chunks:
            stream.trailers = fields
            stream.final = True
        else:
            self._put_block(stream, self.encoder.encode_fields(fields), True)

    def send_data(self, stream: StreamState, data: bytes, end: bool) -> None:
        """Send a piece of a body at once where that can be done, else once its turn has come."""
        if stream.closed or stream.local_ended:
            return
        size = len(data)
        if not stream.chunks and (
            size == 0
            or (
                size <= self.frame_size
                and size <= stream.send_window
                and size <= self.window
                and not self.ready
                and not self.full
                and self.size < BURST
            )
        ):
            if size or end:
                self._put_data(stream, [data], size, end)
            return
        stream.final = end
        if size:
            stream.chunks.append(data)
            stream.queued += size
            self.make_ready(stream)

    def pump(self) -> None:
        """Frame what waits, until the windows are used up or a burst is full."""
        while self.ready and self.window > 0 and self.size < BURST:
            for lane in self.lanes:
                if lane:
                    self._advance(lane, lane[0])
                    break

    def _advance(self, lane: list[StreamState], stream: StreamState) -> None:
        """Put a frame of DATA of the stream that is the first of its lane."""
        allowed = min(self.frame_size, stream.send_window, self.window)
        if allowed <= 0:
            self.make_unready(stream)
            return
        chunks = stream.chunks
        pieces = []
        size = 0
        for piece in chunks:
            room = allowed - size
            if len(piece) > room:
                break
            pieces.append(piece)
            size += len(piece)
        del chunks[: len(pieces)]
        if chunks and size < allowed:
            view = memoryview(chunks[0])
            chunks[0] = view[allowed - size :]
            pieces.append(view[: allowed - size])
            size = allowed
        before = stream.queued
        stream.queued = before - size
        end = not chunks and stream.final
        self._put_data(stream, pieces, size, end and stream.trailers is None)
        if end and stream.trailers is not None:
            self._put_block(stream, self.encoder.encode_fields(stream.trailers), True)
        if not chunks:
            self.make_unready(stream)
        elif stream.incremental and len(lane) > 1:
            del lane[0]
            lane.append(stream)
        if not chunks or before >= LOW_WATER > stream.queued:
            self.relieved.append(stream)

    def _put_data(self, stream: StreamState, pieces: list[Any], size: int, end: bool) -> None:
        self.out.append(frame_head(size, DATA, END_STREAM if end else 0, stream.id))
        if size:
            self.out += pieces
            stream.send_window -= size
            self.window -= size
            if size >= LEAST_USEFUL or not stream.chunks:
                self.work.earn(2.0)
        self.size += HEAD_SIZE + size
        if end:
            self.end_sending(stream)

    def _put_block(self, stream: StreamState, block: bytes, end: bool) -> None:
        """Put a header block, in as many frames as it needs (§4.3)."""
        flags = END_STREAM if end else 0
        size = len(block)
        most = self.frame_size
        out = self.out
        if size <= most:
            out.append(frame_head(size, HEADERS, flags | END_HEADERS, stream.id))
            out.append(block)
            self.size += HEAD_SIZE + size
        else:
            kind = HEADERS
            for at in range(0, size, most):
                piece = block[at : at + most]
                last = at + most >= size
                self.put(frame_head(len(piece), kind, flags | (END_HEADERS if last else 0), stream.id))
                self.put(piece)
                kind, flags = CONTINUATION, 0
        if end:
            self.end_sending(stream)

    def end_sending(self, stream: StreamState) -> None:
        """We have sent END_STREAM."""
        raise AssertionError

    # Turns

    def make_ready(self, stream: StreamState) -> None:
        """Let the stream have its turns, if it has something to send and a window."""
        if not stream.ready and stream.chunks and stream.send_window > 0:
            stream.ready = True
            self.ready += 1
            self.lanes[stream.urgency].append(stream)

    def make_unready(self, stream: StreamState) -> None:
        """Take the stream out of those that have turns."""
        if stream.ready:
            stream.ready = False
            self.ready -= 1
            self.lanes[stream.urgency].remove(stream)

    def prioritize(self, stream: StreamState, urgency: int, incremental: bool) -> None:
        """Have the stream take its turns as the client wishes."""
        ready = stream.ready
        self.make_unready(stream)
        stream.urgency = urgency
        stream.incremental = incremental
        if ready:
            self.make_ready(stream)
