"""One HTTP/1 connection: bytes in -> reader -> exchange; response pieces -> writer -> transport.

Requests are served one after the other, in order; the bytes of those that come early wait unread in the reader. After
an upgrade the bytes go to and come from a WebSocket session, as they are.
"""

from base64 import b64decode
from typing import Any

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http1.reader import RequestReader
from portico.codec.http1.writer import ResponseWriter, error_response, field_lines, status_line
from portico.codec.http2.frames import PREFACE
from portico.codec.http2.messages import CONNECTION_SPECIFIC
from portico.codec.websocket.handshake import accept_value, is_handshake, read_handshake
from portico.http.headers import list_members
from portico.server.connection import (
    BUSY,
    CLOSED,
    DRAINING,
    IDLE,
    JOIN_LIMIT,
    LINGER_S,
    LINGERING,
    UPGRADED,
    Connection,
)
from portico.server.deadlines import NEVER
from portico.server.exchange import Exchange
from portico.server.http2 import Http2Connection
from portico.server.sendfile import send_file
from portico.server.service import Service, logger
from portico.server.session import Session

MAX_DRAIN = 65536  # bytes of an unread body that are dropped to keep the connection


class Http1Connection(Connection):
    """Serves HTTP/1.0 and HTTP/1.1, and hands over to HTTP/2 where a client begins it without TLS."""

    __slots__ = (
        "advancing",
        "continue_due",
        "exchange",
        "fresh",
        "reader",
        "session",
        "writer",
    )

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.reader = RequestReader(service.limits)
        self.writer = ResponseWriter(service.defaults)
        self.exchange: Exchange | None = None
        self.session: Session | None = None
        self.fresh = service.http2_cleartext  # may still turn out to be HTTP/2
        self.advancing = False
        self.continue_due = False

    # The transport's callbacks

    def begin(self) -> None:
        if self.defaults is not self.service.defaults:
            self.writer.defaults = self.defaults
        if self.scopes is not None and self.scopes.tls is not None:
            self.fresh = False  # there the two agree on HTTP/2 before they begin

    def turn_away(self) -> None:
        self.put(error_response(503, self.defaults, b"retry-after: 1\r\n", b""))
        self.linger()

    def lost(self) -> None:
        self.reader.close()
        exchange = self.exchange
        self.exchange = None
        if exchange is not None:
            exchange.disconnect()
        session = self.session
        self.session = None
        if session is not None:
            session.hang_up()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self.service.meter.receive(len(data))
        phase = self.phase
        if phase == UPGRADED:
            self.session.feed(data)  # type: ignore[union-attr]
            return
        if phase >= LINGERING:
            self.drop(len(data))
            return
        reader = self.reader
        reader.feed(data)
        if self.fresh and self._begins_http2():
            return
        if phase == BUSY and self._body_done():
            if reader.buffered() > self.service.limit_pipeline:
                self.pause_reading()
            return
        self.advance()

    def eof_received(self) -> bool:
        """The client has closed its side; it may still read (RFC 9112 §9.6). True keeps our side open."""
        self.eof = True
        if self.phase == IDLE:
            if self.reader.buffered():
                self._refuse(Fault(400, "incomplete request"))
                return self.phase != CLOSED
            return False
        if self.phase == BUSY and self.exchange is not None:
            if self._body_done():
                self.exchange.hang_up()
            else:
                self._refuse(Fault(400, "incomplete body"))  # RFC 9112 §8
            return self.phase < CLOSED
        if self.phase == UPGRADED and self.session is not None:
            self.session.hang_up()
            self.close()
        return False

    def writable(self) -> None:
        if self.phase == UPGRADED and self.session is not None:
            self.deadline = NEVER
            self.session.resume_writing()
        self._set_phase_deadline()

    def _begins_http2(self) -> bool:
        """Tell whether the client has prior knowledge that we speak HTTP/2 (RFC 9113 §3.3); then hand over to it."""
        reader = self.reader
        start = reader.buffer[reader.position : reader.position + len(PREFACE)]
        if not PREFACE.startswith(start):
            return self._is_foreign()
        if len(start) > 3:  # no method of HTTP/1 begins like this, with a space
            data = reader.rest()
            reader.close()
            successor = Http2Connection(self.service)
            self.hand_over(successor)
            successor.feed(data)
            return True
        return False

    def _is_foreign(self) -> bool:
        """Tell whether the client names no version of HTTP where it must; then close: it would understand no answer."""
        reader = self.reader
        end = reader.buffer.find(b"\r\n", reader.position)
        if end < 0:
            return False
        self.fresh = False
        words = reader.buffer[reader.position : end].split(b" ")
        if len(words) != 3 or b"/" in words[2]:
            return False
        self.linger()
        return True

    # Requests

    def advance(self) -> None:
        """Act on what the reader has, until it needs more bytes or a response has to be finished first."""
        if self.advancing:
            return
        self.advancing = True
        try:
            while self._step():
                pass
        finally:
            self.advancing = False
        phase = self.phase
        if phase == BUSY:
            self._set_phase_deadline()
        elif phase == IDLE:
            if self.eof:
                self.close()
            elif self.reader.buffered() and self.deadline > self.service.now + self.service.timeout_header:
                self.set_deadline(self.service.now + self.service.timeout_header)

    def _step(self) -> bool:
        """Act on the next event; return whether to go on."""
        event = self.reader.next_event()
        if event is None:
            return False
        if type(event) is Request:
            self._begin(event)
        elif type(event) is Data:
            self._take_data(event.data)
        elif type(event) is End:
            self._take_end(event.trailers)
        elif type(event) is Fault:
            self._refuse(event)
        phase = self.phase
        return phase in (IDLE, DRAINING) or (phase == BUSY and not self._body_done())

    def _body_done(self) -> bool:
        exchange = self.exchange
        return exchange is None or exchange.body_done

    def _begin(self, request: Request) -> None:
        service = self.service
        writer = self.writer
        writer.expect(request.method == "HEAD", request.http_version == "1.0", request.keep_alive)
        self.continue_due = request.expects_continue and request.has_body
        if service.is_full(request):
            self._answer(503, b"retry-after: 1\r\n", "Service Unavailable")
            return
        if request.upgrades is not None and service.websockets and is_handshake(request):
            self._begin_session(request)
            return
        if service.http2_upgrade and request.upgrades is not None and self._upgrade_to_http2(request):
            return
        scopes = self.scopes
        assert scopes is not None
        exchange = Exchange(self, service, request, scopes.http(request))
        self.exchange = exchange
        self.phase = BUSY
        exchange.run()

    def _upgrade_to_http2(self, request: Request) -> bool:
        """Take `Upgrade: h2c` where it is right and without a body (RFC 7540 §3.2); return whether it was."""
        settings = [value for name, value in request.headers if name == b"http2-settings"]
        upgrades = request.upgrades or ()
        named = [value for name, value in request.headers if name == b"connection"]
        if not any(b"http2-settings" in list_members(value) for value in named):
            return False  # a proxy may have passed on what was meant for itself
        if b"h2c" not in upgrades or not request.connection_upgrade or request.has_body or len(settings) != 1:
            return False
        try:
            payload = b64decode(settings[0] + b"=" * (-len(settings[0]) % 4), b"-_", validate=True)
        except ValueError:
            return False
        if len(payload) % 6 or self.scopes is None or self.scopes.tls is not None:
            return False
        self.writer.start(101, [])
        self.put(self.writer.switch(b"h2c"))
        rest = self.reader.rest()
        self.reader.close()
        request.headers[:] = [field for field in request.headers if field[0] not in CONNECTION_SPECIFIC]
        request.http_version = "2"
        successor = Http2Connection(self.service)
        self.hand_over(successor)
        successor.serve_upgraded(request, payload)
        if rest:
            successor.feed(rest)
        return True

    def _begin_session(self, request: Request) -> None:
        """Take the opening handshake of a WebSocket; what is not accepted ends the connection.

        A client that has sent its first frames without waiting has sent nothing that could be read as a request.
        """
        self.writer.keep_alive = False
        offer = read_handshake(request, self.service.ws_per_message_deflate, self.service.ws_origins)
        if isinstance(offer, Fault):
            logger.debug("refused a WebSocket: %d %s", offer.status, offer.reason)
            self.service.meter.count_status(request.method, offer.status)
            self._answer(offer.status, offer.fields, offer.reason)
            return
        scopes = self.scopes
        assert scopes is not None
        session = Session(self, self.service, request, scopes.websocket(request, offer.subprotocols), offer)
        self.exchange = session.handshake
        self.phase = BUSY
        session.run()

    def _take_data(self, data: bytes) -> None:
        self.continue_due = False
        if self.phase == DRAINING:
            self.drained += len(data)
            if self.drained > MAX_DRAIN:
                self.linger()
            return
        exchange = self.exchange
        if exchange is not None and not exchange.feed_body(data):
            self.pause_reading()

    def _take_end(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if self.phase == DRAINING:
            self._next_request()
        elif self.exchange is not None:
            self.exchange.end_body(trailers)

    def _next_request(self) -> None:
        """The response is complete and the request was read to its end."""
        service = self.service
        self.exchange = None
        if not self.writer.keep_alive:
            if self.reader.buffered():
                self.linger()
            else:
                self.close()
            return
        self.phase = IDLE
        self.deadline = service.now + service.timeout_keep_alive
        if self.deadline < self.scheduled:
            self.set_deadline(self.deadline)
        if not self.advancing:
            if self.reading_paused:
                self.resume_reading()
            if self.eof or self.reader.buffered():
                self.advance()

    # Refusals

    def _refuse(self, fault: Fault) -> None:
        """Answer a fault of the peer where that can be done, and read nothing more."""
        logger.debug("refused a request: %d %s", fault.status, fault.reason)
        exchange = self.exchange
        if exchange is not None:
            untouched = exchange.is_untouched() and not exchange.gone
            exchange.disconnect()
            if not untouched and not exchange.is_complete():
                self.cut()
                return
            if not untouched:
                self.linger()
                return
            exchange.status = fault.status
        else:
            self.service.meter.count_status("", fault.status)
            self.writer.expect(False, False, False)
        self._answer(fault.status, fault.fields, fault.reason)

    def _answer(self, status: int, fields: bytes, text: str) -> None:
        body = b"" if self.writer.head_request else text.encode() + b"\n"
        if self.transport is not None:
            self.put(error_response(status, self.defaults, fields, body))
            self.linger()

    # What the exchange calls

    def start_response(self, status: int, headers: Any) -> int:
        writer = self.writer
        writer.start(status, headers)
        return writer.content_length

    def _head(self, length: int, trailers: bool) -> list[bytes]:
        """Return the pieces of the head; the connection does not outlive a body that may not come to be read."""
        writer = self.writer
        exchange = self.exchange
        if exchange is not None and not exchange.body_done:
            refused = exchange.status >= 400 and exchange.request.content_length == -1
            if self.continue_due or refused or self.reader.left > MAX_DRAIN:
                writer.keep_alive = False
        if self.service.stopping and not (self.reader.buffered() and self._body_done()):
            writer.keep_alive = False  # it is the last one that has come
        return writer.head(length, trailers)

    def write_body(self, data: bytes, more: bool, first: bool, trailers: bool) -> None:
        trailers = trailers and self._sends_trailers()
        if first:
            parts = self._head(-1 if more else len(data), trailers)
        else:
            parts = []
        self.writer.body(parts, data, more, trailers)
        if len(data) < JOIN_LIMIT:
            if parts:
                self.put(b"".join(parts))
        else:
            if first:
                body = parts.index(data, 4)
                parts[:body] = [b"".join(parts[:body])]
            self.put_all(parts)

    def _sends_trailers(self) -> bool:
        exchange = self.exchange
        return exchange is not None and exchange.request.wants_trailers and not self.writer.version_1_0

    def write_trailers(self, fields: list[tuple[bytes, bytes]]) -> None:
        if self._sends_trailers():
            self.put(self.writer.end(fields))

    def write_early_hints(self, fields: list[tuple[bytes, bytes]]) -> None:
        if not self.writer.version_1_0:  # RFC 9110 §15.2: no 1xx to a client of HTTP/1.0
            self.put(b"%b%b\r\n" % (status_line(103), field_lines(fields)))

    async def write_file(self, file: int, offset: int, count: int, more: bool, first: bool) -> None:
        writer = self.writer
        trailers = self.exchange is not None and self.exchange.trailers and self._sends_trailers()
        parts = self._head(-1 if more else count, trailers) if first else []
        chunked = writer.is_chunked()
        if chunked and count:
            parts.append(b"%x\r\n" % count)
        if parts:
            self.put(b"".join(parts))
        if count:
            await send_file(self, file, offset, count)
        tail = b"\r\n" if chunked and count else b""
        if chunked and not more and not trailers:
            tail += b"0\r\n\r\n"
        if tail:
            self.put(tail)
        if self.paused:
            await self.drain()

    def want_body(self) -> None:
        if self.continue_due:
            self.continue_due = False
            exchange = self.exchange
            if exchange is not None and exchange.is_untouched() and self.transport is not None:
                self.put(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.reading_paused:
            self.resume_reading()
        self._set_phase_deadline()

    def end_response(self) -> None:
        exchange = self.exchange
        if exchange is None or self.phase != BUSY:
            return
        if exchange.body_done:
            self._next_request()
        elif not self.writer.keep_alive:
            self.linger()
        else:
            self.phase = DRAINING
            self.drained = 0
            self.set_deadline(self.service.now + LINGER_S)
            if self.reading_paused:
                self.resume_reading()
            self.advance()

    def cut(self) -> None:
        """Break off; a body that ends with the connection is reset, since closing would make it look whole."""
        transport = self.transport
        if transport is None:
            return
        if self.exchange is not None:
            self.exchange.gone = True
        if self.writer.ends_with_connection():
            transport.abort()
        else:
            self.linger()

    def answer_error(self, status: int, text: str) -> None:
        self._answer(status, b"", text)

    # What a session calls

    def upgrade(self, session: Session, key: bytes, headers: Any) -> bytes:
        writer = self.writer
        writer.start(101, [(b"sec-websocket-accept", accept_value(key)), *headers])
        self.put(writer.switch(b"websocket"))
        rest = self.reader.rest()
        self.reader.close()
        self.exchange = None
        self.session = session
        self.phase = UPGRADED
        self.deadline = NEVER
        if self.reading_paused:
            self.resume_reading()
        return rest

    def write(self, head: bytes, payload: bytes) -> None:
        if len(payload) < JOIN_LIMIT:
            self.put(head + payload)
        else:
            self.put_all([head, payload])

    def finish(self) -> None:
        self.linger()

    # Closing

    def is_idle(self) -> bool:
        return self.phase == IDLE and not self.reader.buffered()

    def shutdown(self, due: float) -> None:
        if self.is_idle():
            if self.deadline <= due:
                self.close()
        elif self.session is not None:
            self.session.shutdown()

    def linger(self) -> None:
        self.exchange = None
        Connection.linger(self)
        if self.phase == LINGERING:
            self.reader.close()

    # Deadlines

    def _set_phase_deadline(self) -> None:
        """Time the peer while an exchange is running and it owes the body that the application waits for."""
        service = self.service
        if self.phase != BUSY:
            return
        if self.paused:
            return
        if self._body_done() or self.reading_paused:
            self.deadline = NEVER
        else:
            self.set_deadline(service.now + service.timeout_body)

    def await_progress(self, waiting: bool) -> None:
        """Time a file that is written beside the transport: each piece has to be taken in time."""
        if self.phase == BUSY:
            self.deadline = NEVER
            if waiting:
                self.set_deadline(self.service.now + self.service.timeout_write)

    def overdue(self, now: float) -> None:
        if self.phase == IDLE:
            if self.reader.buffered():
                self._refuse(Fault(408, "the request did not come in time"))
            else:
                self.close()
        elif self.phase == BUSY and not self._body_done():
            self._refuse(Fault(408, "the request's body did not come in time"))
        else:
            self.transport.abort()
