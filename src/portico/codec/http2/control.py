"""What holds a connection together (RFC 9113 §5.2, §5.4, §6): settings, windows, pings, and how streams and it end."""

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.allowance import Allowance
from portico.codec.http2.bounds import Bounds
from portico.codec.http2.events import Pong, Reset, Violation
from portico.codec.http2.frames import (
    ACK,
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    MAX_STREAM_ID,
    MAX_WINDOW,
    NO_ERROR,
    NO_RFC7540_PRIORITIES,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTINGS_ACK,
    goaway_frame,
    ping_frame,
    read_settings,
    rst_stream_frame,
    settings_frame,
    window_update_frame,
)
from portico.codec.http2.priority import read_priority
from portico.codec.http2.reading import FrameReader
from portico.codec.http2.sending import Sender
from portico.codec.http2.streams import ENDED, RESET_BY_PEER, RESET_BY_US, ClosedStreams, StreamState

CONNECTION_WINDOW = 1 << 20  # bytes, of all bodies together that were not used yet
LARGEST_FRAME = 65536  # bytes of a payload of ours: a larger one would hold up what is more urgent
MAX_SETTINGS = 32  # in one frame: each may have all streams looked at
MAX_EARLY_PRIORITIES = 32  # of streams that are still to be opened
RESETS, RESETS_PER_S = 1000.0, 33.0  # streams that end before their time
FRAMES, FRAMES_PER_S = 1000.0, 200.0  # frames that ask for work and carry nothing

Event = Request | Data | End | Fault | Reset | Violation | Pong


class Control(Sender):
    """The state of a connection and its frames that carry no message; those that do are its subclass's."""

    __slots__ = (
        "acknowledged", "began", "bounds", "closed", "credit", "early", "going", "now", "promised", "reader",
        "receive_window", "resets", "stream", "streams", "violation",
    )  # fmt: skip

    def __init__(self, bounds: Bounds, now: float) -> None:
        super().__init__(Allowance(FRAMES, FRAMES_PER_S, now))
        self.bounds = bounds
        self.now = now
        self.resets = Allowance(RESETS, RESETS_PER_S, now)
        self.reader = FrameReader(bounds.frame_size)
        self.streams: dict[int, StreamState] = {}
        self.closed = ClosedStreams()
        self.stream: StreamState | None = None  # of the last event
        self.violation: Violation | None = None
        self.going = False  # our last GOAWAY is out: no more streams
        self.promised = MAX_STREAM_ID  # the last stream that we may serve, as our GOAWAY says; it never rises (§6.8)
        self.began = False  # the SETTINGS that the client begins with have come
        self.acknowledged = False  # our SETTINGS are in force
        self.early: dict[int, tuple[int, bool]] = {}
        # The window of the connection, and what is owed to it
        self.receive_window = max(CONNECTION_WINDOW, bounds.window)
        self.credit = 0
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

    # Settings and windows

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
            elif key in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES):
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
                self.frame_size = min(value, LARGEST_FRAME)
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

    def use(self, stream: StreamState, size: int) -> None:
        """So many bytes of the body were used: let the client send as many more (§6.9)."""
        if stream.closed:
            return  # all of it was settled then
        stream.unused -= size
        self._credit(size)
        if not stream.remote_ended:
            owed = self.bounds.window - stream.receive_window - stream.unused
            if owed * 2 >= self.bounds.window:
                stream.receive_window += owed
                self.put(window_update_frame(stream.id, owed))

    def discard(self, stream: StreamState, size: int) -> None:
        """So many bytes of the body are not wanted, and no more of them: the stream's window stays as it is."""
        if not stream.closed:
            stream.unused -= size
            self._credit(size)

    def _credit(self, size: int) -> None:
        """Owe the connection's window so many bytes; pay once it is worth a frame."""
        self.credit += size
        if self.credit * 2 >= CONNECTION_WINDOW:
            self.receive_window += self.credit
            self.put(window_update_frame(0, self.credit))
            self.credit = 0

    # Pings and priorities

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

    def ping(self, data: bytes) -> None:
        """Ask the client for a sign of life, eight octets that it sends back as a Pong."""
        self.put(ping_frame(data, False))

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

    def _id_at(self, at: int) -> int:
        return int.from_bytes(self.reader.buffer[at : at + 4], "big") & MAX_STREAM_ID

    # Ends

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
            if last:
                self.promised = max(0, self.closed.last_id)
            self.put(goaway_frame(self.promised, NO_ERROR, ""))

    def _fail(self, code: int, reason: str) -> Violation:
        """End the connection for a rule that the client has broken (§5.4.1)."""
        self.violation = Violation(code, reason)
        self.promised = min(self.promised, max(0, self.closed.last_id))
        self.put(goaway_frame(self.promised, code, reason))
        self.reader.close()
        return self.violation
