"""A conversation with our side of an HTTP/2 connection: a client's bytes in; events, and frames to be written, out."""

from collections.abc import Iterable

import hpack
from tests import frames as f

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.bounds import Bounds
from portico.codec.http2.events import Pong, Reset, Violation
from portico.codec.http2.multiplexer import Multiplexer
from portico.codec.http2.streams import StreamState
from portico.codec.limits import Limits

Told = tuple[object, ...]


def told(stream: StreamState | None, event: object) -> Told:
    """Return an event as it can be compared, with the number of its stream where it is of one."""
    match event:
        case Pong():
            return ("pong", event.data)
        case Violation():
            assert event.reason
            return ("violation", event.code)
    assert stream is not None
    match event:
        case Request():
            return ("request", stream.id, event.method, event.path)
        case Data():
            assert event.data
            return ("data", stream.id, event.data)
        case End():
            return ("end", stream.id, event.trailers)
        case Fault():
            return ("fault", stream.id, event.status)
        case Reset():
            return ("reset", stream.id, event.code)
    raise AssertionError(event)


def split(data: bytes) -> list[f.Frame]:
    """Return the frames that were written; all of them must be whole."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "big")
        assert len(data) >= 9 + size
        found.append(f.Frame(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def reset_frame(stream: int, code: int) -> f.Frame:
    return f.Frame(f.RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def window_frame(stream: int, increment: int) -> f.Frame:
    return f.Frame(f.WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


class Talk:
    """A connection, after both sides have said how they begin."""

    def __init__(
        self, bounds: Bounds | None = None, settings: Iterable[tuple[int, int]] = (), begun: bool = True
    ) -> None:
        self.multiplexer = Multiplexer(bounds or Bounds(Limits()), 0.0)
        self.decoder = hpack.Decoder()
        self.now = 0.0
        if begun:
            assert self.hear(f.PREFACE + f.settings(settings)) == []
            self.greeting = self.said()

    def hear(self, *pieces: bytes) -> list[Told]:
        """Feed what the client sends; return the events."""
        multiplexer = self.multiplexer
        events = []
        for piece in pieces:
            multiplexer.feed(piece, self.now)
            while (event := multiplexer.next_event()) is not None:
                events.append(told(multiplexer.stream, event))
        return events

    def said(self) -> list[f.Frame]:
        """Return the frames that are to be written now."""
        multiplexer = self.multiplexer
        out = b""
        while True:
            multiplexer.pump()
            pieces = multiplexer.take()
            if not pieces:
                return split(out)
            out += b"".join(pieces)

    def open(self, number: int = 1, *, end: bool = True, priority: bytes | None = None) -> StreamState:
        """Have the client open a stream; return it."""
        extra = [] if priority is None else [(b"priority", priority)]
        fields = f.request(method=b"GET" if end else b"POST", extra=extra)
        (event,) = self.hear(f.headers(number, f.block(fields), end=end))
        assert event[:2] == ("request", number)
        stream = self.multiplexer.stream
        assert stream is not None
        return stream

    def fields_of(self, frame: f.Frame) -> list[tuple[bytes, bytes]]:
        """Return the fields of a HEADERS frame, each of which has to come here, in their order."""
        return [(bytes(name), bytes(value)) for name, value in self.decoder.decode(frame.payload, raw=True)]

    def balance(self) -> int:
        """Return the whole of the window that the client has for all bodies: it must stay as large as it was."""
        multiplexer = self.multiplexer
        unused = sum(stream.unused for stream in multiplexer.streams.values())
        return multiplexer.receive_window + multiplexer.credit + unused
