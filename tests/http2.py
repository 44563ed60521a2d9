"""A blunt HTTP/2 client: any bytes out, and frames in that must be right to the bit, or `Malformed` is raised.

It is an own reading of RFC 9113 with the `hpack` package as its oracle for header blocks: what the server sends is held
against the settings that it has acknowledged, the windows that it was given and the state of the stream it is sent on.
Each read blocks until what it waits for is there, or raises TimeoutError.
"""

import re
import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import hpack
from tests.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_WINDOW,
    NO_ERROR,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Fields,
    Frame,
    block,
    data,
    headers,
    ping,
    request,
    settings,
    window_update,
)
from tests.live import Malformed, Pairs, Wire

FLAGS = {
    DATA: END_STREAM | PADDED,
    HEADERS: END_STREAM | END_HEADERS | PADDED | PRIORITIZED,
    SETTINGS: ACK,
    PING: ACK,
    CONTINUATION: END_HEADERS,
    RST_STREAM: 0,
    GOAWAY: 0,
    WINDOW_UPDATE: 0,
}
ON_STREAMS = {DATA, HEADERS, RST_STREAM, CONTINUATION}
OF_CONNECTION = {SETTINGS, PING, GOAWAY}
OF_HTTP_1 = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
GAPS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
LOST = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


@dataclass
class Response:
    """What came on one stream so far."""

    method: bytes = b"GET"
    status: int = 0
    headers: Pairs = ()
    body: bytearray = field(default_factory=bytearray)
    trailers: Pairs = ()
    interim: list[tuple[int, Pairs]] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None  # the code of the server's RST_STREAM
    window: int = DEFAULT_WINDOW
    dropped: bool = False  # reset by the client: frames may have been on their way

    @property
    def complete(self) -> bool:
        """Tell whether the response came to its end."""
        return self.ended and self.status >= 200

    def fields(self, name: bytes) -> list[bytes]:
        """Return the values of every field called `name`."""
        return [value for key, value in self.headers if key == name]

    def field(self, name: bytes) -> bytes | None:
        """Return the value of the one field called `name`, or None."""
        values = self.fields(name)
        assert len(values) < 2, values
        return values[0] if values else None


@dataclass(frozen=True)
class Goodbye:
    """A GOAWAY."""

    last: int
    code: int
    debug: bytes


