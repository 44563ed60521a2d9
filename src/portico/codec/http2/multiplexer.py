"""The streams of one connection (RFC 9113): feed it bytes, take events; tell it what to send, take frames.

The events are those of every HTTP codec, each of the stream that `stream` names then. Whatever the client does wrong
is answered here (RST_STREAM, GOAWAY); who serves the streams learns only that they have ended.
"""

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.allowance import Allowance
from portico.codec.http2.bounds import Bounds
from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.events import Pong, Reset, Violation
from portico.codec.http2.frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HAS_PRIORITY,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MAX_STREAM_ID,
    MAX_WINDOW,
    NO_ERROR,
    NO_RFC7540_PRIORITIES,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    goaway_frame,
    ping_frame,
    read_settings,
    rst_stream_frame,
    settings_frame,
    window_update_frame,
)
from portico.codec.http2.messages import read_request, read_trailers
from portico.codec.http2.priority import read_priority
from portico.codec.http2.reading import BAD_PREFACE, FRAME, TOO_LARGE, FrameReader
from portico.codec.http2.sending import Sender
from portico.codec.http2.streams import ENDED, NEVER_OPENED, RESET_BY_PEER, RESET_BY_US, ClosedStreams, StreamState

CONNECTION_WINDOW = 1 << 20  # bytes, of all bodies together that were not used yet
MAX_BLOCK_FRAMES = 64  # of one header block
BLOCK_EXCESS = 4  # times what a header section may have: so large a block is still read, and answered with 431
MAX_SETTINGS = 32  # in one frame: each may have all streams looked at
MAX_EARLY_PRIORITIES = 32  # of streams that are still to be opened
RESETS, RESETS_PER_S = 1000.0, 33.0  # streams that end before their time
FRAMES, FRAMES_PER_S = 1000.0, 200.0  # frames that ask for work and carry nothing

Event = Request | Data | End | Fault | Reset | Violation | Pong


