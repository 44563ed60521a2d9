"""One WebSocket. ASGI's rules (WebSocket 2.5) are written here, once for every version of HTTP that carries it.

Messages are read as they come and wait in a queue for the application; when it is full, reading pauses. What ends the
connection (a close frame, a broken rule) keeps its place behind the messages that came before it.
"""

from typing import Any

from portico.asgi import ClientDisconnected, Message, MessageError, WebSocketDisconnect
from portico.codec.events import Request
from portico.codec.fields import FieldError
from portico.codec.websocket.deflate import SMALLEST_MESSAGE, Deflater
from portico.codec.websocket.events import Close, Ping, Pong, Violation
from portico.codec.websocket.frames import (
    ABNORMAL,
    BINARY,
    EMPTY_PING,
    FIN,
    INTERNAL_ERROR,
    MAX_REASON,
    NORMAL,
    PONG,
    RSV1,
    SERVICE_RESTART,
    TEXT,
    close_frame,
    frame_head,
    is_sendable_code,
    is_sendable_reason,
    message_head,
)
from portico.codec.websocket.handshake import Offer
from portico.codec.websocket.reader import MessageReader
from portico.server.call import READY, Call, message_type
from portico.server.deadlines import NEVER
from portico.server.exchange import Exchange
from portico.server.service import Service, logger
from portico.server.stream import Stream

# CONNECTING: the application has not answered yet. DENYING: it answers with an HTTP response. CLOSING: our close frame
# is out, and what comes before the peer's is dropped. CLOSED: nothing is read or written any more.
CONNECTING, DENYING, OPEN, CLOSING, CLOSED = range(5)
EXPECTED = {
    CONNECTING: "'websocket.accept', 'websocket.close' or 'websocket.http.response.start'",
    DENYING: "'websocket.http.response.body'",
    OPEN: "'websocket.send' or 'websocket.close'",
    CLOSING: "no message: the WebSocket was closed",
    CLOSED: "no message: the WebSocket was closed",
}
KNOWN_MESSAGES = frozenset(
    "websocket." + name for name in ("accept", "send", "close", "http.response.start", "http.response.body")
)
FORBIDDEN = b"Forbidden\n"
FORBIDDEN_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(FORBIDDEN))]
MAX_QUEUED = 65536  # bytes of messages that wait for the application before reading pauses
CLOSE_S = 10.0  # for the peer to answer our close, and for the application to take what came before the peer's


class Handshake(Exchange):
    """The HTTP side of an opening handshake: how the peer is until the application has answered, and a denial."""

    __slots__ = ("session",)

    def __init__(self, session: "Session", request: Request) -> None:
        super().__init__(session.stream, session.service, request, session.scope)
        self.session = session

    def wake(self) -> None:
        """The peer has gone, or the denial is complete: the session's `receive()` tells."""
        self.session.wake()


