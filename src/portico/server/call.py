"""One call of the application: its task, and the awaitables that `receive()` and `send()` give it.

Both are plain methods. `send()` returns an already finished object where there is nothing to wait for, so a handler
that never waits runs to its end inside `data_received`; one that waits for bytes goes on inside the one that brings
them.
"""

import asyncio
import sys
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context
from types import CoroutineType
from typing import Any

from portico.asgi import Message, MessageError, PorticoError
from portico.server.receiving import next_event
from portico.server.service import Service

EAGER = sys.version_info >= (3, 12)
Task: Any = asyncio.Task
current_task = asyncio.current_task


# An iterator that is at its end says so without raising anything, unlike `raise StopIteration`: 0.4 us a message.
DONE = iter(())


class Ready:
    """An awaitable that is already finished, with None; it satisfies `collections.abc.Coroutine` and is shared."""

    __slots__ = ()

    def __await__(self) -> Iterator[None]:
        return DONE

    def send(self, value: object) -> None:
        raise StopIteration

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> None:
        raise kind if value is None else value

    def close(self) -> None:
        pass


READY = Ready()


class Waiter:
    """What a task waits on until there may be an event.

    To the task it is a future (the protocol between `asyncio.Task` and what it awaits). Unlike one, it can let its task
    go on at once, inside the callback of the loop that brought the event, rather than in the loop's next round.
    """

    __slots__ = ("_asyncio_future_blocking", "callback", "cancelled", "context", "done", "loop", "next", "reason")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._asyncio_future_blocking = True  # says to the task: yielded by `await`, not by a bare `yield`
        self.callback: Callable[[Any], object] | None = None
        self.context: Context | None = None
        self.done = False
        self.cancelled = False
        self.reason: Any = None  # of the cancellation
        self.next: Waiter | None = None  # who has waited for the same, but not as long

    def __await__(self) -> "Generator[Waiter, None, None]":
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that the waiting task must belong to."""
        return self.loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Take the one callback: that which makes the task go on."""
        self.callback = callback
        self.context = context
        if self.done:
            self.loop.call_soon(callback, self, context=context)

    def cancel(self, msg: Any = None) -> bool:
        """Have the task go on with a CancelledError; called by `Task.cancel`."""
        if self.done:
            return False
        self.cancelled = True
        self.reason = msg
        self.finish()
        return True

    def result(self) -> None:
        """Say how the waiting ended; called by the task as it goes on."""
        if self.cancelled:
            raise CancelledError() if self.reason is None else CancelledError(self.reason)

    def finish(self) -> None:
        """Let the task go on in the loop's next round."""
        if not self.done:
            self.done = True
            if self.callback is not None:
                self.loop.call_soon(self.callback, self, context=self.context)
                self.callback = None

    def resume(self) -> None:
        """Let the task go on at once, unless another one is running: then in the loop's next round."""
        if self.done:
            return
        if self.callback is None or self.context is None or current_task(self.loop) is not None:
            self.finish()
            return
        self.done = True
        callback = self.callback
        self.callback = None
        self.context.run(callback, self)


class Call:
    """One call of the application; what its events and messages are is the subclass's."""

    __slots__ = ("counted", "finished", "scope", "service", "waiter")

    def begin(self, service: Service, scope: dict[str, Any]) -> None:
        """Set what all calls have; subclasses call this, since `super().__init__` is a look-up and a Python call."""
        self.service = service
        self.scope = scope
        self.counted = False  # towards the limit of concurrent requests
        self.finished = False  # the application has returned
        self.waiter: Waiter | None = None  # the first of those who wait; it is rare that there is another

    # The subclass's

    def take(self) -> Message | None:
        """Return the next event, or None while there is none."""
        raise AssertionError

    def send(self, message: Message) -> Any:
        """Take a message from the application and return an awaitable.

        Raises MessageError for a message that ASGI does not allow here, ClientDisconnected after the client has gone.
        """
        raise AssertionError

    def ended(self, error: BaseException | None) -> None:
        """The application has returned, or raised."""
        raise AssertionError

    def abandon(self) -> None:
        """The application was cancelled: end what it leaves unfinished so that the peer sees it."""
        raise AssertionError

    # Running the application

    def run(self) -> None:
        """Call the application in a task; one that never waits has finished when this returns."""
        service = self.service
        self.counted = True
        service.active += 1
        try:
            coroutine = service.app(self.scope, self.receive, self.send)
            task = self._start_task(coroutine)
        except Exception as error:
            self.finished = True
            self.release()
            self.ended(error)
            return
        if task.done():
            self.on_done(task)
        else:
            service.tasks.add(task)
            task.add_done_callback(self.on_waited)

    def _start_task(self, coroutine: Any) -> Any:
        service = self.service
        context = Context() if service.fresh_context else None
        if type(coroutine) is not CoroutineType and not asyncio.iscoroutine(coroutine):
            coroutine = _as_coroutine(coroutine)
        if EAGER:
            return Task(coroutine, loop=service.loop, context=context, eager_start=True)
        return Task(coroutine, loop=service.loop, context=context)

    def on_done(self, task: Any) -> None:
        """The application has returned, raised or been cancelled."""
        self.finished = True
        self.release()
        try:
            error = task.exception()
        except asyncio.CancelledError:
            self.abandon()
        else:
            self.ended(error)

    def on_waited(self, task: Any) -> None:
        """A task that did not finish at once is done."""
        service = self.service
        service.tasks.discard(task)
        self.on_done(task)
        if service.stopping:
            service.check_idle()

    def release(self) -> None:
        """Count no more towards the limit of concurrent requests."""
        if self.counted:
            self.counted = False
            self.service.active -= 1

    # Waiting for events

    def receive(self) -> "Coroutine[Any, Any, Message]":
        """Return an awaitable of the next event."""
        return next_event(self)

    def wait(self) -> Waiter:
        """Return what a task waits on until there may be an event."""
        waiter = Waiter(self.service.loop)
        # Those who were cancelled are left out, so that one who looks up again and again leaves nothing behind.
        last = self.waiter
        while last is not None and last.done:
            last = last.next
        if last is None:
            self.waiter = waiter
            return waiter
        self.waiter = last
        while last.next is not None:
            if last.next.done:
                last.next = last.next.next
            else:
                last = last.next
        last.next = waiter
        return waiter

    def wake(self) -> None:
        """Let everybody who waits look again, in the loop's next round."""
        waiter = self.waiter
        self.waiter = None
        while waiter is not None:
            waiter.finish()
            waiter = waiter.next

    def resume(self) -> None:
        """Let everybody who waits look again at once: the caller must be ready for whatever the application does."""
        waiter = self.waiter
        self.waiter = None
        while waiter is not None:
            waiter.resume()
            waiter = waiter.next


def message_type(message: Message) -> Any:
    """Return the type of a message that the application sends; raises MessageError where it has none."""
    try:
        return message["type"]
    except (TypeError, KeyError, IndexError):
        raise MessageError(f"an ASGI message is a dict with a 'type', not {message!r}") from None


async def _as_coroutine(awaitable: Any) -> None:
    """Run an application that returned something awaitable that is no coroutine."""
    if not hasattr(awaitable, "__await__"):
        raise PorticoError(f"an ASGI application returns an awaitable, not {awaitable!r}: is it `async def`?")
    await awaitable
