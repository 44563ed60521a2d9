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

    __slots__ = ("_head", "_no_body", "_sent", "app", "error_shown", "scope")

    def __init__(self, app: WSGIApp, pool: Pool, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(pool, receive, send)
        self.app = app
        self.scope = scope
        self.error_shown: BaseException | None = None  # what the application has made an error page of
        self._head: Head | None = None
        self._sent = 0  # bytes of the body
        self._no_body = False

    def respond(self) -> tuple[FileWrapper, Message] | None:
        """Call the application and send what it returns; return a file that is left to the task, and its message."""
        environ = make_environ(self.scope)
        environ["wsgi.multithread"] = self.pool.threads > 1
        environ["wsgi.input"] = open_input(environ, self.receive)
        environ["wsgi.file_wrapper"] = FileWrapper
        result = self.app(environ, self.start_response)
        if type(result) is list or type(result) is tuple:
            self._finish(result)
            return None
        message = None
        try:
            if type(result) is FileWrapper:
                message = self._file_message(result)
                if message is not None:
                    return result, message
            self._stream(result)
        finally:
            if message is None:
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
            if self.start is not None:
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
            self._start()
            self.put(b"" if self._no_body else data)

    def _stream(self, result: Iterable[bytes]) -> None:
        """Send each part while the next one is made, the one that completes the body as the last one."""
        ended = False
        for part in _parts(result):
            data = _checked(part)
            if not data:
                continue
            head = self._known_head()
            if self._no_body:
                break
            self._count(data)
            self._start()
            if self._sent != head.length:
                self.put(data)
            else:
                ended = True
                self.end(data)
        if not ended:
            self._start()
            self.end()

    def _finish(self, parts: Sequence[bytes]) -> None:
        """Send what is there as a whole."""
        parts = [data for part in parts if (data := _checked(part))]
        head = self._known_head()
        for data in parts:
            self._count(data)
        single = len(parts) < 2 and head.length < 0 and self.start is None
        if single and not forbids_body(head.status) and (parts or not self._no_body):
            # PEP 3333, "Handling the Content-Length Header"; what GET would get is not told by an empty answer to HEAD.
            head.fields.append((b"content-length", b"%d" % self._sent))
        self._start()
        if self._no_body:
            self.end()
            return
        if self._sent > JOIN_LIMIT:
            while len(parts) > 1:
                self.put(parts.pop(0))
        self.end(parts[0] if len(parts) == 1 else b"".join(parts))

    def _file_message(self, result: FileWrapper) -> Message | None:
        """Return what sends a real file, or None where it has to be read."""
        head = self._known_head()
        extensions = self.scope.get("extensions") or ()
        if self.start is not None or self._no_body or "http.response.zerocopysend" not in extensions:
            return None
        part = find_part(result, head.length)
        if part is None:
            return None
        self._start()
        return {"type": "http.response.zerocopysend", "file": part.file, "offset": part.offset, "count": part.count}

    def _known_head(self) -> Head:
        if self._head is None:
            raise WSGIProtocolError("the WSGI application did not call start_response() before it gave the body")
        return self._head

    def _count(self, data: bytes) -> None:
        head = self._known_head()
        self._sent += len(data)
        if 0 <= head.length < self._sent and not self._no_body:
            raise WSGIProtocolError(f"the body is longer than its Content-Length: {self._sent} > {head.length} bytes")

    def _start(self) -> None:
        """Settle the head."""
        head = self._known_head()
        if self.start is None:
            self.start = {"type": "http.response.start", "status": head.status, "headers": head.fields}


def has_body(scope: Scope) -> bool:
    """Tell whether a body is very likely to be on its way, so that it can be received before it is asked for."""
    return scope["method"] in ("POST", "PUT", "PATCH") and not any(name == b"expect" for name, _ in scope["headers"])


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
