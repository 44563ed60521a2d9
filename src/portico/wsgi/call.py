"""One request of a WSGI application: how it is called, and what becomes of what it returns and writes (PEP 3333)."""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from portico.asgi import Message, Receive, Scope, Send
from portico.http.status import forbids_body
from portico.wsgi.environ import make_environ
from portico.wsgi.filewrapper import FileWrapper, find_part
from portico.wsgi.head import Head, WSGIProtocolError
from portico.wsgi.input import open_input
from portico.wsgi.pool import Pool
from portico.wsgi.threaded import ThreadedCall

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

JOIN_LIMIT = 65536  # bytes of a list that are put together


class Call(ThreadedCall):
    """One call of the application."""

    __slots__ = ("_head", "_no_body", "_sent", "_started", "app", "error_shown", "scope")

    def __init__(self, app: WSGIApp, pool: Pool, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(pool, receive, send)
        self.app = app
        self.scope = scope
        self.error_shown: BaseException | None = None  # what the application has made an error page of
        self._head: Head | None = None
        self._started = False  # the head is sent, or about to be
        self._sent = 0  # bytes of the body
        self._no_body = False

    def respond(self) -> tuple[FileWrapper, Sequence[Message]] | None:
        """Call the application and send what it returns; return a file that is left to the task, and its messages."""
        environ = make_environ(self.scope)
        environ["wsgi.multithread"] = self.pool.threads > 1
        environ["wsgi.input"] = open_input(environ, self.receive)
        environ["wsgi.file_wrapper"] = FileWrapper
        result = self.app(environ, self.start_response)
        if type(result) is list or type(result) is tuple:
            self._finish(result)
            return None
        messages = None
        try:
            if type(result) is FileWrapper:
                messages = self._file_messages(result)
                if messages is not None:
                    return result, messages
            self._stream(result)
        finally:
            if messages is None:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        return None

    def start_response(
        self, status: str, response_headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Take the head of the response, which is sent with the first part of the body that is not empty.

        Raises WSGIProtocolError for what cannot be sent, and the error of `exc_info` where the head is sent already.
        """
        if exc_info is not None:
            error = exc_info[1]
            if self._started:
                raise error.with_traceback(exc_info[2])
            self.error_shown = error
        elif self._head is not None:
            raise WSGIProtocolError("start_response() was called twice, and without exc_info")
        self._head = head = Head(status, response_headers)
        self._no_body = forbids_body(head.status) or self.scope["method"] == "HEAD"
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body, as `start_response` lets those applications that cannot return theirs."""
        data = _checked(data)
        if data:
            self._count(data)
            self.ask(self._messages(data, True))

    def _stream(self, result: Iterable[bytes]) -> None:
        """Send each part before the next one is asked for, the one that completes the body as the last one."""
        ended = False
        for part in _parts(result):
            data = _checked(part)
            if not data:
                continue
            head = self._known_head()
            if self._no_body:
                break
            self._count(data)
            if self._sent != head.length:
                self.ask(self._messages(data, True))
            else:
                ended = True
                self.end(self._messages(data, False))
        if not ended:
            self.end(self._messages(b"", False))

    def _finish(self, parts: Sequence[bytes]) -> None:
        """Send what is there as a whole."""
        parts = [data for part in parts if (data := _checked(part))]
        head = self._known_head()
        for data in parts:
            self._count(data)
        single = len(parts) < 2 and head.length < 0 and not self._started
        if single and not forbids_body(head.status) and (parts or not self._no_body):
            # PEP 3333, "Handling the Content-Length Header"; what GET would get is not told by an empty answer to HEAD.
            head.fields.append((b"content-length", b"%d" % self._sent))
        if len(parts) < 2:
            self.end(self._messages(parts[0] if parts else b"", False))
        elif self._sent <= JOIN_LIMIT:
            self.end(self._messages(b"".join(parts), False))
        else:
            last = parts.pop()
            messages = [message for data in parts for message in self._messages(data, True)]
            self.end(messages + self._messages(last, False))

    def _file_messages(self, result: FileWrapper) -> list[Message] | None:
        """Return what sends a real file, or None where it has to be read."""
        head = self._known_head()
        if self._started or self._no_body or "http.response.zerocopysend" not in (self.scope.get("extensions") or ()):
            return None
        part = find_part(result, head.length)
        if part is None:
            return None
        message = {"type": "http.response.zerocopysend", "file": part.file, "offset": part.offset, "count": part.count}
        return [self._start_message(), message]

    def _known_head(self) -> Head:
        if self._head is None:
            raise WSGIProtocolError("the WSGI application did not call start_response() before it gave the body")
        return self._head

    def _count(self, data: bytes) -> None:
        head = self._known_head()
        self._sent += len(data)
        if 0 <= head.length < self._sent and not self._no_body:
            raise WSGIProtocolError(f"the body is longer than its Content-Length: {self._sent} > {head.length} bytes")

    def _start_message(self) -> Message:
        head = self._known_head()
        self._started = True
        return {"type": "http.response.start", "status": head.status, "headers": head.fields}

    def _messages(self, data: bytes, more: bool) -> list[Message]:
        """Return the messages that send a part of the body, with the head before the first one."""
        if self._no_body:
            data = b""
        body: Message = {"type": "http.response.body", "body": data, "more_body": more}
        return [body] if self._started else [self._start_message(), body]


def _parts(result: Any) -> Any:
    if isinstance(result, str | bytes | bytearray):
        raise WSGIProtocolError(f"a WSGI application returns an iterable of bytes such as [data], not {result!r:.60}")
    try:
        return iter(result)
    except TypeError:
        raise WSGIProtocolError(f"a WSGI application returns an iterable of bytes, not {result!r:.60}") from None


def _checked(part: Any) -> bytes:
    if type(part) is bytes:
        return part
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part)
    raise WSGIProtocolError(f"a WSGI response is made of bytes, not of {type(part).__name__}: {part!r:.60}")