class Session(Call):
    """A WebSocket from its opening handshake to its end."""

    __slots__ = (
        "awaits_pong",
        "by_application",
        "close_by",
        "close_code",
        "close_reason",
        "connected",
        "deflater",
        "ending",
        "handshake",
        "offer",
        "ping_at",
        "pong_by",
        "pongs",
        "queue",
        "queued",
        "reader",
        "reading_paused",
        "slot",
        "stalled",
        "state",
        "stream",
    )

    def __init__(self, stream: Stream, service: Service, request: Request, scope: dict[str, Any], offer: Offer) -> None:
        self.begin(service, scope)
        self.stream = stream
        self.state = CONNECTING
        self.offer: Offer | None = offer
        self.handshake: Handshake | None = Handshake(self, request)
        self.connected = False  # websocket.connect was taken
        self.reader: MessageReader | None = None
        self.deflater: Deflater | None = None
        self.queue: list[str | bytes] = []
        self.queued = 0  # the length of all of them
        self.stalled = False  # the queue is full, and the reader may have more
        self.reading_paused = False
        self.ending: Close | Violation | None = None  # came behind messages that were not taken yet
        self.close_code = ABNORMAL
        self.close_reason = ""
        self.by_application = False  # it has closed
        self.close_by = NEVER
        self.awaits_pong = False
        self.ping_at = NEVER
        self.pong_by = NEVER
        self.pongs: list[bytes] = []  # frames that are owed
        self.slot = -1

    # What the application receives

    def take(self) -> Message | None:
        """Return the next event, or None while there is none."""
        if self.queue:
            message = self.queue.pop(0)
            self.queued -= len(message)
            if self.stalled:
                self._read_on(True)
            if type(message) is str:
                return {"type": "websocket.receive", "text": message}
            return {"type": "websocket.receive", "bytes": message}
        if not self.connected:
            self.connected = True
            return {"type": "websocket.connect"}
        if self.ending is not None:
            self._act_on(self.ending)
        state = self.state
        if state >= CLOSING or (state != OPEN and self._is_refused()):
            return {"type": "websocket.disconnect", "code": self.close_code, "reason": self.close_reason}
        return None

    def _is_refused(self) -> bool:
        """Tell whether there will be no WebSocket: the peer has gone meanwhile, or the denial is complete."""
        handshake = self.handshake
        return handshake is None or handshake.gone or handshake.hung_up or handshake.is_complete()

    # What the peer sends

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        reader = self.reader
        if reader is None or self.state == CLOSED or self.ending is not None:
            return
        self.awaits_pong = False
        reader.feed(data)
        if self.stalled:
            return
        self._read(False)
        if self.waiter is not None and (self.queue or self.state >= CLOSING):
            self.resume()
        if self.stalled:
            self._pause_reading()

    def _read(self, behind: bool) -> None:
        """Act on what the reader has, until it needs more bytes or the queue is full.

        Args:
            behind: The application is about to get a message, though the queue may be empty.
        """
        reader = self.reader
        assert reader is not None
        while True:
            event = reader.next_event()
            if event is None:
                break
            if type(event) is str or type(event) is bytes:
                if self.state == OPEN:
                    self.queue.append(event)
                    self.queued += len(event)
                    if self.queued >= MAX_QUEUED or len(self.queue) >= self.service.ws_max_queue:
                        self.stalled = True
                        break
            elif type(event) is Ping:
                self.pongs.append(frame_head(FIN | PONG, len(event.data)) + event.data)
            elif type(event) is not Pong:
                assert isinstance(event, Close | Violation)
                if (behind or self.queue) and self.state == OPEN:
                    self.ending = event
                    self._close_within(CLOSE_S)
                    break
                self._answer_pings()
                self._act_on(event)
                return
        if self.pongs:
            self._answer_pings()

    def _read_on(self, behind: bool) -> None:
        """The queue has room again."""
        self.stalled = False
        self._read(behind)
        if self.reading_paused and not self.stalled:
            self.reading_paused = False
            self.stream.resume_reading()

    def _pause_reading(self) -> None:
        if not self.reading_paused:
            self.reading_paused = True
            self.stream.pause_reading()

    def _answer_pings(self) -> None:
        """Write the pongs that are owed, all at once; while the peer reads nothing, keep the last."""
        pongs = self.pongs
        if self.stream.paused and self.state < CLOSED:
            del pongs[:-1]  # §5.5.3: only the latest ping has to be answered, so one that floods us costs no memory
            return
        if pongs and self.state < CLOSED:  # §5.5.2: until the peer's close has come
            self.stream.write(b"".join(pongs), b"")
        pongs.clear()

    def _act_on(self, event: Close | Violation) -> None:
        """Close as the peer asks for, or because of what it did."""
        self.ending = None
        if self.state == OPEN:
            self.close_code = event.code
            self.close_reason = event.reason
            reason = event.reason if type(event) is Violation else ""
            self.stream.write(close_frame(event.code, reason), b"")  # §5.5.1: a close is answered with its code
            if type(event) is Violation:
                logger.debug("closed a WebSocket: %d %s", event.code, event.reason)
        self._finish()

    def _finish(self) -> None:
        """Nothing more is said by either side."""
        self._end()
        self.stream.finish()

    def _end(self) -> None:
        if self.state != CLOSED:
            self.service.meter.close_websocket()
        self.state = CLOSED
        if self.reader is not None:
            self.reader.close()
        self.deflater = None
        self.service.deadlines.forget(self)
        self.wake()

    def hang_up(self) -> None:
        """The peer has closed its side, as the last thing that it says or without a word."""
        if self.state == OPEN and self.ending is not None:
            self.close_code = self.ending.code
            self.close_reason = self.ending.reason
        self.ending = None
        if self.state != CLOSED:
            self._end()

    # What the application sends

    def send(self, message: Message) -> Any:
        """Take a message from the application; the awaitable waits only while the client is slow.

        Raises MessageError for a message that ASGI does not allow here, ClientDisconnected after the client has gone.
        """
        kind = message_type(message)
        state = self.state
        if state == OPEN:
            if kind == "websocket.send":
                return self._send_message(message)
            if kind == "websocket.close":
                return self._close(message)
        elif state <= DENYING:
            return self._answer(kind, message)
        elif not self.by_application and kind in ("websocket.send", "websocket.close"):
            if kind == "websocket.close":
                return READY  # it is closed, and who has not looked yet could not know
            raise ClientDisconnected("the WebSocket is closed")
        raise _unexpected(kind, state)

    def _send_message(self, message: Message) -> Any:
        given = message if type(message) is dict else dict(message)
        text = given.get("text")
        data = given.get("bytes")
        if (text is None) == (data is None):
            raise MessageError("'websocket.send' needs exactly one of 'text' and 'bytes'")
        if data is None:
            if not isinstance(text, str):
                raise MessageError(f"'websocket.send': 'text' must be str, not {type(text).__name__}")
            try:
                payload = text.encode()
            except UnicodeEncodeError as error:
                raise MessageError(f"'websocket.send': 'text' cannot be encoded in UTF-8: {error}") from None
        elif type(data) is bytes:
            payload = data
        elif isinstance(data, bytes | bytearray | memoryview):
            payload = bytes(data)
        else:
            raise MessageError(f"'websocket.send': 'bytes' must be bytes, not {type(data).__name__}")
        stream = self.stream
        if self.deflater is not None and len(payload) >= SMALLEST_MESSAGE:
            payload = self.deflater.deflate(payload)
            stream.write(frame_head(FIN | RSV1 | (BINARY if text is None else TEXT), len(payload)), payload)
        else:
            stream.write(message_head(text is not None, len(payload)), payload)
        if stream.paused:
            return stream.drain()
        return READY

    def _close(self, message: Message) -> Any:
        code = message.get("code", NORMAL)
        reason = message.get("reason")
        if reason is None:
            reason = ""
        if not isinstance(code, int) or isinstance(code, bool) or not is_sendable_code(code):
            raise MessageError(f"'websocket.close': 'code' must be 1000 or another that RFC 6455 allows, not {code!r}")
        if not is_sendable_reason(reason):
            raise MessageError(f"'websocket.close': 'reason' must be str of at most {MAX_REASON} bytes, not {reason!r}")
        self.by_application = True
        self.queue.clear()
        self.queued = 0
        self._start_closing(code, reason)
        return READY

    def _start_closing(self, code: int, reason: str) -> None:
        """Send our close frame, and wait for the peer's."""
        self.close_code = code
        self.close_reason = reason
        self.stream.write(close_frame(code, reason), b"")
        self.state = CLOSING
        self._close_within(CLOSE_S)
        ending = self.ending
        if ending is not None:  # the peer's close has been waiting for its turn
            self._act_on(ending)
        elif self.stalled or self.reading_paused:
            self._read_on(False)
        self.wake()

    # The opening handshake

    def _answer(self, kind: object, message: Message) -> Any:
        handshake = self.handshake
        if handshake is None:
            raise _unexpected(kind, CLOSED)
        if self.state == CONNECTING:
            if kind == "websocket.accept":
                if handshake.gone or handshake.hung_up:
                    raise ClientDisconnected("the client has disconnected")
                return self._accept(handshake, message)
            if kind == "websocket.close":
                if handshake.gone:
                    return READY
                self.by_application = True
                self.state = DENYING
                start = {"type": "http.response.start", "status": 403, "headers": FORBIDDEN_HEADERS}
                handshake.send(start)
                return handshake.send({"type": "http.response.body", "body": FORBIDDEN})
            if kind == "websocket.http.response.start":
                known = {key: message[key] for key in ("status", "headers") if key in message}
                handshake.send({**known, "type": "http.response.start"})
                self.state = DENYING
                return READY
        elif kind == "websocket.http.response.body":
            return handshake.send({**message, "type": "http.response.body"})
        raise _unexpected(kind, CLOSED if handshake.is_complete() else self.state)

    def _accept(self, handshake: Handshake, message: Message) -> Any:
        offer = self.offer
        assert offer is not None
        fields: list[tuple[bytes, bytes]] = []
        subprotocol = message.get("subprotocol")
        if subprotocol is not None:
            if subprotocol not in offer.subprotocols:  # RFC 6455 §4.2.2
                raise MessageError(
                    f"'websocket.accept': the client offers subprotocols {offer.subprotocols!r}, not {subprotocol!r}"
                )
            fields.append((b"sec-websocket-protocol", subprotocol.encode()))
        agreement = offer.agreement
        if agreement is not None:
            fields.append((b"sec-websocket-extensions", agreement.response.encode()))
        headers = message.get("headers") or ()
        try:
            for name, value in headers:
                lower = name.lower()
                if lower.startswith(b"sec-websocket-"):
                    raise FieldError(f"{name!r} is not the application's to send; name a subprotocol as 'subprotocol'")
                if lower != b"upgrade":  # like the other fields of the connection, it is the server's
                    fields.append((name, value))
            rest = self.stream.upgrade(self, offer.key, fields)
        except FieldError as error:
            raise MessageError(f"'websocket.accept': {error}") from None
        except (TypeError, ValueError, AttributeError):
            raise MessageError(
                f"'websocket.accept': 'headers' is an iterable of [name, value] pairs of bytes, not {headers!r}"
            ) from None
        service = self.service
        inflater = None
        if agreement is not None:
            inflater = agreement.inflater()
            self.deflater = agreement.deflater()
        self.reader = MessageReader(service.ws_max_size, inflater)
        self.state = OPEN
        self.offer = None
        self.handshake = None
        self.release()
        handshake.status = 101 if offer.key else 200  # RFC 8441 §5: without a key it is HTTP/2, and a CONNECT
        handshake.response_headers = fields
        handshake.log()
        service.meter.open_websocket()
        if service.ws_ping_interval:
            self.ping_at = service.now + service.ws_ping_interval
            service.deadlines.schedule(self, self.ping_at)
        if rest:
            self.feed(rest)
        if service.stopping:
            self.shutdown()
        return READY

    # The end of the application

    def ended(self, error: BaseException | None) -> None:
        """Log what is the application's fault, and close what it has left open."""
        handshake = self.handshake
        disconnected = isinstance(error, (ClientDisconnected, WebSocketDisconnect)) and (
            self.state >= CLOSING or self._is_refused()
        )
        if self.state == DENYING and handshake is not None:
            handshake.ended(error)
        elif error is not None and not disconnected:
            logger.error("Exception in ASGI application", exc_info=error)
        elif self.state == CONNECTING and not self._is_refused():
            logger.error(
                "ASGI application returned without answering: send 'websocket.accept' or 'websocket.close' first"
            )
        if self.state == OPEN:
            self._start_closing(NORMAL if error is None else INTERNAL_ERROR, "")
        elif handshake is not None:
            handshake.abandon()
        self.handshake = None

    def abandon(self) -> None:
        """The application was cancelled."""
        if self.state == OPEN:
            self._start_closing(SERVICE_RESTART if self.service.stopping else INTERNAL_ERROR, "")
        elif self.handshake is not None:
            self.handshake.abandon()

    # Time, and the server's own doings

    def shutdown(self) -> None:
        """The server stops."""
        if self.state == OPEN:
            self._start_closing(SERVICE_RESTART, "")

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._answer_pings()

    def _close_within(self, seconds: float) -> None:
        self.close_by = self.service.now + seconds
        self.service.deadlines.schedule(self, self.close_by)

    def check_deadline(self, now: float) -> float:
        """Act on a deadline that has passed; return the next one."""
        if self.state == CLOSED:
            return NEVER
        if self.close_by <= now:
            if self.ending is not None:
                self._act_on(self.ending)
            elif self.stream.paused:  # it is still reading what came before our close
                self.close_by = now + CLOSE_S
            else:
                self.stream.abort()
                return NEVER
        elif self.state == OPEN and self.close_by == NEVER:
            self._keep_alive(now)
        if self.state == CLOSED:
            return NEVER
        return min(self.close_by, self.ping_at, self.pong_by)

    def _keep_alive(self, now: float) -> None:
        """Ping, and give up on a peer that has sent nothing at all since."""
        service = self.service
        stream = self.stream
        if self.reading_paused or stream.paused:  # it may have answered, or may still have to read what is before
            self.awaits_pong = False
        if not self.awaits_pong:
            self.pong_by = NEVER
        elif service.late:  # the answer may be there: the loop was held up, and looks at the clock before it reads
            self.pong_by = now + service.tick
        elif self.pong_by <= now:
            logger.debug("a WebSocket peer answers no ping: closing")
            stream.write(close_frame(INTERNAL_ERROR, "ping timeout"), b"")
            self._finish()
            return
        if self.ping_at <= now:
            self.ping_at = now + service.ws_ping_interval
            if not stream.paused and not self.awaits_pong:
                stream.write(EMPTY_PING, b"")
                if service.ws_ping_timeout:
                    self.awaits_pong = True
                    self.pong_by = now + service.ws_ping_timeout


def _unexpected(kind: object, state: int) -> MessageError:
    unknown = "" if isinstance(kind, str) and kind in KNOWN_MESSAGES else "unknown message type "
    return MessageError(f"expected {EXPECTED[state]}, got {unknown}{kind!r}")
