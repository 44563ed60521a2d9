"""TLS below a connection: records in -> OpenSSL -> plaintext up; plaintext down -> OpenSSL -> records out.

To the loop this is a protocol, to the connection above it a transport; the connection is made when the handshake has
said which protocol it is for. OpenSSL never sees the socket: it reads from one memory BIO and writes to another, and is
asked to read only when a whole record has come.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from portico.codec.http1.writer import error_response
from portico.server.deadlines import NEVER
from portico.server.service import Service, logger
from portico.server.tls.batch import Batch
from portico.server.tls.hello import read_server_name
from portico.server.tls.scope import tls_scope

if TYPE_CHECKING:
    from portico.server.tls.certificates import Certificates

# FINISHING: what was written is still being sent, and nothing more is read. ENDED: our side is closed, what comes is
# dropped until the peer closes.
HANDSHAKE, OPEN, FINISHING, ENDED, CLOSING, CLOSED = range(6)

HEAD = 5  # bytes before each record: type, version (2), length (2)
MAX_RECORD = 16384 + 2048  # RFC 5246 §6.2.3; what is longer is OpenSSL's to refuse
MAX_PLAINTEXT = 16384
SLICE = 196608  # bytes encrypted at a time; with a third of it 1 MB costs a tenth more
SMALL = 4096  # bytes; a larger piece gets records of its own rather than be copied
MAX_SILENT = 256  # records without data, such as updates of keys, that may come beyond those with data
MAX_LINGER = 1 << 23  # bytes dropped after our side was closed
LINGER_S = 5.0
# Under its own name Cython would take `int` for the Python type, and refuse the C type that transport.pxd gives.
Size = int
PLAIN_HTTP = b"This port speaks TLS: use https://\n"


class SecureTransport:
    """A TLS connection.

    Args:
        service: What its connections share.
        certificates: Whence the contexts come, anew for each handshake.
        connect: Makes the protocol above, by the name that ALPN has chosen.
        batch: The loop's.
    """

    __slots__ = (
        "batch",
        "batched",
        "certificates",
        "connect",
        "deadline",
        "dropped",
        "ending",
        "eof",
        "half",
        "missing",
        "partial",
        "paused",
        "phase",
        "protocol",
        "queue",
        "queued",
        "received",
        "records",
        "service",
        "silent",
        "slot",
        "tls",
        "told",
        "transport",
    )

    def __init__(
        self, service: Service, certificates: "Certificates", connect: Callable[[str | None], Any], batch: Batch
    ) -> None:
        self.service = service
        self.certificates = certificates
        self.connect = connect
        self.batch = batch
        self.transport: Any = None  # the socket's
        self.protocol: Any = None
        self.tls: ssl.SSLObject | None = None
        self.phase = HANDSHAKE
        # Of a record that has not come whole: its bytes so far, and how many are missing, 0 while it cannot be known.
        self.partial: bytearray | None = None
        self.missing = 0
        self.queue: list[Any] = []  # plaintext to be sent
        self.queued = 0  # its bytes
        self.batched = False  # it has its turn soon; until then what is written is collected
        self.received = b""  # plaintext that the protocol will get then
        self.paused = False  # the socket takes no more at the moment
        self.told = False  # the protocol has been told so
        self.eof = False  # the peer has closed its side
        self.ending = False  # the protocol has to be told so
        self.half = False  # only our side is to be closed
        self.records = 0  # that OpenSSL was given at last
        self.silent = 0  # so many of them were without data
        self.dropped = 0
        self.slot = -1
        self.deadline = NEVER

    # What the loop calls

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        service = self.service
        self.transport = transport
        limit = service.limit_connections
        if limit and len(service.connections) >= limit and not service.shed():
            # A handshake costs more than all that a limit is for.
            logger.debug("refused a connection: there are %d already", len(service.connections))
            self.phase = CLOSING
            transport.abort()
            return
        service.connections.add(self)
        self._set_deadline(service.now + service.timeout_handshake)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection has gone."""
        service = self.service
        self.phase = CLOSED
        self.received = b""
        self.queue.clear()
        self.queued = 0
        service.connections.discard(self)
        service.deadlines.forget(self)
        protocol = self.protocol
        self.protocol = None
        if protocol is not None:
            protocol.connection_lost(error)
        elif service.stopping:
            service.check_idle()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        phase = self.phase
        if phase == OPEN and not self.eof:
            size = self._feed(data)
            if size:
                self._receive(self._decrypt(size))
        elif phase == HANDSHAKE:
            self._greet(data)
        else:
            self.dropped += len(data)
            if self.dropped > MAX_LINGER:
                self.abort()

    def eof_received(self) -> bool:
        """The peer has closed the socket's other side; True keeps ours open.

        Without a close_notify before, something may have been cut off: requests say themselves whether they are whole
        (RFC 9112 §9.8).
        """
        if self.protocol is not None and not self.eof:
            self.eof = self.ending = True
            self._join()
        self.deliver()
        return self.phase in (OPEN, FINISHING)

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self.paused = True
        if self.protocol is not None and not self.told:
            self.told = True
            self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """The socket's buffer has room again."""
        self.paused = False
        self._send()
        if self.told and not self.paused:
            self.told = False
            if self.protocol is not None:
                self.protocol.resume_writing()

    # The handshake

    def _greet(self, data: bytes) -> None:
        """Go on with the handshake."""
        if self.tls is None:
            hello = data if self.partial is None else bytes(self.partial) + data
            if hello[:1].isalpha():
                self._refuse_plain()
                return
            context = self.certificates.context
            if self.certificates.has_names:
                name = read_server_name(hello)
                if name is None:
                    self.partial = bytearray(hello)
                    return
                context = self.certificates.context_for(name)
            self.partial = None
            data = hello
            self.tls = context.wrap_bio(self.batch.incoming, self.batch.outgoing, server_side=True)
        if not self._feed(data):
            return
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._pass_on()
            return
        except (OSError, ValueError) as error:
            self._fail("handshake", error)
            return
        self._open(self.tls)

    def _open(self, tls: ssl.SSLObject) -> None:
        """The handshake is complete."""
        service = self.service
        self._pass_on()
        data = self._decrypt(self.batch.incoming.pending)  # a request may have come with the last message
        if self.phase != HANDSHAKE:
            return
        self.phase = OPEN
        self.deadline = NEVER
        service.deadlines.forget(self)
        service.connections.discard(self)  # the protocol takes its place
        protocol = self.protocol = self.connect(tls.selected_alpn_protocol())
        self._join()
        protocol.connection_made(self)
        if self.paused:
            self.told = True
            protocol.pause_writing()
        self._receive(data)

    def _refuse_plain(self) -> None:
        """Tell who speaks HTTP without TLS what is wrong, as far as can be."""
        service = self.service
        logger.debug("refused a request: 400 plain HTTP on a port of TLS")
        service.meter.count_status("", 400)
        self.partial = None
        self.transport.write(error_response(400, service.defaults, b"", PLAIN_HTTP))
        self.phase = ENDED
        self._set_deadline(service.now + LINGER_S)
        try:
            self.transport.write_eof()
        except OSError:
            self.abort()

    def _fail(self, what: str, error: object) -> None:
        """The peer breaks TLS: send the alert, if any, and close."""
        logger.debug("TLS %s failed: %s", what, error)
        self.batch.incoming.read()
        self.received = b""
        self.queue.clear()
        self.queued = 0
        self._pass_on()
        self.phase = CLOSING
        self.transport.close()

    # Reading

    def _feed(self, data: bytes) -> Size:
        """Give OpenSSL the records that are whole by now; return the number of their bytes."""
        incoming = self.batch.incoming
        size = len(data)
        records = given = position = 0
        partial = self.partial
        if partial is not None:
            if self.missing > size:
                partial += data
                self.missing -= size
                return 0
            if self.missing:
                position = self.missing
                partial += data[:position]
                incoming.write(partial)
                given = len(partial)
                records = 1
            else:  # not even its head was whole
                data = bytes(partial) + data
                size = len(data)
            self.partial = None
            self.missing = 0
        start = position
        octets = data
        while size - position >= HEAD:
            records += 1
            length = (octets[position + 3] << 8) | octets[position + 4]
            if length > MAX_RECORD:
                position = size
            elif length > size - position - HEAD:
                self.missing = position + HEAD + length - size
                records -= 1
                break
            else:
                position += HEAD + length
        if position == size and not start:
            incoming.write(data)
        elif position > start:
            incoming.write(memoryview(data)[start:position])
        if position < size:
            self.partial = bytearray(data[position:])
        self.records = records
        return given + position - start

    def _decrypt(self, size: Size) -> bytes:
        """Return what is in the records that OpenSSL has been given, of this size altogether."""
        incoming = self.batch.incoming
        read = self.tls.read  # type: ignore[union-attr]
        data = b""
        more: list[bytes] | None = None
        records = self.records
        try:
            while size:
                piece = read(size if size < MAX_PLAINTEXT else MAX_PLAINTEXT)
                if not piece:  # close_notify
                    self.eof = self.ending = True
                    incoming.read()
                    break
                records -= 2
                if not data:
                    data = piece
                elif more is None:
                    more = [data, piece]
                else:
                    more.append(piece)
                size = incoming.pending
        except ssl.SSLWantReadError:  # the last record was without data
            self._pass_on()  # there may be an answer to it
        except OSError as error:
            self._fail("connection", error)
        silent = self.silent + records
        self.silent = silent if silent > 0 else 0
        if silent > MAX_SILENT:
            self._fail("connection", "too many records without data")
        return data if more is None else b"".join(more)

    def _receive(self, data: bytes) -> None:
        """Take plaintext, which the protocol gets in its turn; at once where there is much."""
        if self.phase != OPEN:
            return
        self.received = self.received + data if self.received else data
        self._join()
        if len(self.received) > MAX_PLAINTEXT:
            self.deliver()

    def _join(self) -> None:
        """Have a turn in this turn of the loop."""
        if not self.batched:
            self.batched = True
            self.batch.add(self)

    def deliver(self) -> None:
        """Hand up what has come, and that nothing follows where it is so."""
        data = self.received
        if data:
            self.received = b""
            if self.phase == OPEN:
                self.protocol.data_received(data)
        if self.ending:
            self.ending = False
            protocol = self.protocol
            # What it was asked for may still be on its way to the peer.
            if protocol is not None and self.phase < CLOSING and not protocol.eof_received():
                self.close()

    def lose(self, error: Exception) -> None:
        """The protocol has failed: nothing more can be done for this connection."""
        message = {"message": "a connection has failed", "exception": error, "protocol": self.protocol}
        self.service.loop.call_exception_handler(message)
        self.abort()

    def flush(self) -> None:
        """Send what has been collected."""
        self.batched = False
        self._send()

    # Writing

    def write(self, data: bytes) -> None:
        """Send the data, which is not copied before it is encrypted."""
        size = len(data)
        if self.phase != OPEN or not size:
            return
        self.queue.append(data)
        self.queued += size
        if self.queued > MAX_PLAINTEXT:
            self._send()
        else:
            self._join()

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Send the pieces."""
        if self.phase != OPEN:
            return
        for part in parts:
            if part:
                self.queue.append(part)
                self.queued += len(part)
        if self.queued > MAX_PLAINTEXT:
            self._send()
        else:
            self._join()

    def _send(self) -> None:
        """Encrypt and send what waits, as much as the socket takes."""
        try:
            while self.queued and not self.paused:
                self._encrypt()
                self._pass_on()
                if self.queued and self.transport.is_closing():  # the peer has gone, and the loop will say so
                    self.queue.clear()
                    self.queued = 0
        except OSError as error:
            self._fail("connection", error)
        if self.phase == FINISHING and not self.queued and not self.batched:
            self._finish()

    def _encrypt(self) -> None:
        """Encrypt what waits, or a slice of it."""
        write = self.tls.write  # type: ignore[union-attr]
        queue = self.queue
        if self.queued <= MAX_PLAINTEXT:
            data = queue[0] if len(queue) == 1 else b"".join(queue)
            queue.clear()
            self.queued = 0
            write(data)
            return
        small: list[Any] = []  # pieces that share records
        left = SLICE
        count = 0
        for whole in queue:
            piece = whole
            size = len(piece)
            if size > left:
                view = memoryview(whole)
                queue[count] = view[left:]
                piece = view[:left]
                size = left
            else:
                count += 1
            left -= size
            if size < SMALL:
                small.append(piece)
            else:
                if small:
                    write(b"".join(small))
                    small.clear()
                write(piece)
            if not left:
                break
        if small:
            write(b"".join(small))
        del queue[:count]
        self.queued -= SLICE - left

    def _pass_on(self) -> None:
        """Send what OpenSSL has written."""
        outgoing = self.batch.outgoing
        if outgoing.pending:
            self.transport.write(outgoing.read())

    # Closing

    def can_write_eof(self) -> bool:
        """Tell that our side can be closed by itself."""
        return True

    def write_eof(self) -> None:
        """Close our side once what was written has gone; what still comes is dropped."""
        if self.phase == OPEN:
            self.phase = FINISHING
            self.half = True
            if not self.batched:
                self._send()

    def close(self) -> None:
        """Close once what was written has gone."""
        self.half = False
        if self.phase == OPEN:
            self.phase = FINISHING
        if self.phase == FINISHING:
            if not self.batched:
                self._send()
        elif self.phase < CLOSING:
            self.phase = CLOSING
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.phase != CLOSED:
            self.phase = CLOSING
            self.queue.clear()
            self.queued = 0
            self.transport.abort()

    def _finish(self) -> None:
        """Everything has been written: close our side (RFC 8446 §6.1), or both."""
        try:
            self.tls.unwrap()  # type: ignore[union-attr]
        except OSError:  # that the peer has not closed yet is one
            pass
        self._pass_on()
        if not self.half:
            self.phase = CLOSING
            self.transport.close()
            return
        self.phase = ENDED
        try:
            self.transport.write_eof()
        except OSError:  # the peer has reset the connection, and the loop has not noticed yet
            self.abort()

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self.phase != OPEN or bool(self.transport.is_closing())

    # The rest of what a transport can do

    def pause_reading(self) -> None:
        """Have the peer stop sending, after what is on its way."""
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self.transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        size: int = self.transport.get_write_buffer_size()
        return self.queued + size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol is told to pause writing and to go on."""
        self.transport.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: Any) -> None:
        """Have another protocol take over; what comes next is for it."""
        self.protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol above."""
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection.

        `tls` is for the scope of that name; `ssl_object`, `sslcontext`, `cipher`, `compression` and `peercert` are as
        asyncio has them; the rest is the socket's.
        """
        tls = self.tls
        if tls is None:
            return self.transport.get_extra_info(name, default)
        match name:
            case "tls":
                return tls_scope(tls)
            case "ssl_object":
                return tls
            case "sslcontext":
                return tls.context
            case "cipher":
                return tls.cipher()
            case "compression":
                return tls.compression()
            case "peercert":
                return tls.getpeercert()
        return self.transport.get_extra_info(name, default)

    # What the service calls

    def is_idle(self) -> bool:
        """Tell whether the connection can be closed without anybody losing something."""
        if self.phase == HANDSHAKE:
            return self.tls is None and self.partial is None
        return self.protocol is not None and bool(self.protocol.is_idle())

    def shutdown(self, due: float) -> None:
        """The server stops: close now if nothing has come, and nothing is expected to come by `due`."""
        if self.phase == HANDSHAKE:
            if self.is_idle() and self.deadline <= due:
                self.close()
        elif self.protocol is not None:
            self.protocol.shutdown(due)

    def _set_deadline(self, deadline: float) -> None:
        self.deadline = deadline
        self.service.deadlines.schedule(self, deadline)

    def check_deadline(self, now: float) -> float:
        """Act on a deadline that has passed; return the next one."""
        if self.deadline <= now:
            if self.phase == HANDSHAKE:
                logger.debug("TLS handshake did not come in time")
            self.deadline = NEVER
            self.abort()
        return self.deadline