class Client(Wire):
    """One HTTP/2 connection.

    Attributes:
        streams: What came on each stream.
        frames: Every frame that was read, in order.
        goaways: Every GOAWAY that was read.
        settings: The server's settings.
        refill: Whether windows are given back as DATA is read.
        answers_pings: Whether a PING of the server's is answered at once.
        loose: Whether the settings are noise, so that nothing can be held against them.
    """

    def __init__(
        self,
        port: int,
        initial: Mapping[int, int] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 5.0,
        receive_buffer: int | None = None,
        refill: bool = True,
        start: bool = True,
    ) -> None:
        """Connect; with `start` the preface and a SETTINGS frame of `initial` are sent and the server's is read."""
        super().__init__(port, timeout=timeout, receive_buffer=receive_buffer)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.refill = refill
        self.loose = False
        self.answers_pings = True
        self.buffer = bytearray()  # what was read and is not yet a frame
        self.streams: dict[int, Response] = {}
        self.frames: list[Frame] = []
        self.goaways: list[Goodbye] = []
        self.settings: dict[int, int] = {}
        self.window = DEFAULT_WINDOW  # of the connection, for what the server sends
        self.initial_window = DEFAULT_WINDOW
        self.frame_size = 16384
        self.granted: dict[int, int] = {}  # by the server's WINDOW_UPDATE frames, for each stream and 0
        self.uploaded: dict[int, int] = {}  # what of that, and of the first windows, was used
        self.pending: deque[dict[int, int]] = deque()  # sent and not yet acknowledged
        self.next_stream = 1
        self.pings = 0
        self.pongs: list[bytes] = []
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        if start:
            try:
                self.start(initial)
            except BaseException:
                self.socket.close()
                raise

    def __enter__(self) -> "Client":
        return self

    # Sending

    def start(self, initial: Mapping[int, int] | None = None) -> None:
        """Send the preface and settings, read the server's settings, acknowledge them and wait for ours to be."""
        self.send(PREFACE)
        self.change(initial or {})
        self.until_true(lambda: bool(self.frames) and not self.pending)

    def change(self, values: Mapping[int, int]) -> None:
        """Send a SETTINGS frame; it counts from the server's acknowledgement on."""
        self.pending.append(dict(values))
        self.decoder.max_allowed_table_size = max(
            [self.decoder.max_allowed_table_size, *(each.get(HEADER_TABLE_SIZE, 0) for each in self.pending)]
        )
        self.send(settings(values))

    def flood(self, data: bytes, *, times: int = 1) -> int:
        """Send `data` so often, reading whatever comes meanwhile; return how many bytes were taken before the end.

        A peer that neither takes nor sends anything for the client's timeout raises TimeoutError.
        """
        taken = 0
        view = memoryview(data * max(1, min(times, 65536 // max(1, len(data)))))
        total = len(data) * times
        self.socket.setblocking(False)
        try:
            while taken < total and not self.at_end:
                moved = False
                start = taken % len(view)
                try:
                    sent = self.socket.send(view[start : start + total - taken])
                    taken += sent
                    moved = sent > 0
                except GAPS:
                    pass
                except LOST:
                    self.drain()
                    break
                moved |= self.drain()
                if not moved and not any(select.select([self.socket], [self.socket], [], self.timeout)):
                    raise TimeoutError(f"the server took {taken} of {total} bytes")
        finally:
            self.socket.settimeout(self.timeout)
        return taken

    def drain(self) -> bool:
        """Read what is there without blocking; the socket does not block. Tells whether something was there."""
        got = False
        try:
            while not self.at_end:
                data = self.socket.recv(1 << 16)
                self.held += data
                self.at_end = not data
                got = True
        except GAPS:
            pass
        except LOST:
            self.at_end = got = True
        return got

    def request(
        self,
        path: bytes = b"/",
        *,
        method: bytes = b"GET",
        extra: Fields = (),
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """Send a request whose body fits the windows; return its stream. With `end` False it stays open."""
        return self.ask(request(path, method=method, extra=extra), body=body, end=end)

    def ask(self, fields: Iterable[tuple[bytes, bytes]], *, body: bytes | None = None, end: bool = True) -> int:
        """Send these fields on the next stream, and the body; return the stream."""
        pairs = list(fields)
        stream = self.open(dict(pairs).get(b":method", b""))
        frames = headers(stream, block(pairs), end=end and body is None)
        if body is not None:
            size = self.settings.get(MAX_FRAME_SIZE, 16384)
            pieces = [body[i : i + size] for i in range(0, len(body), size)] or [b""]
            for each in (0, stream):
                self.uploaded[each] = self.uploaded.get(each, 0) + len(body)
            for piece in pieces[:-1]:
                frames += data(stream, piece)
            frames += data(stream, pieces[-1], end=end)
        self.send(frames)
        return stream

    def room(self, stream: int) -> int:
        """Return how many bytes of DATA the server takes on this stream, or on the connection (0), as far as read."""
        first = self.settings.get(INITIAL_WINDOW_SIZE, DEFAULT_WINDOW) if stream else DEFAULT_WINDOW
        return first + self.granted.get(stream, 0) - self.uploaded.get(stream, 0)

    def upload(self, stream: int, body: bytes, *, end: bool = True) -> int:
        """Send a body as the windows let it through; return how much went before the stream or all came to an end."""
        response = self.expect(stream)
        most = self.settings.get(MAX_FRAME_SIZE, 16384)
        at = 0
        while at < len(body) or end:
            size = min(len(body) - at, self.room(0), self.room(stream), most)
            if size > 0 or not body:
                last = end and at + size == len(body)
                self.send_data(stream, body[at : at + size], end=last)
                at += size
                if at == len(body):
                    break
                continue
            self.wait()
            if response.ended or response.reset is not None or self.read_frame() is None:
                break
        return at

    def send_data(self, stream: int, payload: bytes, *, end: bool = False, padding: int | None = None) -> None:
        """Send a DATA frame whatever the windows say, and count it."""
        size = len(payload) + (0 if padding is None else padding + 1)
        for each in (0, stream):
            self.uploaded[each] = self.uploaded.get(each, 0) + size
        self.send(data(stream, payload, end=end, padding=padding))

    def open(self, method: bytes = b"GET") -> int:
        """Return the next stream, which the caller will use for a request with this method."""
        stream = self.next_stream
        self.next_stream += 2
        self.expect(stream, method)
        return stream

    def expect(self, stream: int, method: bytes = b"GET") -> Response:
        """Let the server send on this stream, and return what it sends."""
        return self.streams.setdefault(stream, Response(method, window=self.initial_window))

    def give(self, stream: int, increment: int) -> None:
        """Send a WINDOW_UPDATE, and count it."""
        if stream:
            self.expect(stream).window += increment
        else:
            self.window += increment
        self.send(window_update(stream, increment))

    def forget(self) -> None:
        """Drop what is known of streams, all of which have ended."""
        self.streams.clear()
        self.granted = {0: self.granted.get(0, 0)}
        self.uploaded = {0: self.uploaded.get(0, 0)}
        self.frames[1:] = []

    def drop(self, stream: int, reset: bytes) -> None:
        """Send a RST_STREAM (or whatever ends the stream at once); frames on their way are then no fault."""
        self.expect(stream).dropped = True
        self.send(reset)

    # Reading

    def fill(self) -> bool:
        """Block for more bytes; False at the end of the stream. Raises TimeoutError."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing of what was waited for came in time")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(1 << 16)
        except LOST:
            data = b""
        self.held += data
        self.at_end = not data
        return bool(data)

    def wait(self) -> None:
        """Start the time that the next read may take."""
        self.deadline = time.monotonic() + self.timeout

    def read_frame(self) -> Frame | None:
        """Block for the next frame, take account of it and return it; None at the end of the connection."""
        frame = self.next_frame()
        if frame is not None:
            self.take(frame)
        return frame

    def next_frame(self) -> Frame | None:
        """Block for the next frame, which must be right by itself, and return it; None at the end."""
        buffer = self.buffer
        while True:
            buffer += self.held
            self.held = b""
            size = int.from_bytes(buffer[:3], "big")
            if len(buffer) >= 9 + size:
                break
            if self.at_end or not self.fill():
                if buffer:
                    raise Malformed(f"the connection ended inside a frame: {buffer[:60]!r}")
                return None
        stream = int.from_bytes(buffer[5:9], "big")
        frame = Frame(buffer[3], buffer[4], stream & MAX_WINDOW, bytes(buffer[9 : 9 + size]))
        del buffer[: 9 + size]
        if stream != frame.stream:
            raise Malformed(f"the reserved bit is set: {frame}")
        self.frames.append(frame)
        self.check(frame)
        return frame

    def until_true(self, condition: Callable[[], bool]) -> None:
        """Read frames until the condition is true; raises Malformed where the connection ends before."""
        self.wait()
        while not condition():
            if self.read_frame() is None:
                raise Malformed(f"closed; goaway: {self.goaways[-3:]}, last frames: {self.frames[-5:]}")

    def response(self, stream: int) -> Response:
        """Block until the stream has ended, by END_STREAM or by a reset, and return what came on it."""
        response = self.expect(stream)
        self.until_true(lambda: response.ended or response.reset is not None)
        return response

    def answer_of(self, path: bytes = b"/", **rest: Any) -> Response:
        """Ask, and return the whole response."""
        return self.response(self.request(path, **rest))

    def reset_of(self, stream: int) -> int:
        """Block until the server resets the stream; return the code."""
        response = self.expect(stream)
        self.until_true(lambda: response.reset is not None)
        assert response.reset is not None
        return response.reset

    def is_alive(self) -> bool:
        """Ping, and tell whether the ping comes back; if so, everything sent before was processed."""
        self.pings += 1
        mark = b"ping%04d" % self.pings
        self.send(ping(mark))
        self.wait()
        while mark not in self.pongs:
            if self.read_frame() is None:
                return False
        return not self.goaways or self.goaways[-1].code == NO_ERROR

    def rest_of_frames(self) -> list[Frame]:
        """Block until the server closes; return the frames that came until then."""
        self.wait()
        seen = len(self.frames)
        while self.read_frame() is not None:
            pass
        return self.frames[seen:]

    def goodbye(self) -> Goodbye:
        """Block until the server has closed; return its last GOAWAY, without which it must not close."""
        self.rest_of_frames()
        if not self.goaways:
            raise Malformed(f"closed without a GOAWAY; last frames: {self.frames[-5:]}")
        return self.goaways[-1]

    # What is right

    def check(self, frame: Frame) -> None:
        """Hold a frame against what RFC 9113 §4 and §6 say of its kind alone."""
        kind, flags, stream, payload = frame
        if kind not in FLAGS:
            raise Malformed(f"a kind that no server may send unasked: {frame}")
        if flags & ~FLAGS[kind]:
            raise Malformed(f"flags without a meaning are set: {frame}")
        if len(payload) > self.frame_size and not self.loose:
            raise Malformed(f"longer than SETTINGS_MAX_FRAME_SIZE: {frame}")
        if (kind in ON_STREAMS and not stream) or (kind in OF_CONNECTION and stream):
            raise Malformed(f"on the wrong stream: {frame}")
        if len(self.frames) == 1 and (kind != SETTINGS or flags):
            raise Malformed(f"the server's preface is a SETTINGS frame, not {frame}")
        size = {RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}.get(kind)
        if size is not None and len(payload) != size:
            raise Malformed(f"not {size} octets: {frame}")
        if stream and not stream % 2:
            raise Malformed(f"on a stream that nobody has opened: {frame}")
        if stream and stream not in self.streams:
            raise Malformed(f"on an idle stream: {frame}")

    def take(self, frame: Frame) -> None:
        """Take account of a frame."""
        kind, flags, stream, payload = frame
        if kind == DATA:
            self.take_data(frame)
        elif kind == HEADERS:
            self.take_headers(frame)
        elif kind == CONTINUATION:
            raise Malformed(f"not behind a HEADERS frame: {frame}")
        elif kind == RST_STREAM:
            response = self.streams[stream]
            if response.reset is None:  # for further frames from us there may be further ones (§5.4.2)
                response.reset = int.from_bytes(payload, "big")
        elif kind == SETTINGS:
            self.take_settings(frame)
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            elif self.answers_pings:
                self.send(ping(payload, ack=True))
        elif kind == GOAWAY:
            if len(payload) < 8:
                raise Malformed(f"less than 8 octets: {frame}")
            last, code = int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")
            if self.goaways and last > self.goaways[-1].last:
                raise Malformed(f"the last stream of a GOAWAY never grows: {frame}")
            self.goaways.append(Goodbye(last, code, payload[8:]))
        elif kind == WINDOW_UPDATE:
            increment = int.from_bytes(payload, "big")
            if not 0 < increment <= MAX_WINDOW:
                raise Malformed(f"no increment: {frame}")
            self.granted[stream] = self.granted.get(stream, 0) + increment
            if max(self.room(0), self.room(stream)) > MAX_WINDOW:
                raise Malformed(f"a window beyond 2^31-1: {frame}")

    def take_settings(self, frame: Frame) -> None:
        """Take the server's settings, or let ours count from now on."""
        if not frame.flags & ACK:
            if len(frame.payload) % 6:
                raise Malformed(f"not a multiple of 6 octets: {frame}")
            for i in range(0, len(frame.payload), 6):
                key = int.from_bytes(frame.payload[i : i + 2], "big")
                self.settings[key] = int.from_bytes(frame.payload[i + 2 : i + 6], "big")
            self.encoder.header_table_size = min(4096, self.settings.get(HEADER_TABLE_SIZE, 4096))
            self.send(settings(ack=True))
            return
        if self.loose:
            return
        if frame.payload or not self.pending:
            raise Malformed(f"acknowledges nothing: {frame}")
        values = self.pending.popleft()
        change = values.get(INITIAL_WINDOW_SIZE, self.initial_window) - self.initial_window
        self.initial_window += change
        for response in self.streams.values():
            response.window += change
        self.frame_size = values.get(MAX_FRAME_SIZE, self.frame_size)
        if HEADER_TABLE_SIZE in values:
            self.decoder.max_allowed_table_size = values[HEADER_TABLE_SIZE]

    def of_open_stream(self, frame: Frame) -> Response:
        """Return the response that the frame belongs to, which must not have ended."""
        response = self.streams[frame.stream]
        if response.ended or response.reset is not None:
            raise Malformed(f"on a stream that the server has ended: {frame}")
        return response

    def content(self, frame: Frame) -> bytes:
        """Return the payload without padding and priority."""
        payload = frame.payload
        if frame.flags & PADDED:
            size = payload[0]
            if size >= len(payload):
                raise Malformed(f"more padding than payload: {frame}")
            if any(payload[len(payload) - size :]):
                raise Malformed(f"padding that is not zero: {frame}")
            payload = payload[1 : len(payload) - size]
        if frame.kind == HEADERS and frame.flags & PRIORITIZED:
            payload = payload[5:]
        return payload

    def take_data(self, frame: Frame) -> None:
        """Take a piece of a body, within the windows (§6.9) and behind the response's fields (§8.1)."""
        response = self.of_open_stream(frame)
        if response.status < 200:
            raise Malformed(f"DATA before the response's fields: {frame}")
        size = len(frame.payload)
        self.window -= size
        response.window -= size
        if size and (self.window < 0 or response.window < 0) and not self.loose:
            raise Malformed(f"beyond the window (now {self.window}, {response.window}): {frame}")
        response.body += self.content(frame)
        if frame.flags & END_STREAM:
            self.end(response)
        if self.refill and size:
            self.give(0, size)
            if not response.ended:
                self.give(frame.stream, size)

    def take_headers(self, frame: Frame) -> None:
        """Take fields, with the CONTINUATION frames behind, and check what RFC 9113 §8 asks of them."""
        response = self.of_open_stream(frame)
        fragment = self.content(frame)
        last = frame
        while not last.flags & END_HEADERS:
            following = self.next_frame()
            if following is None or following.kind != CONTINUATION or following.stream != frame.stream:
                raise Malformed(f"between the frames of a header block: {following}")
            fragment += following.payload
            last = following
        try:
            fields = tuple((bytes(name), bytes(value)) for name, value in self.decoder.decode(fragment, raw=True))
        except hpack.HPACKError as error:
            raise Malformed(f"{error!r} in {fragment!r}") from None
        ends = bool(frame.flags & END_STREAM)
        if response.status >= 200:
            check_fields(fields)
            if not ends:
                raise Malformed(f"trailers that do not end the stream: {fields}")
            response.trailers = fields
        else:
            status = status_of(fields)
            check_fields(fields[1:])
            if status < 200 and (ends or status == 101):
                raise Malformed(f"a {status} that ends its stream or changes the protocol: {fields}")
            if status < 200:
                response.interim.append((status, fields[1:]))
                return
            response.status, response.headers = status, fields[1:]
        if ends:
            self.end(response)

    def end(self, response: Response) -> None:
        """The stream has ended: the body has the length that was declared (§8.1.1)."""
        response.ended = True
        length = response.field(b"content-length")
        bodiless = response.method == b"HEAD" or response.status in (204, 304)
        if bodiless and response.body:
            raise Malformed(f"a body where there is none: {response}")
        if length is not None and not bodiless and int(length) != len(response.body):
            raise Malformed(f"content-length {length!r}, and {len(response.body)} bytes came")


def status_of(fields: Pairs) -> int:
    """Return the status, which is the first field (§8.3.2)."""
    if not fields or fields[0][0] != b":status" or not re.fullmatch(rb"[1-9][0-9][0-9]", fields[0][1]):
        raise Malformed(f"no :status: {fields}")
    return int(fields[0][1])


def check_fields(fields: Pairs) -> None:
    """Check names and values (§8.2.1), and that none is of HTTP/1.1 only (§8.2.2) or a second pseudo-field."""
    for name, value in fields:
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value) or name in OF_HTTP_1:
            raise Malformed(f"a field that HTTP/2 does not allow: {name!r}: {value!r}")
