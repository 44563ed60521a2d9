"""One stream (RFC 9113 §5): its state, its two flow-control windows, and what waits to be sent."""

from typing import Any

# How a stream that is no longer open has ended; frames that still come for it are judged by this (§5.1).
NEVER_OPENED, ENDED, RESET_BY_US, RESET_BY_PEER = range(4)
REMEMBERED = 1024  # streams, opened or skipped, whose end is remembered


class StreamState:
    """A stream from its request's HEADERS to its end."""

    __slots__ = (
        "chunks",
        "closed",
        "expected",
        "final",
        "id",
        "incremental",
        "local_ended",
        "owner",
        "queued",
        "ready",
        "receive_window",
        "received",
        "remote_ended",
        "send_window",
        "trailers",
        "tunnel",
        "unused",
        "urgency",
    )

    def __init__(self, stream_id: int, send_window: int, receive_window: int) -> None:
        self.id = stream_id
        self.owner: Any = None  # whoever serves the stream; not the codec's
        self.closed = False
        self.remote_ended = False  # the client has sent END_STREAM
        self.local_ended = False  # we have
        self.tunnel = False  # a WebSocket: DATA has no length to hold it against
        # What the client sends
        self.receive_window = receive_window  # may be negative for a moment (§6.9.2)
        self.unused = 0  # bytes that came and were not used yet: the window is that much smaller
        self.expected = -1  # bytes of the body as declared
        self.received = 0  # bytes of the body
        # What we send
        self.send_window = send_window
        self.urgency = 3  # RFC 9218 §4.1
        self.incremental = False
        self.chunks: list[Any] = []  # bytes and views of them that wait for a window or their turn
        self.queued = 0  # bytes of them
        self.final = False  # the end of the stream is behind them
        self.trailers: list[tuple[bytes, bytes]] | None = None  # what is to end the stream
        self.ready = False  # is among those that have something to send and a window for it


class ClosedStreams:
    """How the latest streams have ended: a ring, since a client must use ever higher odd numbers (§5.1.1)."""

    __slots__ = ("last_id", "ring")

    def __init__(self) -> None:
        self.last_id = -1  # the highest that the client has used
        self.ring = bytearray(REMEMBERED)

    def open(self, stream_id: int) -> None:
        """Take note that the client opens this stream; lower ones that it has not opened can be opened no more."""
        at = max(self.last_id + 2, stream_id - 2 * REMEMBERED)
        while at < stream_id:
            self.ring[(at >> 1) % REMEMBERED] = NEVER_OPENED
            at += 2
        self.last_id = stream_id
        self.ring[(stream_id >> 1) % REMEMBERED] = ENDED

    def close(self, stream_id: int, how: int) -> None:
        """Remember how the stream has ended."""
        if stream_id + 2 * REMEMBERED > self.last_id:
            self.ring[(stream_id >> 1) % REMEMBERED] = how

    def how(self, stream_id: int) -> int:
        """Return how a stream up to the highest number has ended; those long past have just ended."""
        if stream_id + 2 * REMEMBERED <= self.last_id:
            return ENDED
        return self.ring[(stream_id >> 1) % REMEMBERED]
