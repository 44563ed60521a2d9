"""One call of an ASGI application that does its work in a thread, while its task receives and sends for it.

What the thread has to send it puts down for the task, and goes on while that is sent; it waits where more than a little
has not been sent yet, and where it wants an event that has not come. An application that needs nothing of the loop
costs one turn to the thread and one back. What the thread still has to do after the end of the response is done while
that is sent.

The two share their fields without a lock. Each one first writes what it has to say and then looks whether the other one
sleeps, respectively has said something; so one of them sees the other, whichever is first.
"""

import asyncio
import threading
from contextvars import Context, copy_context
from typing import Any

from portico.asgi import ClientDisconnected, Message, Receive, Send
from portico.wsgi.filewrapper import FileWrapper
from portico.wsgi.head import WSGIProtocolError
from portico.wsgi.pool import Pool

LIMIT = 65536  # bytes that wait to be sent before the thread does
RECEIVE, SENT = 1, 2  # what the thread may wait for: an event, or that all is sent
GONE = "the client has disconnected, or the request is over"
_MISSING = object()


class ThreadedCall:
    """A call whose work is `respond()`, which the subclass has. `await call.run()` from its task."""

    __slots__ = (
        "_ahead",
        "_answer",
        "_answered",
        "_begun",
        "_broken",
        "_context",
        "_done",
        "_ended",
        "_failure",
        "_gone",
        "_last",
        "_loop",
        "_order",
        "_outbox",
        "_passed",
        "_put",
        "_receive",
        "_send",
        "_turn",
        "_unclosed",
        "_waiter",
        "_woken",
        "pool",
        "start",
    )

    def __init__(self, pool: Pool, receive: Receive, send: Send) -> None:
        self.pool = pool
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._turn = threading.Lock()  # applications may read in one thread and write in another
        self._answered = threading.Lock()  # released once an order is done
        self._answered.acquire()
        self.start: Message | None = None  # of the response, set before anything of it is sent
        self._begun = False  # the task has sent it
        self._outbox: list[bytes] = []  # parts of the body
        self._put = self._passed = 0  # bytes that the thread has put there, and that the task has sent
        self._broken: Exception | None = None  # what sending has raised
        self._order = 0
        self._answer: Any = None
        self._ahead: asyncio.Task[Message] | None = None
        self._ended = False  # the thread has put down the end
        self._last: Message | None = None
        self._unclosed: list[FileWrapper] = []  # what the task sends; the one who takes it out closes it
        self._done = False  # the thread is through
        self._failure: Exception | None = None
        self._gone = False  # the task is through
        self._waiter: asyncio.Future[None] | None = None
        self._woken: asyncio.Future[None] | None = None

    def respond(self) -> tuple[FileWrapper, Message] | None:
        """Do the work, in the thread; return a file that is left to the task, and the message that sends it."""
        raise AssertionError

    # In the event loop

    async def run(self, ahead: bool = False) -> None:
        """Do the work, the first event being received `ahead` of it or not.

        Raises what the work raises, or ClientDisconnected.
        """
        self.pool.submit(self._work)
        try:
            if ahead:
                self._ahead = asyncio.ensure_future(self._received())
            while True:
                # Looked at before the outbox: what was put there before these were set is sent before they are obeyed.
                order, last, done = self._order, self._last, self._done
                if self._outbox:
                    await self._send_parts()
                elif order:
                    await self._obey(order)
                elif last is not None:
                    self._last = None
                    await self._try_send(last)
                    if self._unclosed:
                        self.pool.submit(self._close_file)
                elif done:
                    break
                else:
                    waiter = self._waiter = self._loop.create_future()
                    if not (self._outbox or self._order or self._last or self._done):
                        await waiter
                    self._waiter = None
        finally:
            self._gone = True
            if self._answered.locked():
                self._answered.release()
            if self._ahead is not None and not self._ahead.cancel() and not self._ahead.cancelled():
                self._ahead.exception()  # nobody wants to know of it any more
            if self._unclosed:
                self.pool.submit(self._close_file)
        _carry_back(self._context)
        failure = self._failure or self._broken
        self._failure = self._broken = None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    async def _received(self) -> Message:
        return await self._receive()

    async def _send_parts(self) -> None:
        parts = self._outbox[:]
        del self._outbox[: len(parts)]  # others may have come meanwhile
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        await self._try_send({"type": "http.response.body", "body": data, "more_body": True})
        self._passed += len(data)

    async def _try_send(self, message: Message) -> None:
        """Send a message, the start before the first one; what that raises is for the thread, or raised in the end."""
        if self._broken is not None:
            return
        try:
            if not self._begun:
                self._begun = True
                assert self.start is not None
                await self._send(self.start)
            await self._send(message)
        except Exception as error:
            self._broken = error

    async def _obey(self, order: int) -> None:
        self._order = 0
        self._answer = None
        try:
            if order == RECEIVE:
                ahead, self._ahead = self._ahead, None
                self._answer = await (self._receive() if ahead is None else ahead)
        except Exception as error:
            self._answer = error
        except BaseException:
            self._answer = ClientDisconnected(GONE)
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
                file = self._context.run(self.respond)
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

    def receive(self) -> Message:
        """Wait for the next event."""
        ahead = self._ahead
        if ahead is not None and ahead.done() and not self._gone:
            self._ahead = None
            return ahead.result()
        message: Message = self._ask(RECEIVE)
        return message

    def put(self, data: bytes) -> None:
        """Have the task send a part of the body; wait where too much has not been sent yet.

        Raises what sending has raised, now or before.
        """
        if self._ended:
            raise ClientDisconnected(GONE)
        self._outbox.append(data)
        self._put += len(data)
        if self._put - self._passed > LIMIT:
            self._ask(SENT)
        else:
            self._post()
        if self._broken is not None or self._gone:
            raise self._broken or ClientDisconnected(GONE)

    def end(self, data: bytes = b"") -> None:
        """Have the task send the end of the response; nobody waits for it here."""
        self._ended = True
        self._last = {"type": "http.response.body", "body": data, "more_body": False}
        self._post()

    def _ask(self, order: int) -> Any:
        """Have the task obey the order, and wait for that."""
        with self._turn:
            if self._gone:
                raise ClientDisconnected(GONE)
            self._order = order
            self._post()
            if self._gone:
                raise ClientDisconnected(GONE)
            self._answered.acquire()
            answer, self._answer = self._answer, None
            if self._order:
                raise ClientDisconnected(GONE)
        if not isinstance(answer, Exception):
            return answer
        try:
            raise answer
        finally:
            del answer


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
