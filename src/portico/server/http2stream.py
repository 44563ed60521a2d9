"""One stream of HTTP/2: what an exchange or a session writes to, and where the client's part of it arrives."""

import os
from typing import TYPE_CHECKING, Any

from portico.asgi import PorticoError
from portico.codec.events import Fault, Request
from portico.codec.http2.frames import CANCEL, INTERNAL_ERROR, NO_ERROR
from portico.codec.http2.messages import CONNECTION_SPECIFIC, ResponseFields, length_field
from portico.codec.http2.streams import StreamState
from portico.codec.websocket.handshake import read_extended_connect
from portico.http.status import forbids_body
from portico.server.deadlines import NEVER
from portico.server.exchange import Exchange
from portico.server.scopes import Scopes
from portico.server.service import logger
from portico.server.session import Session
from portico.server.stream import Stream

if TYPE_CHECKING:
    from portico.server.http2 import Http2Connection

HIGH_WATER = 65536  # bytes that wait in the stream before the application has to
PIECE = 1 << 16  # bytes of a file that are read at a time
TAKEN = ResponseFields()  # what the application has sent, from one line to the next
NO_REQUEST = Request()  # of a stream whose request is at fault
LINGER_S = 1.0  # for the client to end its side of the stream after us
PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Http2Stream(Stream):
    """A stream from its request to the end of both sides."""

    __slots__ = (
        "connection",
        "content_length",
        "continue_due",
        "early",
        "exchange",
        "fields",
        "head_request",
        "held",
        "multiplexer",
        "reading_paused",
        "request",
        "session",
        "state",
        "status",
        "unsent",
    )

    def __init__(self, connection: "Http2Connection", state: StreamState) -> None:
        super().__init__(connection.service)
        self.connection = connection
        self.multiplexer = connection.multiplexer
        self.state = state
        self.request = NO_REQUEST
        self.exchange: Exchange | None = None
        self.session: Session | None = None
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.content_length = -1
        self.head_request = False
        self.continue_due = False
        self.early: list[bytes] = []  # of a WebSocket whose handshake is not over
        self.reading_paused = False
        self.held = 0  # bytes that have come while reading was paused
        self.unsent = 0

    # The request

    def begin(self, request: Request) -> None:
        """Have the request answered."""
        service = self.service
        self.request = request
        self.head_request = request.method == "HEAD"
        self.continue_due = request.expects_continue and request.has_body
        if service.is_full(request):
            self._answer(503, "Service Unavailable", [(b"retry-after", b"1")])
            return
        scopes = self.connection.scopes
        assert scopes is not None
        if request.protocol:
            self._begin_session(request, scopes)
            return
        exchange = Exchange(self, service, request, scopes.http(request))
        self.exchange = exchange
        exchange.run()

    def _begin_session(self, request: Request, scopes: Scopes) -> None:
        """Take the opening handshake of a WebSocket (RFC 8441 §5)."""
        service = self.service
        if request.protocol != b"websocket" or not service.websockets:
            fault: Any = Fault(501, "protocol is not known")
        else:
            fault = read_extended_connect(request, service.ws_per_message_deflate, service.ws_origins)
        if type(fault) is Fault:
            logger.debug("refused a WebSocket: %d %s", fault.status, fault.reason)
            service.meter.count_status(request.method, fault.status)
            self.refuse(fault)
            return
        offer = fault
        session = Session(self, service, request, scopes.websocket(request, offer.subprotocols), offer)
        self.session = session
        self.exchange = session.handshake
        session.run()

    def take_data(self, data: bytes) -> None:
        """Take a piece of the body, or of what a WebSocket sends."""
        self.continue_due = False
        session = self.session
        if session is not None:
            if self.exchange is not None:
                self.early.append(data)
                return
            self._used(len(data))
            session.feed(data)
            return
        exchange = self.exchange
        if exchange is None or exchange.body_done:
            self._drop(len(data))
            return
        exchange.feed_body(data)
        if self.deadline < NEVER and not exchange.body_done and exchange.waiter is None:
            self._await_nothing()

    def _drop(self, size: int) -> None:
        """Bear that the client goes on while its window lasts, though it has its answer: a reset may hide that."""
        self.multiplexer.discard(self.state, size)

    def take_end(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """The client has ended its side."""
        if self.state.closed:
            self._rest()
            return
        self._await_nothing()
        session = self.session
        if session is not None:
            if self.exchange is None:
                session.hang_up()
                self.multiplexer.send_data(self.state, b"", True)
            else:
                self.exchange.hang_up()
            return
        if self.exchange is not None and not self.exchange.body_done:
            self.exchange.end_body(trailers)

    def hang_up(self) -> None:
        """The client has closed its side of the connection; it may still read."""
        exchange = self.exchange
        if self.session is not None and exchange is None:
            self.session.hang_up()
        elif exchange is not None:
            if exchange.body_done:
                exchange.hang_up()
            else:
                exchange.disconnect()
                self.multiplexer.reset(self.state, CANCEL)

    def disconnect(self) -> None:
        """The stream, or its connection, has gone."""
        self._rest()
        exchange = self.exchange
        self.exchange = None
        session = self.session
        self.session = None
        if exchange is not None:
            exchange.disconnect()
        if session is not None:
            session.hang_up()
        self.wake_writers()

    def shutdown(self) -> None:
        """The server stops."""
        if self.session is not None and self.exchange is None:
            self.session.shutdown()

    # Refusals

    def refuse(self, fault: Fault) -> None:
        """Answer a fault of the client where that can be done, and read nothing more of the request."""
        exchange = self.exchange
        if exchange is not None and exchange is not getattr(self.session, "handshake", None):
            untouched = exchange.is_untouched() and not exchange.gone
            exchange.disconnect()
            if not untouched:
                if not exchange.is_complete():
                    self.multiplexer.reset(self.state, CANCEL)
                return
            exchange.status = fault.status
        fields = [tuple(line.split(b": ", 1)) for line in fault.fields.split(b"\r\n") if line]
        self._answer(fault.status, fault.reason, [field for field in fields if field[0] not in CONNECTION_SPECIFIC])

    def _answer(self, status: int, text: str, fields: list[Any]) -> None:
        multiplexer = self.multiplexer
        self.exchange = None
        self.session = None
        body = b"" if self.head_request else text.encode() + b"\n"
        fields = [*self.connection.defaults.pairs, *fields, PLAIN_TEXT, length_field(len(body))]
        multiplexer.send_headers(self.state, status, fields, not body)
        if body:
            multiplexer.send_data(self.state, body, True)
        self._ended()
        self.connection.schedule_flush()

    # What the exchange calls

    def start_response(self, status: int, headers: Any) -> int:
        taken = TAKEN
        taken.take(headers)
        defaults = self.connection.defaults
        if taken.has_date or taken.has_server or taken.has_hsts:
            pairs = defaults.pairs_without(taken.has_date, taken.has_server, taken.has_hsts)
        else:
            pairs = defaults.pairs
        self.status = status
        self.fields = pairs + taken.fields
        self.content_length = taken.content_length
        return self.content_length

    def _send_head(self, length: int, end: bool) -> None:
        """Send the head, given the length of the whole body (-1: more is to come)."""
        declared = self.content_length
        status = self.status
        fields = self.fields
        self.fields = []
        if forbids_body(status):
            if status != 304:
                declared = -1
        elif declared < 0 and (length > 0 or not self.head_request):
            declared = length
        if declared >= 0:
            fields.append(length_field(declared))
        self.multiplexer.send_headers(self.state, status, fields, end)

    def write_body(self, data: bytes, more: bool, first: bool, trailers: bool) -> None:
        multiplexer = self.multiplexer
        state = self.state
        if trailers and not self.request.wants_trailers:
            trailers = False
        end = not more and not trailers
        if first:
            self._send_head(-1 if more or trailers else len(data), end and not data)
            if data:
                multiplexer.send_data(state, data, end)
        else:
            multiplexer.send_data(state, data, end)
        if state.queued:
            self._watch_writing()
        connection = self.connection
        if not connection.acting:
            connection.schedule_flush()

    def write_trailers(self, fields: list[tuple[bytes, bytes]]) -> None:
        if self.request.wants_trailers:
            self.multiplexer.send_trailers(self.state, fields)
            self.connection.schedule_flush()

    def write_early_hints(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.multiplexer.send_headers(self.state, 103, fields, False)
        self.connection.schedule_flush()

    async def write_file(self, file: int, offset: int, count: int, more: bool, first: bool) -> None:
        end = offset + count
        trailers = self.exchange is not None and self.exchange.trailers
        if first:
            self._send_head(-1 if more or trailers else count, False)
        while True:
            data = os.pread(file, min(PIECE, end - offset), offset)
            if not data and offset < end:
                raise PorticoError(f"the file is shorter than it was: {end - offset} bytes are missing")
            offset += len(data)
            last = offset == end
            self.write_body(data, more or not last, False, trailers)
            if last:
                return
            await self.drain()

    def is_lost(self) -> bool:
        return self.state.closed or self.connection.transport is None

    def want_body(self) -> None:
        if self.continue_due:
            self.continue_due = False
            if self.exchange is not None and self.exchange.is_untouched():
                self.multiplexer.send_headers(self.state, 100, [], False)
                self.connection.schedule_flush()
        if not self.state.remote_ended:
            self.set_deadline(self.service.now + self.service.timeout_body)

    def body_taken(self, size: int) -> None:
        connection = self.connection
        self.multiplexer.use(self.state, size)
        if not connection.acting and self.multiplexer.size:
            connection.schedule_flush()

    def end_response(self) -> None:
        self.exchange = None
        self._ended()

    def cut(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.gone = True
        self.multiplexer.reset(self.state, INTERNAL_ERROR)
        self.connection.schedule_flush()

    def answer_error(self, status: int, text: str) -> None:
        self._answer(status, text, [])

    # What a session calls

    def upgrade(self, session: Session, key: bytes, headers: Any) -> bytes:
        self.start_response(200, headers)
        self.multiplexer.send_headers(self.state, 200, self.fields, False)
        self.connection.schedule_flush()
        self.exchange = None
        rest = b"".join(self.early)
        self.early = []
        if rest:
            self._used(len(rest))
        return rest

    def write(self, head: bytes, payload: bytes) -> None:
        state = self.state
        self.multiplexer.send_data(state, head + payload, False)
        if state.queued:
            self._watch_writing()
        self.connection.schedule_flush()

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False
        self._release_held()

    def _release_held(self) -> None:
        held = self.held
        self.held = 0
        if held:
            self._used(held)

    def _used(self, size: int) -> None:
        """So many bytes are in the session; while it cannot go on, the client's window shrinks."""
        if self.reading_paused or self.paused:
            self.held += size
        else:
            self.multiplexer.use(self.state, size)
            self.connection.schedule_flush()

    def finish(self) -> None:
        self.multiplexer.send_data(self.state, b"", True)
        self._ended()
        self.connection.schedule_flush()

    def abort(self) -> None:
        self.multiplexer.reset(self.state, CANCEL)
        self.connection.schedule_flush()

    # Flow and deadlines

    def _watch_writing(self) -> None:
        """Something waits for a window: give the client its time to open it."""
        self.paused = self.state.queued > HIGH_WATER
        self.unsent = self.state.queued
        self.set_deadline(self.service.now + self.service.timeout_write)

    def relieve(self) -> None:
        """All that was waiting has gone, or most of it."""
        if not self.state.queued:
            self._await_nothing()
            self._ended()
        self.paused = False
        self.wake_writers()
        if self.session is not None and self.exchange is None:
            self.session.resume_writing()
            self._release_held()

    def _await_nothing(self) -> None:
        self.deadline = NEVER

    def _rest(self) -> None:
        """There is nothing to wait for any more: nobody need know of the stream."""
        if self.slot >= 0:
            self.service.deadlines.forget(self)
            self.deadline = self.scheduled = NEVER
        self.state.owner = None  # without the cycle it goes at once, rather than with the garbage collector

    def _ended(self) -> None:
        """If our side of the stream has ended, wait for the client's, as long as that is worth while (§8.1)."""
        state = self.state
        if state.closed:
            self._rest()
        elif state.local_ended:
            self.set_deadline(self.service.now + LINGER_S)

    def expire(self, now: float) -> None:
        state = self.state
        if state.closed or self.connection.transport is None:
            return
        if state.queued:
            if state.queued < self.unsent:
                self.unsent = state.queued
                self.deadline = now + self.service.timeout_write
                return
        elif self.exchange is not None and not self.exchange.body_done:
            self.refuse(Fault(408, "the request's body did not come in time"))
            self.connection.flush()
            return
        self.disconnect()
        self.multiplexer.reset(state, NO_ERROR if state.local_ended else CANCEL)
        self.connection.flush()
