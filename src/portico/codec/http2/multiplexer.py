"""The streams of one connection (RFC 9113): feed it bytes, take events; tell it what to send, take frames.

The events are those of every HTTP codec, each of the stream that `stream` names then. Whatever the client does wrong
is answered here (RST_STREAM, GOAWAY); who serves the streams learns only that they have ended.
"""

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.bounds import Bounds
from portico.codec.http2.control import Control, Event
from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.frames import (
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
)
from portico.codec.http2.messages import read_trailers
from portico.codec.http2.priority import read_priority
from portico.codec.http2.reading import BAD_PREFACE, FRAME, TOO_LARGE
from portico.codec.http2.requests import RequestReader
from portico.codec.http2.streams import ENDED, NEVER_OPENED, RESET_BY_US, StreamState

MAX_BLOCK_FRAMES = 64  # of one header block
BLOCK_EXCESS = 4  # times what a header section may have: so large a block is still read, and answered with 431


class Multiplexer(Control):
    """Reads what the client sends, keeps the streams and answers what the protocol alone can answer."""

    __slots__ = (
        "block",
        "block_flags",
        "block_frames",
        "block_size",
        "block_stream",
        "decoder",
        "depends_on_itself",
        "pending",
        "requests",
    )

    def __init__(self, bounds: Bounds, now: float) -> None:
        """Prepare the server's side; its SETTINGS are the first that `take` returns (§3.4).

        Args:
            bounds: What the client is allowed.
            now: The time in seconds, on any clock that does not run backwards.
        """
        super().__init__(bounds, now)
        self.decoder = HeaderDecoder()
        self.requests = RequestReader()
        self.pending: Event | None = None  # the second of two events that one frame has brought
        # A header block that is not whole (§4.3)
        self.block_stream = 0
        self.block: list[bytes] = []
        self.block_size = 0
        self.block_frames = 0
        self.block_flags = 0
        self.depends_on_itself = False

    # Frames

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the client."""
        self.now = now
        if self.violation is None:
            self.reader.feed(data)

    def next_event(self) -> Event | None:
        """Return the next event, or None until more bytes are fed; nothing follows a Violation."""
        event = self.pending
        if event is not None:
            self.pending = None
            return event
        reader = self.reader
        while self.violation is None:
            found = reader.next()
            if found != FRAME:
                if found == TOO_LARGE:
                    return self._fail(FRAME_SIZE_ERROR, "frame is larger than our SETTINGS_MAX_FRAME_SIZE")
                if found == BAD_PREFACE:
                    return self._fail(PROTOCOL_ERROR, "this is not the preface of HTTP/2")
                return None
            event = self._read_frame(reader.kind, reader.flags, reader.stream_id, reader.start, reader.end)
            if event is not None:
                return event
        return None

    def is_within_block(self) -> bool:
        """Tell whether a header block, a frame or the preface has begun and is not whole."""
        return self.block_stream != 0 or self.reader.is_within()

    def _read_frame(self, kind: int, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        if self.block_stream and (kind != CONTINUATION or stream_id != self.block_stream):
            return self._fail(PROTOCOL_ERROR, "a header block was interrupted")
        if kind == HEADERS:
            if self.began:
                return self._read_headers(flags, stream_id, start, end)
        elif kind == DATA:
            if self.began:
                return self._read_data(flags, stream_id, start, end)
        elif kind == SETTINGS:
            return self._read_settings(flags, stream_id, start, end)
        if not self.began:
            return self._fail(PROTOCOL_ERROR, "the first frame must be SETTINGS")
        if kind == CONTINUATION:
            return self._read_continuation(flags, stream_id, start, end)
        if kind == RST_STREAM:
            return self._read_rst_stream(stream_id, start, end)
        if not self.work.spend(self.now):
            return self._fail(ENHANCE_YOUR_CALM, "too many frames that carry nothing")
        if kind == WINDOW_UPDATE:
            return self._read_window_update(stream_id, start, end)
        if kind == PING:
            return self._read_ping(flags, stream_id, start, end)
        if kind == PRIORITY:
            return self._read_priority(stream_id, start, end)
        if kind == PRIORITY_UPDATE:
            return self._read_priority_update(stream_id, start, end)
        if kind == GOAWAY:
            if stream_id:
                return self._fail(PROTOCOL_ERROR, "GOAWAY on a stream")
            if end - start < 8:
                return self._fail(FRAME_SIZE_ERROR, "GOAWAY of less than 8 bytes")
            return None  # the streams that are open are served all the same (§6.8)
        if kind < CONTINUATION:
            return self._fail(PROTOCOL_ERROR, "a client does not push")
        return None  # §4.1: types that are not known are ignored

    def _unpad(self, flags: int, start: int, end: int) -> int:
        """Return the end of a padded payload whose first octet says how long the padding is, or -1 (§6.1)."""
        if start == end:
            self._fail(FRAME_SIZE_ERROR, "padded frame without the length of its padding")
            return -1
        end -= self.reader.buffer[start]
        if end <= start:
            self._fail(PROTOCOL_ERROR, "padding is longer than the frame")
            return -1
        return end

    # Header blocks

    def _read_headers(self, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        if not stream_id & 1:
            return self._fail(PROTOCOL_ERROR, "HEADERS on a stream that is not the client's to open")
        if flags & PADDED:
            end = self._unpad(flags, start, end)
            if end < 0:
                return self.violation
            start += 1
        self.depends_on_itself = False
        if flags & HAS_PRIORITY:
            if end - start < 5:
                return self._fail(FRAME_SIZE_ERROR, "HEADERS without the priority that it announces")
            self.depends_on_itself = self._id_at(start) == stream_id
            start += 5
        block = self.reader.buffer[start:end]
        if flags & END_HEADERS:
            return self._read_block(stream_id, flags, block)
        self.block_stream = stream_id
        self.block_flags = flags
        self.block = [block]
        self.block_size = end - start
        self.block_frames = 1
        return self._check_block_size()

    def _read_continuation(self, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        if not self.block_stream:
            return self._fail(PROTOCOL_ERROR, "CONTINUATION of no header block")
        self.block.append(self.reader.buffer[start:end])
        self.block_size += end - start
        self.block_frames += 1
        if flags & END_HEADERS:
            block = b"".join(self.block)
            self.block_stream = 0
            self.block = []
            return self._read_block(stream_id, self.block_flags, block)
        return self._check_block_size()

    def _check_block_size(self) -> Event | None:
        """Bound a header block before its end has come."""
        if self.block_size > BLOCK_EXCESS * self.bounds.limits.head or self.block_frames > MAX_BLOCK_FRAMES:
            return self._fail(ENHANCE_YOUR_CALM, "header block is too large")
        return None

    def _read_block(self, stream_id: int, flags: int, block: bytes) -> Event | None:
        """Act on a whole header block: a request's, or its trailers."""
        limits = self.bounds.limits
        fields = self.decoder.decode(block, limits.head)
        if fields is None:
            return self._fail(COMPRESSION_ERROR, self.decoder.error)
        ended = (flags & END_STREAM) != 0
        stream = self.streams.get(stream_id)
        if stream is not None:
            return self._read_trailers(stream, fields, ended)
        if stream_id <= self.closed.last_id:
            return self._judge_late_headers(stream_id)
        self.closed.open(stream_id)
        if self.going:
            self.closed.close(stream_id, RESET_BY_US)
            return None  # §6.8: what comes after the last stream is ignored
        if len(self.streams) >= self.bounds.streams:
            return self._refuse(stream_id, REFUSED_STREAM)
        if self.depends_on_itself:
            return self._refuse(stream_id, PROTOCOL_ERROR)
        too_large = self.decoder.size > limits.head
        if too_large:
            request: Request | str | Fault = Fault(431, "header section is too large")
        else:
            request = self.requests.read(fields, self.decoder.size, ended, limits)
        if isinstance(request, str):
            return self._refuse(stream_id, PROTOCOL_ERROR)
        window = self.bounds.window
        if window < DEFAULT_WINDOW and not self.acknowledged:
            window = DEFAULT_WINDOW
        stream = StreamState(stream_id, self.initial_window, window)
        stream.remote_ended = ended
        self.streams[stream_id] = stream
        self.stream = stream
        if type(request) is Request:
            if request.protocol:
                stream.tunnel = True
            elif not ended:
                stream.expected = request.content_length
            self._set_priority(stream, request)
        return request

    def _set_priority(self, stream: StreamState, request: Request) -> None:
        if self.early:
            early = self.early.pop(stream.id, None)
            if early is not None:
                stream.urgency, stream.incremental = early
                return
        value = request.priority
        if value is not None:
            stream.urgency, stream.incremental = read_priority(value)

    def _read_trailers(self, stream: StreamState, fields: list[tuple[bytes, bytes]], ended: bool) -> Event | None:
        if stream.remote_ended:
            return self._reset_for_fault(stream, STREAM_CLOSED)
        if not ended or stream.tunnel or self.depends_on_itself:
            return self._reset_for_fault(stream, PROTOCOL_ERROR)
        if self.decoder.size > self.bounds.limits.head:
            stream.remote_ended = True
            self.stream = stream
            return Fault(431, "trailer section is too large")
        trailers = read_trailers(fields)
        if isinstance(trailers, str):
            return self._reset_for_fault(stream, PROTOCOL_ERROR)
        return self._end_request(stream, trailers)

    def _judge_late_headers(self, stream_id: int) -> Event | None:
        """A stream cannot be opened twice, nor after one with a higher number (§5.1, §5.1.1)."""
        how = self.closed.how(stream_id)
        if how == NEVER_OPENED:
            return self._fail(PROTOCOL_ERROR, "stream numbers must rise")
        if how == RESET_BY_US:
            return self._count_work()  # it was on its way
        return self._fail(STREAM_CLOSED, "HEADERS on a closed stream")

    # DATA

    def _read_data(self, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        if stream_id == 0:
            return self._fail(PROTOCOL_ERROR, "DATA on no stream")
        size = end - start  # padding counts (§6.9.1)
        self.receive_window -= size
        if self.receive_window < 0:
            return self._fail(FLOW_CONTROL_ERROR, "more DATA than the window of the connection allows")
        if flags & PADDED:
            end = self._unpad(flags, start, end)
            if end < 0:
                return self.violation
            start += 1
        stream = self.streams.get(stream_id)
        if stream is None:
            self._credit(size)
            return self._judge_late_data(stream_id, size)
        stream.receive_window -= size
        stream.unused += size
        if stream.remote_ended:
            return self._reset_for_fault(stream, STREAM_CLOSED)
        if stream.receive_window < 0:
            return self._reset_for_fault(stream, FLOW_CONTROL_ERROR)
        length = end - start
        stream.received += length
        if stream.expected >= 0 and stream.received > stream.expected:
            return self._reset_for_fault(stream, PROTOCOL_ERROR)
        if size > length:
            self.use(stream, size - length)
        ended = (flags & END_STREAM) != 0
        if length == 0:
            if ended:
                return self._end_request(stream, [])
            return self._count_work()
        self.stream = stream
        limit = self.bounds.limits.body
        if 0 <= limit < stream.received and not stream.tunnel:
            self.discard(stream, length)
            stream.remote_ended = ended
            if stream.received - length > limit:
                return None  # that was said already
            return Fault(413, "body is too large")
        data = Data(self.reader.buffer[start:end])
        if ended:
            event = self._end_request(stream, [])
            if type(event) is not End:
                return event
            self.pending = event
        return data

    def _judge_late_data(self, stream_id: int, size: int) -> Event | None:
        if stream_id > self.closed.last_id or not stream_id & 1:
            return self._fail(PROTOCOL_ERROR, "DATA on an idle stream")
        how = self.closed.how(stream_id)
        if how == RESET_BY_US or self.going:
            return None if size else self._count_work()
        if how == NEVER_OPENED:
            return self._fail(PROTOCOL_ERROR, "DATA on a stream that was skipped")
        return self._refuse(stream_id, STREAM_CLOSED)

    def _end_request(self, stream: StreamState, trailers: list[tuple[bytes, bytes]]) -> Event | None:
        """The client has sent END_STREAM."""
        if stream.expected >= 0 and stream.received != stream.expected:  # §8.1.1
            return self._reset_for_fault(stream, PROTOCOL_ERROR)
        stream.remote_ended = True
        self.stream = stream
        if stream.local_ended:
            self._close(stream, ENDED)
        return End(trailers)

    # Ends
