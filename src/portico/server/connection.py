"""One connection, as every version of HTTP has it: its transport, what is written to it, its deadlines and its end."""

from typing import Any

from portico.codec.defaults import Defaults
from portico.server.scopes import Scopes
from portico.server.service import Service
from portico.server.stream import Stream

# IDLE: between requests, or in the head of one. BUSY: an exchange is running. DRAINING: in HTTP/1, a response is
# complete and the rest of its request's body is read and dropped. UPGRADED: the bytes are a session's. LINGERING: our
# side is closed; what comes is dropped until the peer closes.
IDLE, BUSY, DRAINING, UPGRADED, LINGERING, CLOSING, CLOSED = range(7)

JOIN_LIMIT = 16384  # bytes; a larger body is written beside its head rather than copied behind it
MAX_LINGER = 1 << 23  # bytes dropped after our side was closed
LINGER_S = 5.0


class Connection(Stream):
    """An asyncio protocol; a subclass for each version of HTTP reads what comes and serves it.

    It is a stream since in HTTP/1 there is but one; that of HTTP/2 is number 0, which carries no request.
    """

    __slots__ = (
        "defaults",
        "drained",
        "eof",
        "phase",
        "reading_paused",
        "scopes",
        "transport",
        "unsent",
    )

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.transport: Any = None
        self.phase = IDLE
        self.scopes: Scopes | None = None
        self.defaults: Defaults = service.defaults
        self.reading_paused = False
        self.eof = False
        self.drained = 0
        self.unsent = 0

    # The subclass's

    def begin(self) -> None:
        """The client is connected and welcome."""

    def turn_away(self) -> None:
        """There are too many connections: say so, and close."""
        raise AssertionError

    def lost(self) -> None:
        """The connection has gone: nobody waits for it any more."""
        raise AssertionError

    def writable(self) -> None:
        """The transport's buffer has room again."""
        raise AssertionError

    def overdue(self, now: float) -> None:
        """The client has not sent in time what is waited for."""
        raise AssertionError

    def is_idle(self) -> bool:
        """Tell whether the connection can be closed without anybody losing something."""
        raise AssertionError

    def shutdown(self, due: float) -> None:
        """The server stops: close now if idle and to be closed by `due` anyway; else once that can be done in order."""
        raise AssertionError

    # The transport's callbacks

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        service = self.service
        self.transport = transport
        service.meter.open_connection()
        tls = transport.get_extra_info("tls")
        if tls is not None:
            self.defaults = service.secure_defaults
        limit = service.limit_connections
        if limit and len(service.connections) >= limit and not service.shed():
            self.phase = CLOSING
            service.connections.add(self)
            self.turn_away()
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
        self.scopes = Scopes(service, client, server, tls)
        timeout = service.timeout_header
        if service.stopping:
            timeout = min(timeout, service.timeout_keep_alive)  # it has not begun, and may never do
        self.set_deadline(service.now + timeout)
        self.begin()

    def hand_over(self, successor: "Connection") -> None:
        """Let another version of HTTP have the transport, with all that still comes."""
        service = self.service
        transport = self.transport
        self.transport = None
        self.phase = CLOSED
        service.connections.discard(self)
        service.deadlines.forget(self)
        successor.transport = transport
        successor.scopes = self.scopes
        successor.defaults = self.defaults
        successor.eof = self.eof
        successor.paused = self.paused
        successor.reading_paused = self.reading_paused
        service.connections.add(successor)
        transport.set_protocol(successor)
        successor.set_deadline(service.now + service.timeout_header)
        successor.begin()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone."""
        service = self.service
        self.phase = CLOSED
        self.transport = None
        service.connections.discard(self)
        service.deadlines.forget(self)
        self.lost()
        self.wake_writers()
        if service.stopping:
            service.check_idle()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.paused = True
        self.watch_writing()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self.paused = False
        self.wake_writers()
        self.writable()

    # Writing

    def put(self, data: bytes) -> None:
        """Write."""
        if self.paused:
            self.unsent += len(data)  # so much is left where the peer takes nothing
        self.service.meter.send(len(data))
        self.transport.write(data)

    def put_all(self, parts: list[Any]) -> None:
        """Write the pieces without putting them together."""
        if not self.service.gathers:
            for part in parts:
                self.put(part)
            return
        size = sum(map(len, parts))
        if self.paused:
            self.unsent += size
        self.service.meter.send(size)
        self.transport.writelines(parts)

    def is_lost(self) -> bool:
        return self.transport is None

    # Reading

    def pause_reading(self) -> None:
        if not self.reading_paused and self.transport is not None and not self.eof:
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.reading_paused = False
        if self.transport is not None and not self.eof:
            self.transport.resume_reading()

    def drop(self, size: int) -> None:
        """Bytes have come that nobody wants; bear no more than MAX_LINGER of them."""
        self.drained += size
        if self.drained > MAX_LINGER:
            self.transport.abort()

    # Closing

    def close(self) -> None:
        """Close once what was written has gone."""
        if self.transport is not None and self.phase < CLOSING:
            self.phase = CLOSING
            self.transport.close()
            if self.transport is not None:
                self.watch_writing()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()

    def linger(self) -> None:
        """Close our side and drop what comes, so that a reset does not take the answer with it (RFC 9112 §9.6)."""
        transport = self.transport
        if transport is None:
            return
        if self.eof or not transport.can_write_eof():
            self.close()
            return
        self.phase = LINGERING
        self.drained = 0
        try:
            transport.write_eof()
        except OSError:  # the peer has reset the connection, and the loop has not noticed yet
            self.close()
            return
        if self.reading_paused:
            self.resume_reading()
        self.set_deadline(self.service.now + LINGER_S)

    # Deadlines

    def watch_writing(self) -> None:
        """Give the client its time to take some of what was written."""
        self.unsent = self.transport.get_write_buffer_size()
        self.set_deadline(self.service.now + self.service.timeout_write)

    def expire(self, now: float) -> None:
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
        if self.phase < LINGERING:
            self.overdue(now)
        else:
            transport.abort()
