"""One HTTP/2 connection: bytes in -> multiplexer -> an exchange for each stream; frames out -> transport.

What is to be written is gathered while events are being acted on, or until the loop's next round, and leaves in one
write.
"""

from typing import Any

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.events import Pong, Reset, Violation
from portico.codec.http2.multiplexer import Multiplexer
from portico.codec.http2.sending import BURST
from portico.codec.http2.streams import StreamState
from portico.server.call import Call
from portico.server.connection import BUSY, IDLE, LINGERING, Connection
from portico.server.deadlines import NEVER
from portico.server.http2stream import Http2Stream
from portico.server.service import Service, logger

BARRIER = b"last one"  # the PING whose answer says that the client knows of our first GOAWAY
MAX_UNREAD = 262144  # bytes, of answers and acknowledgements that wait for a client, before we read no more of it
BARRIER_S = 1.0  # for the client to answer it


class Http2Connection(Connection):
    """Serves HTTP/2 (RFC 9113)."""

    __slots__ = ("acting", "flush_due", "leaving", "left", "multiplexer", "within_block")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.multiplexer = Multiplexer(service.bounds, service.now)
        self.acting = False  # on events: what is written waits for the end of it
        self.flush_due = False
        self.leaving = False  # the server stops: our first GOAWAY is out
        self.left: list[Call] = []  # whose streams were reset while their applications were running
        self.within_block = False

    # The transport's callbacks

    def begin(self) -> None:
        if self.service.stopping:
            self.shutdown(NEVER)
        self.flush()

    def turn_away(self) -> None:
        self.multiplexer.go_away(True)
        for part in self.multiplexer.take():
            self.put(part)
        self.linger()

    def lost(self) -> None:
        self.left.clear()
        multiplexer = self.multiplexer
        for state in list(multiplexer.streams.values()):
            state.closed = True
            if state.owner is not None:
                state.owner.disconnect()
        multiplexer.streams.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self.service.meter.receive(len(data))
        if self.phase >= LINGERING:
            self.drop(len(data))
        else:
            self.feed(data)

    def feed(self, data: bytes) -> None:
        """Act on what has come, and write what follows from it."""
        multiplexer = self.multiplexer
        multiplexer.feed(data, self.service.now)
        self.acting = True
        try:
            while (event := multiplexer.next_event()) is not None:
                self._act(event)
                if multiplexer.size > BURST:
                    self.flush()
                    if self.transport is None or self.transport.is_closing():
                        break
                if self.phase >= LINGERING:
                    break
        finally:
            self.acting = False
        self.flush()

    def eof_received(self) -> bool:
        """The client has closed its side; it may still read. True keeps our side open."""
        self.eof = True
        for state in list(self.multiplexer.streams.values()):
            state.owner.hang_up()
        return bool(self.multiplexer.streams) and self.phase < LINGERING

    def writable(self) -> None:
        self.multiplexer.full = False
        if self.reading_paused:
            self.resume_reading()
        self.flush()

    # Events

    def _act(self, event: object) -> None:
        multiplexer = self.multiplexer
        state: Any = multiplexer.stream
        if type(event) is Request:
            self._begin(state, event)
        elif type(event) is Data:
            if state.owner is not None:
                state.owner.take_data(event.data)
        elif type(event) is End:
            if state.owner is not None:
                state.owner.take_end(event.trailers)
        elif type(event) is Fault:
            self._refuse(state, event)
        elif type(event) is Reset:
            self._take_reset(state)
        elif type(event) is Pong:
            if self.leaving and event.data == BARRIER:
                multiplexer.go_away(True)
        elif type(event) is Violation:
            logger.debug("closed an HTTP/2 connection: %d %s", event.code, event.reason)

    def _begin(self, state: StreamState, request: Request) -> None:
        stream = Http2Stream(self, state)
        state.owner = stream
        if self.left and len(self.left) + len(self.multiplexer.streams) > self.multiplexer.bounds.streams:
            self.left = [call for call in self.left if not call.finished]
            if len(self.left) + len(self.multiplexer.streams) > self.multiplexer.bounds.streams:
                self.multiplexer.turn_away(state)
                return
        if self.phase == IDLE:
            self.phase = BUSY
            self.deadline = NEVER
        stream.begin(request)

    def serve_upgraded(self, request: Request, settings: bytes) -> None:
        """Serve, as stream 1, the request of HTTP/1.1 whose sender has asked for the upgrade (RFC 7540 §3.2)."""
        state = self.multiplexer.upgrade(settings)
        if state is not None:
            self._begin(state, request)
        self.flush()

    def _refuse(self, state: StreamState, fault: Fault) -> None:
        """Answer a request that is at fault, rather than reset it."""
        logger.debug("refused a request: %d %s", fault.status, fault.reason)
        stream = state.owner
        if stream is None:
            stream = state.owner = Http2Stream(self, state)
            self.service.meter.count_status("", fault.status)
        stream.refuse(fault)

    def _take_reset(self, state: StreamState) -> None:
        stream = state.owner
        if stream is None:
            return
        call = stream.exchange if stream.session is None else stream.session
        stream.disconnect()
        if call is not None and not call.finished:
            self.left.append(call)

    # Writing

    def schedule_flush(self) -> None:
        """Write soon what there is: at the end of the events being acted on, or in the loop's next round."""
        if not self.acting and not self.flush_due:
            self.flush_due = True
            self.service.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what may be written now."""
        self.flush_due = False
        if self.transport is None or self.phase >= LINGERING:
            return
        multiplexer = self.multiplexer
        while True:
            if multiplexer.ready and not self.paused:
                multiplexer.pump()
            if not multiplexer.size:
                break
            self.put(b"".join(multiplexer.take()))
            if self.paused:
                multiplexer.full = True
        if multiplexer.relieved:
            relieved = multiplexer.relieved
            multiplexer.relieved = []
            for state in relieved:
                if state.owner is not None:
                    state.owner.relieve()
        self._look_on()

    def _look_on(self) -> None:
        """Decide what is waited for now."""
        multiplexer = self.multiplexer
        service = self.service
        if multiplexer.violation is not None:
            self.lost()
            self.linger()
            return
        if self.paused and not self.reading_paused and self.transport.get_write_buffer_size() > MAX_UNREAD:
            self.pause_reading()
        if multiplexer.streams:
            if multiplexer.block_stream:
                self._time_block()
            else:
                self.within_block = False
                if not self.paused:
                    self.deadline = NEVER
            return
        if multiplexer.going or self.eof:
            self.close_in_order()
        elif multiplexer.is_within_block() or not multiplexer.began:
            self._time_block()
        elif self.within_block or self.phase == BUSY:
            self.within_block = False
            self.phase = IDLE
            if not self.paused:
                self.set_deadline(service.now + service.timeout_keep_alive)

    def _time_block(self) -> None:
        if not self.within_block:
            self.within_block = True
            self.set_deadline(self.service.now + self.service.timeout_header)

    def close_in_order(self) -> None:
        """Close, since all that was promised has been done."""
        if self.eof:
            self.close()
        else:
            self.linger()

    # Ends

    def is_idle(self) -> bool:
        multiplexer = self.multiplexer
        return self.phase < LINGERING and not multiplexer.streams and not multiplexer.is_within_block()

    def close(self) -> None:
        multiplexer = self.multiplexer
        if self.transport is not None and self.phase < LINGERING and not multiplexer.going:
            multiplexer.go_away(True)
            self.put(b"".join(multiplexer.take()))
        Connection.close(self)

    def shutdown(self, due: float) -> None:
        if self.transport is None or self.phase >= LINGERING:
            return
        if self.leaving:
            if self.is_idle():
                self.close()
            return
        self.leaving = True
        multiplexer = self.multiplexer
        multiplexer.go_away(False)
        multiplexer.ping(BARRIER)
        for state in list(multiplexer.streams.values()):
            state.owner.shutdown()
        self.flush()
        self.service.loop.call_later(BARRIER_S, self.leave)

    def leave(self) -> None:
        """Take no more streams, whether the client has answered or not."""
        if self.transport is not None and self.phase < LINGERING:
            self.multiplexer.go_away(True)
            self.flush()

    def overdue(self, now: float) -> None:
        if self.multiplexer.streams and not self.multiplexer.block_stream:
            return
        self.close()
