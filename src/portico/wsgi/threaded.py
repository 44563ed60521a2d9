"""One call of an ASGI application that does its work in a thread, while its task receives and sends for it.

The thread orders, the task does it and answers; the thread waits for that, so no more than one message is in memory.
It does not wait after the last order, the end of the response: an application that needs nothing of the loop meanwhile
costs one turn to the thread and one back. What the thread still has to do is done while that is sent.

The two share their fields without a lock. Each one first writes what it has to say and then looks whether the other one
sleeps, respectively has said something; so one of them sees the other, whichever is first.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextvars import Context, copy_context
from typing import Any

from portico.asgi import ClientDisconnected, Message, Receive, Send
from portico.wsgi.filewrapper import FileWrapper
from portico.wsgi.head import WSGIProtocolError
from portico.wsgi.pool import Pool

GONE = "the client has disconnected, or the request is over"
_MISSING = object()


class ThreadedCall:
    """A call whose work is `respond()`, which the subclass has. `await call.run()` from its task."""

    __slots__ = (
        "_answer",
        "_answered",
        "_context",
        "_done",
        "_error",
        "_failure",
        "_gone",
        "_last",
        "_loop",
        "_order",
        "_receive",
        "_send",
        "_turn",
        "_unclosed",
        "_waiter",
        "_woken",
        "pool",
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
        self._order: Sequence[Message] | None = None  # messages to send; empty: receive one
        self._answer: Any = None
        self._error: Exception | None = None
        self._last: Sequence[Message] | None = None
        self._unclosed: list[FileWrapper] = []  # what the task sends; the one who takes it out closes it
        self._done = False  # the thread is through
        self._failure: Exception | None = None
        self._gone = False  # the task is through
        self._waiter: asyncio.Future[None] | None = None
        self._woken: asyncio.Future[None] | None = None

    def respond(self) -> tuple[FileWrapper, Sequence[Message]] | None:
        """Do the work, in the thread; return a file that is left to the task, and the messages that send it."""
        raise AssertionError

    # In the event loop

    async def run(self) -> None:
        """Run the application; raises what it raises, or ClientDisconnected."""
        self.pool.submit(self._work)
        failure = None
        try:
            while True:
                if self._order is not None:
                    await self._obey()
                elif self._last is not None:
                    messages, self._last = self._last, None
                    try:
                        for message in messages:
                            await self._send(message)
                    except Exception as error:
                        failure = error
                    if self._unclosed:
                        self.pool.submit(self._close_file)
                elif self._done:
                    break
                else:
                    waiter = self._waiter = self._loop.create_future()
                    if self._order is None and self._last is None and not self._done:
                        await waiter
                    self._waiter = None
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

    def ask(self, order: Sequence[Message]) -> Any:
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
        message: Message = self.ask(())
        return message

    def end(self, messages: Sequence[Message]) -> None:
        """Have the task send the end of the response; nobody waits for it here."""
        self._last = messages
        self._post()


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