class Multiplexer(Sender):
    """Reads what the client sends, keeps the streams and answers what the protocol alone can answer."""

    __slots__ = (
        "acknowledged",
        "began",
        "block",
        "block_flags",
        "block_frames",
        "block_size",
        "block_stream",
        "bounds",
        "closed",
        "credit",
        "decoder",
        "depends_on_itself",
        "early",
        "going",
        "now",
        "pending",
        "reader",
        "receive_window",
        "resets",
        "stream",
        "streams",
        "violation",
    )

    def __init__(self, bounds: Bounds, now: float) -> None:
        """Prepare the server's side; its SETTINGS are the first that `take` returns (§3.4).

        Args:
            bounds: What the client is allowed.
            now: The time in seconds, on any clock that does not run backwards.
        """
        super().__init__(Allowance(FRAMES, FRAMES_PER_S, now))
        self.bounds = bounds
        self.now = now
        self.resets = Allowance(RESETS, RESETS_PER_S, now)
        self.reader = FrameReader(bounds.frame_size)
        self.decoder = HeaderDecoder()
        self.streams: dict[int, StreamState] = {}
        self.closed = ClosedStreams()
        self.stream: StreamState | None = None  # of the last event
        self.pending: Event | None = None  # the second of two events that one frame has brought
        self.violation: Violation | None = None
        self.going = False  # our last GOAWAY is out: no more streams
        self.began = False  # the SETTINGS that the client begins with have come
        self.acknowledged = False  # our SETTINGS are in force
        self.early: dict[int, tuple[int, bool]] = {}
        # The window of the connection, and what is owed to it
        self.receive_window = max(CONNECTION_WINDOW, bounds.window)
        self.credit = 0
        # A header block that is not whole (§4.3)
        self.block_stream = 0
        self.block: list[bytes] = []
        self.block_size = 0
        self.block_frames = 0
        self.block_flags = 0
        self.depends_on_itself = False
        settings = {
            MAX_CONCURRENT_STREAMS: bounds.streams,
            INITIAL_WINDOW_SIZE: bounds.window,
            MAX_FRAME_SIZE: bounds.frame_size,
            MAX_HEADER_LIST_SIZE: bounds.limits.head,
            ENABLE_CONNECT_PROTOCOL: 1,
            NO_RFC7540_PRIORITIES: 1,
        }
        self.put(settings_frame(settings))
        self.put(window_update_frame(0, self.receive_window - DEFAULT_WINDOW))

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

    def _id_at(self, at: int) -> int:
        return int.from_bytes(self.reader.buffer[at : at + 4], "big") & MAX_STREAM_ID

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
            return None  # §6.8: what comes after the last stream is ignored
        if len(self.streams) >= self.bounds.streams:
            return self._refuse(stream_id, REFUSED_STREAM)
        if self.depends_on_itself:
            return self._refuse(stream_id, PROTOCOL_ERROR)
        too_large = self.decoder.size > limits.head
        request = Fault(431, "header section is too large") if too_large else read_request(fields, ended, limits)
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
            self.use(stream, length)
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

    def use(self, stream: StreamState, size: int) -> None:
        """So many bytes of the body were used: let the client send as many more (§6.9)."""
        stream.unused -= size
        self._credit(size)
        if not stream.remote_ended and not stream.closed:
            owed = self.bounds.window - stream.receive_window - stream.unused
            if owed * 2 >= self.bounds.window:
                stream.receive_window += owed
                self.put(window_update_frame(stream.id, owed))

    def discard(self, stream: StreamState, size: int) -> None:
        """So many bytes of the body are not wanted, and no more of them: the stream's window stays as it is."""
        stream.unused -= size
        self._credit(size)

    def _credit(self, size: int) -> None:
        """Owe the connection's window so many bytes; pay once it is worth a frame."""
        self.credit += size
        if self.credit * 2 >= CONNECTION_WINDOW:
            self.receive_window += self.credit
            self.put(window_update_frame(0, self.credit))
            self.credit = 0

    # Other frames

    def _read_settings(self, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        size = end - start
        if stream_id:
            return self._fail(PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if not self.began:
                return self._fail(PROTOCOL_ERROR, "the first frame must be SETTINGS")
            if size:
                return self._fail(FRAME_SIZE_ERROR, "SETTINGS acknowledged with a payload")
            if not self.acknowledged:
                self.acknowledged = True
                self._narrow_windows()
            return self._count_work()
        if size % 6:
            return self._fail(FRAME_SIZE_ERROR, "SETTINGS of a size that is no multiple of 6")
        if size > 6 * MAX_SETTINGS:
            return self._fail(ENHANCE_YOUR_CALM, "too many settings")
        self.began = True
        event = self.apply_settings(self.reader.buffer[start:end])
        if event is not None:
            return event
        self.put(SETTINGS_ACK)
        return self._count_work()

    def _narrow_windows(self) -> None:
        """The client knows our window now: the streams that it opened with a wider one have ours too (§6.9.2)."""
        excess = DEFAULT_WINDOW - self.bounds.window
        if excess > 0:
            for stream in self.streams.values():
                stream.receive_window -= excess
                self.use(stream, 0)

    def apply_settings(self, payload: bytes) -> Event | None:
        """Take the client's settings, one after the other (§6.5.3); also those of an upgrade from HTTP/1.1."""
        for key, value in read_settings(payload):
            if key == HEADER_TABLE_SIZE:
                self.encoder.resize(value)
            elif key in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL):
                if value > 1:
                    return self._fail(PROTOCOL_ERROR, "a setting that is 0 or 1 has another value")
            elif key == INITIAL_WINDOW_SIZE:
                if value > MAX_WINDOW:
                    return self._fail(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is above 2^31-1")
                if not self._resize_windows(value - self.initial_window):
                    return self._fail(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE lifts a window above 2^31-1")
                self.initial_window = value
            elif key == MAX_FRAME_SIZE:
                if not 16384 <= value < 1 << 24:
                    return self._fail(PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE is not from 2^14 to 2^24-1")
                self.frame_size = value
        return None

    def upgrade(self, settings: bytes) -> StreamState | None:
        """Return stream 1, whose request has come whole by HTTP/1.1 (RFC 7540 §3.2); None where that cannot be.

        Args:
            settings: The payload of a SETTINGS frame, out of HTTP2-Settings.
        """
        if len(settings) % 6 or self.apply_settings(settings) is not None:
            return None
        self.closed.open(1)
        stream = self.stream = self.streams[1] = StreamState(1, self.initial_window, 0)
        stream.remote_ended = True
        return stream

    def _resize_windows(self, difference: int) -> bool:
        for stream in self.streams.values():
            stream.send_window += difference
            if stream.send_window > MAX_WINDOW:
                return False
            self.make_ready(stream)
        return True

    def _read_window_update(self, stream_id: int, start: int, end: int) -> Event | None:
        if end - start != 4:
            return self._fail(FRAME_SIZE_ERROR, "WINDOW_UPDATE of a size other than 4")
        increment = self._id_at(start)
        if stream_id == 0:
            if increment == 0:
                return self._fail(PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
            self.window += increment
            if self.window > MAX_WINDOW:
                return self._fail(FLOW_CONTROL_ERROR, "WINDOW_UPDATE lifts the window above 2^31-1")
            return None
        stream = self.streams.get(stream_id)
        if stream is None:
            if stream_id > self.closed.last_id or not stream_id & 1:
                return self._fail(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
            return None
        if increment == 0:
            return self._reset_for_fault(stream, PROTOCOL_ERROR)
        stream.send_window += increment
        if stream.send_window > MAX_WINDOW:
            return self._reset_for_fault(stream, FLOW_CONTROL_ERROR)
        self.make_ready(stream)
        return None

    def _read_rst_stream(self, stream_id: int, start: int, end: int) -> Event | None:
        if stream_id == 0:
            return self._fail(PROTOCOL_ERROR, "RST_STREAM on no stream")
        if end - start != 4:
            return self._fail(FRAME_SIZE_ERROR, "RST_STREAM of a size other than 4")
        stream = self.streams.get(stream_id)
        if stream is None:
            if stream_id > self.closed.last_id or not stream_id & 1:
                return self._fail(PROTOCOL_ERROR, "RST_STREAM on an idle stream")
            return self._count_work()
        if not self.resets.spend(self.now):
            return self._fail(ENHANCE_YOUR_CALM, "too many streams reset")
        code = int.from_bytes(self.reader.buffer[start:end], "big")
        self._close(stream, RESET_BY_PEER)
        self.stream = stream
        return Reset(code)

    def _read_ping(self, flags: int, stream_id: int, start: int, end: int) -> Event | None:
        if stream_id:
            return self._fail(PROTOCOL_ERROR, "PING on a stream")
        if end - start != 8:
            return self._fail(FRAME_SIZE_ERROR, "PING of a size other than 8")
        data = self.reader.buffer[start:end]
        if flags & ACK:
            return Pong(data)
        self.put(ping_frame(data, True))
        return None

    def _read_priority(self, stream_id: int, start: int, end: int) -> Event | None:
        """Check what RFC 7540 had and RFC 9113 §5.3.2 has left out."""
        if stream_id == 0:
            return self._fail(PROTOCOL_ERROR, "PRIORITY on no stream")
        if end - start == 5:
            if self._id_at(start) != stream_id:
                return None
            code = PROTOCOL_ERROR
        else:
            code = FRAME_SIZE_ERROR
        stream = self.streams.get(stream_id)
        if stream is not None:
            return self._reset_for_fault(stream, code)
        return self._fail(code, "malformed PRIORITY")

    def _read_priority_update(self, stream_id: int, start: int, end: int) -> Event | None:
        if stream_id:
            return self._fail(PROTOCOL_ERROR, "PRIORITY_UPDATE on a stream")
        if end - start < 4:
            return self._fail(FRAME_SIZE_ERROR, "PRIORITY_UPDATE of less than 4 bytes")
        prioritized = self._id_at(start)
        if prioritized == 0 or not prioritized & 1:
            return self._fail(PROTOCOL_ERROR, "PRIORITY_UPDATE of a stream that no client opens")
        urgency, incremental = read_priority(self.reader.buffer[start + 4 : end])
        stream = self.streams.get(prioritized)
        if stream is not None:
            self.prioritize(stream, urgency, incremental)
        elif prioritized > self.closed.last_id and len(self.early) < MAX_EARLY_PRIORITIES:
            self.early[prioritized] = (urgency, incremental)
        return None

    # Ends

    def _count_work(self) -> Event | None:
        if self.work.spend(self.now):
            return None
        return self._fail(ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _refuse(self, stream_id: int, code: int) -> Event | None:
        """Reset a stream that nobody serves."""
        if not self.resets.spend(self.now):
            return self._fail(ENHANCE_YOUR_CALM, "too many streams reset")
        self.closed.close(stream_id, RESET_BY_US)
        self.put(rst_stream_frame(stream_id, code))
        return None

    def _reset_for_fault(self, stream: StreamState, code: int) -> Event:
        """Reset a stream for what the client did, which counts like a reset by the client."""
        if not self.resets.spend(self.now):
            return self._fail(ENHANCE_YOUR_CALM, "too many streams reset")
        self.reset(stream, code)
        self.stream = stream
        return Reset(code)

    def turn_away(self, stream: StreamState) -> None:
        """Refuse a stream that nobody has the means to serve; the client may try again (§8.7)."""
        self._reset_for_fault(stream, REFUSED_STREAM)

    def reset(self, stream: StreamState, code: int) -> None:
        """End a stream before its time, or tell the client that the rest of its request is not wanted (§8.1)."""
        if not stream.closed:
            self._close(stream, RESET_BY_US)
            self.put(rst_stream_frame(stream.id, code))

    def end_sending(self, stream: StreamState) -> None:
        """We have sent END_STREAM."""
        stream.local_ended = True
        self.resets.earn(1.0)
        if stream.remote_ended:
            self._close(stream, ENDED)

    def _close(self, stream: StreamState, how: int) -> None:
        stream.closed = True
        self.make_unready(stream)
        stream.chunks = []
        stream.queued = 0
        del self.streams[stream.id]
        if how != ENDED:
            self.closed.close(stream.id, how)
        if stream.unused:
            self._credit(stream.unused)
            stream.unused = 0

    def go_away(self, last: bool) -> None:
        """Ask the client to open no more streams here (§6.8): first a warning, then, once it knows, the last word."""
        if not self.going:
            self.going = last
            self.put(goaway_frame(max(0, self.closed.last_id) if last else MAX_STREAM_ID, NO_ERROR, ""))

    def ping(self, data: bytes) -> None:
        """Ask the client for a sign of life, eight octets that it sends back as a Pong."""
        self.put(ping_frame(data, False))

    def _fail(self, code: int, reason: str) -> Violation:
        """End the connection for a rule that the client has broken (§5.4.1)."""
        self.violation = Violation(code, reason)
        self.put(goaway_frame(max(0, self.closed.last_id), code, reason))
        self.reader.close()
        self.block = []
        return self.violation
