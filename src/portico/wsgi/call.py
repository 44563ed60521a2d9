"""One request of a WSGI application: a thread runs it, a task of the event loop receives and sends for it.

The thread orders, the task does it and answers; the thread waits for that, so no more than one message is in memory.
It does not wait after the last order, the end of the response: an application that needs nothing of the loop meanwhile
costs one turn to the thread and one back. What `close()` of the result still does is done while that is sent.

The two share their fields without a lock. Each one first writes what it has to say and then looks whether the other one
sleeps, respectively has said something; so one of them sees the other, whichever is first.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send
from portico.http.status import forbids_body
from portico.wsgi.environ import make_environ
from portico.wsgi.filewrapper import FilePart, FileWrapper, find_part
from portico.wsgi.head import Head, WSGIProtocolError
from portico.wsgi.input import open_input
from portico.wsgi.pool import Pool

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

JOIN_LIMIT = 65536  # bytes of a list that are put together
GONE = "the client has disconnected, or the request is over"
_MISSING = object()


class Call:
    """One call of the application. `await call.run()` from its task; the other methods run in the thread."""

    __slots__ = (
        "_answer",
        "_answered",
        "_context",
        "_done",
        "_error",
        "_failure",
        "_gone",
        "_head",
        "_last",
        "_loop",
        "_no_body",
        "_order",
        "_receive",
        "_send",
        "_sent",
        "_started",
        "_turn",
        "_unclosed",
        "_waiter",
        "_woken",
        "app",
        "error_shown",
        "pool",
        "scope",
    )

    def __init__(self, app: WSGIApp, pool: Pool, scope: Scope, receive: Receive, send: Send) -> None:
        self.app = app
        self.pool = pool
        self.scope = scope
        self.error_shown: BaseException | None = None  # what the application has made an error page of
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        # The thread's
        self._head: Head | None = None
        self._started = False  # the head is sent, or about to
        self._sent = 0  # bytes of the body
        self._no_body = False
        self._turn = threading.Lock()  # applications may read in one thread and write in another
        self._answered = threading.Lock()  # released once an order is done
        self._answered.acquire()
        # Theirs
        self._order: Sequence[Message] | None = None  # messages to send; none: receive one
        self._answer: Any = None
        self._error: BaseException | None = None
        self._last: Sequence[Message] | None = None
        self._unclosed: list[FileWrapper] = []  # what the task sends; the one who takes it out closes it
        self._done = False  # the thread is through
        self._failure: BaseException | None = None
        self._gone = False  # the task is through
        self._waiter: asyncio.Future[None] | None = None
        self._woken: asyncio.Future[None] | None = None

    # In the event loop

    async def run(self) -> None:
        """Run the application; raises what it raises, or ClientDisconnected."""
        self.pool.submit(self._work)
        failure = None
        try:
            while await self._sleep():
                if self._order is not None:
                    await self._obey()
                    continue
                messages, self._last = self._last, None
                assert messages is not None
                try:
                    for message in messages:
                        await self._send(message)
                except Exception as error:
                    failure = error
                if self._unclosed:
                    self.pool.submit(self._close_file)
        finally:
            self._gone = True
            if self._answered.locked():
                self._answered.release()
            if self._unclosed:
                self.pool.submit(self._close_file)
        _carry_back(self._context)
        failure, self._failure = self._failure or failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    async def _sleep(self) -> bool:
        """Wait for something to do; return False when the thread is through."""
        while True:
            waiter = self._waiter = self._loop.create_future()
            if self._order is None and self._last is None and not self._done:
                await waiter
            self._waiter = None
            if self._order is not None or self._last is not None:
                return True
            if self._done:
                return False

    async def _obey(self) -> None:
        order, self._order = self._order, None
        assert order is not None
        self._answer = self._error = None
        try:
            if order:
                for message in order:
                    await self._send(message)
            else:
                self._answer = await self._receive()
        except Exception as error:
            self._error = error
        except BaseException:
            self._error = ClientDisconnected(GONE)
            raise
        finally:
            self._answered.release()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # In the thread

    def _work(self) -> None:
        file = None
        if not self._gone:
            try:
                file = self._context.run(self._respond)
            except BaseException as error:
                self._failure = _carried(error)
        if file is None:
            self._done = True
            self._post()
            return
        result, self._last = file
        self._unclosed.append(result)
        if self._gone:
            self._close_file()
        else:
            self._post()

    def _close_file(self) -> None:
        """Close a file that the task has sent; meanwhile no thread was kept for it."""
        try:
            result = self._unclosed.pop()
        except IndexError:
            return
        try:
            self._context.run(result.close)
        except BaseException as error:
            self._failure = _carried(error)
        self._done = True
        self._post()

    def _post(self) -> None:
        """Wake the task, if it sleeps and nobody has."""
        waiter = self._waiter
        if waiter is not None and waiter is not self._woken:
            self._woken = waiter
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop is closed: the server did not wait any longer
                self._gone = True

    def _ask(self, order: Sequence[Message]) -> Any:
        """Have the task send the messages, or receive one, and wait for it."""
        with self._turn:
            if self._gone:
                raise ClientDisconnected(GONE)
            self._order = order
            self._post()
            if self._gone:
                raise ClientDisconnected(GONE)
            self._answered.acquire()
            if self._order is not None:
                raise ClientDisconnected(GONE)
            error, self._error = self._error, None
            if error is not None:
                try:
                    raise error
                finally:
                    del error
            return self._answer

    def receive(self) -> Message:
        """Wait for the next event."""
        message: Message = self._ask(())
        return message

    def _respond(self) -> "tuple[FileWrapper, Sequence[Message]] | None":
        """Call the application and send what it returns; return a file that is left to the task, and its messages."""
        environ = make_environ(self.scope)
        environ["wsgi.multithread"] = self.pool.threads > 1
        environ["wsgi.input"] = open_input(environ, self.receive)
        environ["wsgi.file_wrapper"] = FileWrapper
        result = self.app(environ, self.start_response)
        if type(result) in (list, tuple):
            self._finish(result)  # type: ignore[arg-type]
            return None
        messages = None
        try:
            if type(result) is FileWrapper:
                messages = self._file_messages(result)
            if messages is not None:
                return result, messages  # type: ignore[return-value]
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
            self._ask(self._messages(data, True))

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
                self._ask(self._messages(data, True))
            else:
                ended = True
                self._end(self._messages(data, False))
        if not ended:
            self._end(self._messages(b"", False))

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
            self._end(self._messages(parts[0] if parts else b"", False))
        elif self._sent <= JOIN_LIMIT:
            self._end(self._messages(b"".join(parts), False))
        else:
            last = parts.pop()
            messages = [message for data in parts for message in self._messages(data, True)]
            self._end(messages + self._messages(last, False))

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

    def _end(self, messages: Sequence[Message]) -> None:
        """Send the end of the response; nobody waits for it here."""
        self._last = messages
        self._post()


def _parts(result: Any) -> Iterable[Any]:
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


def _carried(error: BaseException) -> Exception:
    """Return the error as one that the event loop survives."""
    if isinstance(error, Exception):
        return error
    wrapped = WSGIProtocolError(f"the WSGI application raised {type(error).__name__}, which would end the server")
    wrapped.__cause__ = error
    return wrapped


def _carry_back(context: Context) -> None:
    """Set the context variables that the application has set."""
    for variable in context:
        value = context[variable]
        if variable.get(_MISSING) is not value:
            variable.set(value)
