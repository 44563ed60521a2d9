"""One request and its response. ASGI's rules (HTTP 2.5) are written here, once for every version of HTTP."""

import os
import time
from typing import Any

from portico.asgi import ClientDisconnected, Message, MessageError, means_disconnected
from portico.codec.events import Request
from portico.codec.fields import FieldError, check_fields
from portico.http.status import forbids_body
from portico.server.call import READY, Call, message_type
from portico.server.service import Service, logger
from portico.server.stream import Stream

# How far the response is. HELD: the head waits for the first piece of the body; nothing has been written.
WAITING, HELD, STREAMING, TRAILERS, COMPLETE = range(5)
EXPECTED = {
    WAITING: "'http.response.start'",
    HELD: "'http.response.body'",
    STREAMING: "'http.response.body'",
    TRAILERS: "'http.response.trailers'",
}
KNOWN_MESSAGES = frozenset(
    "http.response." + name for name in ("start", "body", "trailers", "early_hint", "pathsend", "zerocopysend")
)
SMALL_CHUNK = 1024  # bytes
MAX_QUEUED = 65536  # bytes of the body that wait for the application before reading pauses


class Exchange(Call):
    """One request, from its scope to its complete response."""

    __slots__ = (
        "body_done",
        "chunks",
        "delivered",
        "expected",
        "gone",
        "hung_up",
        "no_body",
        "queued",
        "request",
        "request_trailers",
        "response_headers",
        "sent",
        "started",
        "state",
        "status",
        "stream",
        "trailer_fields",
        "trailers",
    )

    def __init__(self, stream: Stream, service: Service, request: Request, scope: dict[str, Any]) -> None:
        self.begin(service, scope)
        self.stream = stream
        self.request = request
        self.state = WAITING
        self.status = 0
        self.response_headers: Any = ()
        self.sent = 0  # bytes of the body
        self.expected = -1  # bytes of the body as declared
        self.no_body = False
        self.trailers = False
        self.trailer_fields: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.queued = 0
        self.body_done = not request.has_body
        self.delivered = False  # the last http.request was taken
        self.request_trailers: list[tuple[bytes, bytes]] | None = None
        self.gone = False  # nothing can be written any more
        self.hung_up = False  # the peer has closed its side
        self.started = time.perf_counter_ns()

    # The end of the application

    def ended(self, error: BaseException | None) -> None:
        """Log what is the application's fault, and see to it that there is an answer."""
        if error is None and self.state == COMPLETE:
            return
        if (error is None or means_disconnected(error)) and (self.gone or self.hung_up):  # it need not answer
            self.abandon()
            return
        if error is not None:
            logger.error("Exception in ASGI application", exc_info=error)
        elif self.state == WAITING:
            logger.error("ASGI application returned without starting a response: send 'http.response.start' first")
        else:
            logger.error(
                "ASGI application returned without completing the response: send a last message with more_body=False"
            )
        self.abandon()

    def abandon(self) -> None:
        """Answer 500 where nothing was written yet; otherwise break off so that the client sees it."""
        if self.state == COMPLETE:
            return
        begun = self.state > HELD
        self.state = COMPLETE
        if begun:
            self.service.meter.count_cut(not self.gone)
        if self.gone:
            self.count()
            return
        self.gone = True
        if begun or self.hung_up:
            self.stream.cut()
        else:
            self.status = 500
            self.stream.answer_error(500, "Internal Server Error")
        self.log()

    def count(self) -> None:
        """Count the request, which has ended."""
        self.service.meter.count(self.request.method, self.status, self.started)

    def log(self) -> None:
        """Count the request, which has ended, and log it."""
        self.count()
        log = self.service.access_log
        request = self.request
        if log is not None and request.path not in self.service.probes:
            log.record(
                self.scope["client"],
                request.method,
                request.target,
                request.http_version,
                self.status,
                self.sent,
                self.started / 1e9,
                request.headers,
                self.response_headers,
            )
            self.service.log_pending()

    # The request's body

    def take(self) -> Message | None:
        """Return the next event, or None while there is none."""
        if self.chunks:
            chunks = self.chunks
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self.chunks = []
            self.queued = 0
            self.stream.body_taken(len(body))
            if not self.body_done:
                self.stream.want_body()
                return {"type": "http.request", "body": body, "more_body": True}
            return self._last_event(body)
        if self.body_done and not self.delivered and self.state != COMPLETE:
            return self._last_event(b"")
        if self.gone or self.hung_up or self.state == COMPLETE:
            return {"type": "http.disconnect"}
        if not self.body_done:
            self.stream.want_body()
        return None

    def _last_event(self, body: bytes) -> Message:
        self.delivered = True
        event: Message = {"type": "http.request", "body": body, "more_body": False}
        if self.request_trailers:
            event["trailers"] = self.request_trailers
        return event

    def is_untouched(self) -> bool:
        """Tell whether nothing of the response was written yet."""
        return self.state <= HELD

    def is_complete(self) -> bool:
        """Tell whether the response is complete."""
        return self.state == COMPLETE

    def feed_body(self, data: bytes) -> bool:
        """Take a piece of the body; return whether more should be read now."""
        chunks = self.chunks
        if chunks and len(chunks[-1]) < SMALL_CHUNK:
            chunks[-1] += data  # so that a body in crumbs costs no object for each
        else:
            chunks.append(data)
        self.queued += len(data)
        if self.waiter is not None:
            self.resume()
            return True
        return self.queued < MAX_QUEUED

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """The body is whole."""
        self.body_done = True
        self.request_trailers = trailers
        self.resume()

    def hang_up(self) -> None:
        """The peer has closed its side; it may still read."""
        self.hung_up = True
        self.wake()

    def disconnect(self) -> None:
        """The peer has gone, or is refused: nothing can be sent any more."""
        self.gone = True
        if self.state <= HELD:
            self.status = 0  # none was sent
        self.wake()

    # The response

    def send(self, message: Message) -> Any:
        """Take a message from the application; the awaitable waits only while the client is slow.

        Raises MessageError for a message that ASGI does not allow here, ClientDisconnected after the client has gone.
        """
        kind = message_type(message)
        state = self.state
        if kind == "http.response.body" and (state in (HELD, STREAMING)):
            return self._send_body(message)
        if kind == "http.response.start" and state == WAITING:
            return self._start(message)
        return self._send_other(kind, message)

    def _start(self, message: Message) -> Any:
        if self.gone:
            raise ClientDisconnected("the client has disconnected")
        status = message.get("status")
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise MessageError(f"'http.response.start' needs a 'status' from 200 to 999, not {status!r}")
        headers = message.get("headers", ())
        try:
            if not isinstance(headers, (list, tuple)):
                headers = list(headers)
            self.expected = self.stream.start_response(status, headers)
        except FieldError as error:
            raise MessageError(f"'http.response.start': {error}") from None
        except (TypeError, ValueError):
            raise MessageError(
                f"'http.response.start': 'headers' is an iterable of [name, value] pairs of bytes, not {headers!r}"
            ) from None
        self.status = status
        self.response_headers = headers
        self.no_body = forbids_body(status) or self.request.method == "HEAD"
        self.trailers = bool(message.get("trailers", False))
        self.state = HELD
        return READY

    def _send_body(self, message: Message) -> Any:
        if self.gone:
            raise ClientDisconnected("the client has disconnected")
        data = message.get("body", b"")
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise MessageError(f"'http.response.body': 'body' must be bytes, not {type(data).__name__}")
            data = bytes(data)
        more = bool(message.get("more_body", False))
        first = self.state == HELD
        self._count(len(data), more)
        self.state = STREAMING
        if self.no_body:
            data = b""
        self.stream.write_body(data, more, first, self.trailers)
        if not more:
            if not self.trailers:
                self._complete()
                return READY
            self.state = TRAILERS
        if self.stream.paused:
            return self.stream.drain()
        return READY

    def _count(self, length: int, more: bool) -> None:
        """Hold the body against the declared Content-Length before anything of this piece is written."""
        if self.no_body:
            return
        total = self.sent + length
        if self.expected >= 0:
            if total > self.expected:
                raise MessageError(f"the body is longer than its Content-Length: {total} > {self.expected} bytes")
            if not more and total < self.expected:
                raise MessageError(f"the body is shorter than its Content-Length: {total} < {self.expected} bytes")
        self.sent = total

    def _complete(self) -> None:
        self.state = COMPLETE
        self.release()
        self.wake()
        self.log()
        self.stream.end_response()

    def _send_other(self, kind: object, message: Message) -> Any:
        """Take a message of an extension, or say what was expected in its place."""
        state = self.state
        if not isinstance(kind, str) or kind not in KNOWN_MESSAGES:
            expected = EXPECTED.get(state, "no message: the response is complete")
            raise MessageError(f"expected {expected}, got unknown message type {kind!r}")
        if state == COMPLETE and not self.gone:
            return READY  # ASGI HTTP, "Response Body": messages after the last body are ignored.
        if self.gone:
            raise ClientDisconnected("the client has disconnected")
        if kind == "http.response.trailers" and state == TRAILERS:
            return self._send_trailers(message)
        if kind == "http.response.early_hint" and state <= HELD:
            return self._send_early_hints(message)
        if kind == "http.response.pathsend" and state == HELD:
            return self._send_path(message)
        if kind == "http.response.zerocopysend" and (state in (HELD, STREAMING)):
            return self._send_file(message)
        raise MessageError(f"expected {EXPECTED[state]}, got {kind!r}")

    def _send_trailers(self, message: Message) -> Any:
        try:
            fields = check_fields(message.get("headers", ()))
        except (TypeError, ValueError) as error:
            raise MessageError(f"'http.response.trailers': {error}") from None
        self.trailer_fields += fields
        if not message.get("more_trailers", False):
            self.stream.write_trailers(self.trailer_fields)
            self._complete()
        return READY

    def _send_early_hints(self, message: Message) -> Any:
        try:
            fields = check_fields([(b"link", link) for link in message["links"]])
        except (TypeError, KeyError, ValueError) as error:
            raise MessageError(f"'http.response.early_hint' needs 'links', an iterable of bytes: {error}") from None
        if fields:
            self.stream.write_early_hints(fields)
        return READY

    def _send_path(self, message: Message) -> Any:
        path = message.get("path")
        if not isinstance(path, str | os.PathLike) or not os.path.isabs(path):
            raise MessageError(f"'http.response.pathsend' needs 'path', an absolute path, not {path!r}")
        # Not blocking, so that a pipe in the place of the file does not hold up the loop.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            count = os.fstat(file).st_size
            self._count(count, False)
        except BaseException:
            os.close(file)
            raise
        return self._copy_file(file, 0, count, False, True)

    def _send_file(self, message: Message) -> Any:
        file = message.get("file")
        try:
            number = file if isinstance(file, int) else file.fileno()  # type: ignore[union-attr]
            offset = message.get("offset")
            if offset is None:
                offset = os.lseek(number, 0, os.SEEK_CUR)
            count = message.get("count")
            if count is None:
                count = max(0, os.fstat(number).st_size - offset)
        except (AttributeError, TypeError, OSError) as error:
            raise MessageError(f"'http.response.zerocopysend' needs 'file', an open file: {error}") from None
        more = bool(message.get("more_body", False))
        self._count(count, more)
        return self._copy_file(number, offset, count, more, False)

    async def _copy_file(self, file: int, offset: int, count: int, more: bool, owned: bool) -> None:
        first = self.state == HELD
        self.state = STREAMING
        try:
            if self.no_body or (count == 0 and not more):
                self.stream.write_body(b"", more, first, self.trailers)
            else:
                if first and not more and self.expected < 0 and not self.trailers:
                    self.expected = count
                await self.stream.write_file(file, offset, count, more, first)
        finally:
            if owned:
                os.close(file)
        if not more:
            if self.trailers:
                self.state = TRAILERS
            else:
                self._complete()
