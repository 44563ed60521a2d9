"""One HTTP/1 connection: bytes in -> reader -> exchange; response pieces -> writer -> transport.

Requests are served one after the other, in order; the bytes of those that come early wait unread in the reader. After
an upgrade the bytes go to and come from a WebSocket session, as they are.
"""

from typing import Any

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http1.reader import RequestReader
from portico.codec.http1.writer import ResponseWriter, error_response, status_line
from portico.codec.websocket.handshake import accept_value, is_handshake, read_handshake
from portico.server.deadlines import NEVER
from portico.server.exchange import Exchange
from portico.server.scopes import Scopes
from portico.server.sendfile import send_file
from portico.server.service import Service, logger
from portico.server.session import Session
from portico.server.stream import Stream

# IDLE: between requests, or in the head of one. BUSY: an exchange is running. DRAINING: its response is complete and
# the rest of its body is read and dropped. UPGRADED: the bytes are a session's. LINGERING: our side is closed; what
# comes is dropped until the peer closes.
IDLE, BUSY, DRAINING, UPGRADED, LINGERING, CLOSING, CLOSED = range(7)

JOIN_LIMIT = 16384  # bytes; a larger body is written beside its head rather than copied behind it
MAX_DRAIN = 65536  # bytes of an unread body that are dropped to keep the connection
MAX_LINGER = 1 << 23  # bytes dropped after our side was closed
LINGER_S = 5.0


class Connection(Stream):
    """An asyncio protocol that serves HTTP/1.0 and HTTP/1.1."""

    __slots__ = (
        "advancing",
        "continue_due",
        "deadline",
        "drained",
        "eof",
        "exchange",
        "phase",
        "reader",
        "reading_paused",
        "scheduled",
        "scopes",
        "session",
        "slot",
        "transport",
        "unsent",
        "writer",
    )

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.reader = RequestReader(service.limits)
        self.writer = ResponseWriter(service.defaults)
        self.transport: Any = None
        self.exchange: Exchange | None = None
        self.phase = IDLE
        self.session: Session | None = None
        self.scopes: Scopes | None = None
        self.reading_paused = False
        self.eof = False
        self.advancing = False
        self.continue_due = False
        self.drained = 0
        self.unsent = 0
        self.slot = -1
        self.deadline = NEVER
        self.scheduled = NEVER

    # The transport's callbacks

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        service = self.service
        self.transport = transport
        service.meter.open_connection()
        limit = service.limit_connections
        if limit and len(service.connections) >= limit and not service.shed():
            self.phase = CLOSING
            service.connections.add(self)
            self._write(error_response(503, service.defaults, b"retry-after: 1\r\n", b""))
            self._linger()
            return
        service.connections.add(self)
        peer = transport.get_extra_info("peername")
        name = transport.get_extra_info("sockname")
        client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        server: tuple[str, int | None] | None = None
        if isinstance(name, tuple):
            server = (str(name[0]), int(name[1]))
        elif name:
            server = (name if isinstance(name, str) else bytes(name).decode("utf-8", "replace"), None)
        self.scopes = Scopes(service, client, server, "http")
        self._set_deadline(service.now + service.timeout_header)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone."""
        service = self.service
        self.phase = CLOSED
        self.transport = None
        service.connections.discard(self)
        service.deadlines.forget(self)
        self.reader.close()
        exchange = self.exchange
        self.exchange = None
        if exchange is not None:
            exchange.disconnect()
        session = self.session
        self.session = None
        if session is not None:
            session.hang_up()
        self.wake_writers()
        if service.stopping:
            service.check_idle()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self.service.meter.receive(len(data))
        phase = self.phase
        if phase == UPGRADED:
            self.session.feed(data)  # type: ignore[union-attr]
            return
        if phase >= LINGERING:
            self.drained += len(data)
            if self.drained > MAX_LINGER:
                self.transport.abort()
            return
        reader = self.reader
        reader.feed(data)
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

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.paused = True
        self._watch_writing()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self.paused = False
        self.wake_writers()
        if self.phase == UPGRADED and self.session is not None:
            self.deadline = NEVER
            self.session.resume_writing()
        self._set_phase_deadline()

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
                self._set_deadline(self.service.now + self.service.timeout_header)

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
        if (
            service.limit_concurrency
            and service.active >= service.limit_concurrency
            and request.path not in service.probes  # who is busy is not ill
        ):
            service.meter.count_status(request.method, 503)
            self._answer(503, b"retry-after: 1\r\n", "Service Unavailable")
            return
        if request.upgrades is not None and service.websockets and is_handshake(request):
            self._begin_session(request)
            return
        scopes = self.scopes
        assert scopes is not None
        exchange = Exchange(self, service, request, scopes.http(request))
        self.exchange = exchange
        self.phase = BUSY
        exchange.run()

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
                self._linger()
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
                self._linger()
            else:
                self.close()
            return
        self.phase = IDLE
        self.deadline = service.now + service.timeout_keep_alive
        if self.deadline < self.scheduled:
            self._set_deadline(self.deadline)
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
                self._linger()
                return
            exchange.status = fault.status
        else:
            self.service.meter.count_status("", fault.status)
            self.writer.expect(False, False, False)
        self._answer(fault.status, fault.fields, fault.reason)

    def _answer(self, status: int, fields: bytes, text: str) -> None:
        body = b"" if self.writer.head_request else text.encode() + b"\n"
        if self.transport is not None:
            self._write(error_response(status, self.service.defaults, fields, body))
            self._linger()

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
                self._write(b"".join(parts))
        else:
            if first:
                body = parts.index(data, 4)
                parts[:body] = [b"".join(parts[:body])]
            self._write_all(parts)

    def _write(self, data: bytes) -> None:
        if self.paused:
            self.unsent += len(data)  # so much is left where the peer takes nothing
        self.service.meter.send(len(data))
        self.transport.write(data)

    def _write_all(self, parts: list[bytes]) -> None:
        """Write the pieces without putting them together."""
        if not self.service.gathers:
            for part in parts:
                self._write(part)
            return
        size = sum(map(len, parts))
        if self.paused:
            self.unsent += size
        self.service.meter.send(size)
        self.transport.writelines(parts)

    def _sends_trailers(self) -> bool:
        exchange = self.exchange
        return exchange is not None and exchange.request.wants_trailers and not self.writer.version_1_0

    def write_trailers(self, lines: list[bytes]) -> None:
        if self._sends_trailers():
            self._write(self.writer.end(lines))

    def write_early_hints(self, lines: list[bytes]) -> None:
        if not self.writer.version_1_0:  # RFC 9110 §15.2: no 1xx to a client of HTTP/1.0
            self._write(b"".join((status_line(103), *lines, b"\r\n")))

    async def write_file(self, file: int, offset: int, count: int, more: bool, first: bool) -> None:
        writer = self.writer
        trailers = self.exchange is not None and self.exchange.trailers and self._sends_trailers()
        parts = self._head(-1 if more else count, trailers) if first else []
        chunked = writer.is_chunked()
        if chunked and count:
            parts.append(b"%x\r\n" % count)
        if parts:
            self._write(b"".join(parts))
        if count:
            await send_file(self, file, offset, count)
        tail = b"\r\n" if chunked and count else b""
        if chunked and not more and not trailers:
            tail += b"0\r\n\r\n"
        if tail:
            self._write(tail)
        if self.paused:
            await self.drain()

    def is_lost(self) -> bool:
        return self.transport is None

    def want_body(self) -> None:
        if self.continue_due:
            self.continue_due = False
            exchange = self.exchange
            if exchange is not None and exchange.is_untouched() and self.transport is not None:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
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
            self._linger()
        else:
            self.phase = DRAINING
            self.drained = 0
            self._set_deadline(self.service.now + LINGER_S)
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
            self._linger()

    def answer_error(self, status: int, text: str) -> None:
        self._answer(status, b"", text)

    # What a session calls

    def upgrade(self, session: Session, key: bytes, headers: Any) -> bytes:
        writer = self.writer
        writer.start(101, [(b"sec-websocket-accept", accept_value(key)), *headers])
        self._write(writer.switch(b"websocket"))
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
            self._write(head + payload)
        else:
            self._write_all([head, payload])

    def finish(self) -> None:
        self._linger()

    # Closing

    def is_idle(self) -> bool:
        """Tell whether the connection can be closed without anybody losing something."""
        return self.phase == IDLE and not self.reader.buffered()

    def shutdown(self, due: float) -> None:
        """The server stops: close now if idle and to be closed by `due` anyway; else after a response that tells."""
        if self.is_idle():
            if self.deadline <= due:
                self.close()
        elif self.session is not None:
            self.session.shutdown()

    def close(self) -> None:
        """Close once what was written has gone."""
        if self.transport is not None and self.phase < CLOSING:
            self.phase = CLOSING
            self.transport.close()
            if self.transport is not None:
                self._watch_writing()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def _linger(self) -> None:
        """Close our side and drop what comes, so that a reset does not take the answer with it (RFC 9112 §9.6)."""
        transport = self.transport
        self.exchange = None
        if transport is None:
            return
        if self.eof or not transport.can_write_eof():
            self.close()
            return
        self.phase = LINGERING
        self.drained = 0
        self.reader.close()
        try:
            transport.write_eof()
        except OSError:  # the peer has reset the connection, and the loop has not noticed yet
            self.close()
            return
        if self.reading_paused:
            self.resume_reading()
        self._set_deadline(self.service.now + LINGER_S)

    # Flow

    def pause_reading(self) -> None:
        if not self.reading_paused and self.transport is not None and not self.eof:
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.reading_paused = False
        if self.transport is not None and not self.eof:
            self.transport.resume_reading()

    # Deadlines

    def _set_deadline(self, deadline: float) -> None:
        self.deadline = deadline
        if deadline < self.scheduled:
            self.scheduled = deadline
            self.service.deadlines.schedule(self, deadline)

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
            self._set_deadline(service.now + service.timeout_body)

    def _watch_writing(self) -> None:
        self.unsent = self.transport.get_write_buffer_size()
        self._set_deadline(self.service.now + self.service.timeout_write)

    def await_progress(self, waiting: bool) -> None:
        """Time a file that is written beside the transport: each piece has to be taken in time."""
        if self.phase == BUSY:
            self.deadline = NEVER
            if waiting:
                self._set_deadline(self.service.now + self.service.timeout_write)

    def check_deadline(self, now: float) -> float:
        """Act on a deadline that has passed; return the next one."""
        self.scheduled = NEVER
        if self.deadline <= now:
            self.deadline = NEVER
            self._expire(now)
        if self.transport is None:
            return NEVER
        self.scheduled = min(self.scheduled, self.deadline)
        return self.deadline

    def _expire(self, now: float) -> None:
        transport = self.transport
        if transport is None:
            return
        unsent = transport.get_write_buffer_size()
        if unsent and (self.paused or self.phase in (IDLE, CLOSING, LINGERING)):
            if 0 < unsent < self.unsent or (self.phase == IDLE and self.unsent == 0):
                self.unsent = unsent
                self.deadline = now + self.service.timeout_write
            else:
                transport.abort()  # it reads nothing any more
            return
        if self.phase == IDLE:
            if self.reader.buffered():
                self._refuse(Fault(408, "the request did not come in time"))
            else:
                self.close()
        elif self.phase == BUSY and not self._body_done():
            self._refuse(Fault(408, "the request's body did not come in time"))
        else:
            transport.abort()
