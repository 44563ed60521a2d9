"""An application that runs inside its caller's task, a message at a time.

`Run` steps the application's coroutine by hand. What the coroutine waits for goes on to the event loop, and what comes
back (results, exceptions, cancellation) goes into it, as with `await`; but when the application sends a message, the
coroutine is left where it is and the caller gets the message. No task is made, so both see the same context
variables, the same current task and the same cancellation; nothing is queued, so nothing is buffered.

An application may also send from tasks of its own while its coroutine waits for something else. Then the one who
steps it has to be woken though that something has not happened: see `Wait`. And an application whose caller runs it
in one task and goes on with it in another gets a task for itself, whose messages are all of that kind.
"""

import asyncio
from asyncio import CancelledError, current_task
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import CoroutineType
from typing import Any

from portico.asgi import ASGIApp, Message, Receive, Scope, Send

PAUSED = object()  # what a coroutine waits for that has sent a message: that the next one is wanted

Steps = Generator[Any, None, Message | None]


class Done:
    """What awaiting gives nothing and does not wait for anything."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


DONE = Done()


class Wait:
    """What a coroutine waits for, with a second way to be woken: by a message.

    To the event loop's task it is a future, and so is to it what it stands for; of that no more is asked than a task
    asks, since servers have futures of their own. Its result is for `Run`, to whoever is woken there is none.
    """

    __slots__ = ("_asyncio_future_blocking", "callback", "context", "future", "happened", "heard")

    def __init__(self, future: Any) -> None:
        self.future = future
        self.callback: Callable[[Any], object] | None = None
        self.context: Context | None = None
        self.heard = False  # whether the future will tell
        self.happened = False
        self._asyncio_future_blocking = True

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        if self.callback is not None:  # a task that was shielded waits here, too, and what it waited for is given up
            older, older_context = self.callback, self.context
            self.future.add_done_callback(lambda _: older(self), context=older_context)
        self.callback = callback
        self.context = context
        if not self.heard:
            self.heard = True
            self.future.add_done_callback(self._happened, context=context)
        elif self.happened:
            self.wake()

    def _happened(self, _: object) -> None:
        self.happened = True
        callback, self.callback = self.callback, None
        if callback is not None:
            callback(self)

    def wake(self) -> None:
        """Wake who waits, though nothing has happened."""
        callback, self.callback = self.callback, None
        if callback is not None:
            self.get_loop().call_soon(callback, self, context=self.context)

    def error(self) -> BaseException | None:
        """Return what has to be raised where the coroutine waits."""
        try:
            self.future.result()
        except BaseException as error:
            return error
        return None

    def cancel(self, msg: Any = None) -> bool:
        return self.future.cancel(msg)  # type: ignore[no-any-return]

    def result(self) -> None:
        return None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.future.get_loop()  # type: ignore[no-any-return]


class Sending:
    """What `send` returns while somebody steps the application: awaited, it hands the message over."""

    __slots__ = ("message", "run")

    def __init__(self, run: "Run", message: Message) -> None:
        self.run = run
        self.message = message

    def __await__(self) -> Generator[Any, None, None]:
        run = self.run
        if run.send_to is not None:  # since `send` was called
            yield from run.send_to(self.message).__await__()
            return
        if run.stepping and current_task() is run.task:
            run.message = self.message
            yield run  # reaches `Run.__await__`, which does not go on before the next message is wanted
            return
        yield from run.handed_over(self.message).__await__()


class Run:
    """One call of an application. Await it for the next message; None means that the application has returned."""

    # What most calls never change is here, so that making one is cheap.
    apart = False  # whether the application has a task of its own
    stepping = False
    ended = False
    final = False  # the message that ends the response has been seen
    message: Message | None = None  # that the coroutine is about to send
    inbox: "deque[tuple[Message, asyncio.Future[bool]]] | None" = None  # that other tasks send
    held: "asyncio.Future[bool] | None" = None  # the task whose message is being looked at
    blocked: Any = None  # what the coroutine waits for
    own_wait = False  # whether `blocked` was made here, not by a run inside this one
    throw: BaseException | None = None  # into the coroutine, at the next step
    send_to: Send | None = None  # where messages go when nobody wants to see them
    coroutine: Coroutine[Any, Any, None]

    def __init__(self, home: "asyncio.Task[Any] | None") -> None:
        self.home = home
        self.task = home

    def start(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Make the coroutine; in a task of its own if this is not the task that will go on with it."""
        awaitable: Any = app(scope, receive, self.send)
        if current_task() is not self.home:
            awaitable = asyncio.ensure_future(awaitable)
            self.apart = True
        self.coroutine = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)

    def send(self, message: Message) -> Awaitable[None]:
        """Hand a message to who steps the application, or to whom they have sent them on."""
        send_to = self.send_to
        if send_to is not None:
            return send_to(message)
        return Sending(self, message)

    async def handed_over(self, message: Message) -> None:
        """Give a message from another task; returns when the next one is wanted."""
        if self.send_to is None:
            if self.inbox is None:
                self.inbox = deque()
            taken = asyncio.get_running_loop().create_future()
            self.inbox.append((message, taken))
            if type(self.blocked) is Wait:
                self.blocked.wake()
            if await taken:
                return
        if self.send_to is not None:  # since `send` was called
            await self.send_to(message)

    def __await__(self) -> Steps:
        self.release()
        message: Message | None
        coroutine = self.coroutine
        self.task = task = current_task()
        context = None if task is self.home or self.apart else _context_of(self.home)
        while True:
            if self.inbox:
                message, self.held = self.inbox.popleft()
                return message
            if self.ended:
                return None
            error, self.throw = self.throw, None
            waits = self.own_wait and not self.blocked.happened
            if waits:
                if isinstance(error, CancelledError) and self.blocked.cancel(*error.args):
                    error = None  # as with `Task.cancel`: it comes by way of what the coroutine waits for
            elif self.own_wait and error is None:
                error = self.blocked.error()
            if error is not None or not waits:
                self.own_wait = False
                self.stepping = True
                try:
                    if context is not None and _can_enter(context):
                        waited_for = context.run(_step, coroutine, error)
                    elif error is not None:
                        waited_for = coroutine.throw(error)
                    else:
                        waited_for = coroutine.send(None)
                except StopIteration:
                    self.ended = True
                    continue
                except BaseException:
                    self.ended = True
                    raise
                finally:
                    self.stepping = False
                    error = None
                if waited_for is self:
                    self.blocked = PAUSED
                    message, self.message = self.message, None
                    return message
                if (
                    self.send_to is None
                    and type(waited_for) is not Wait
                    and getattr(waited_for, "_asyncio_future_blocking", False)
                ):
                    waited_for._asyncio_future_blocking = False
                    waited_for = Wait(waited_for)
                    self.own_wait = True
                self.blocked = waited_for
                if self.inbox and (waited_for is None or type(waited_for) is Wait):
                    continue  # a task that started at once has sent something
            elif type(self.blocked) is Wait:
                self.blocked._asyncio_future_blocking = True
            try:
                yield self.blocked
            except GeneratorExit:
                self.ended = True
                coroutine.close()
                raise
            except BaseException as thrown:
                self.throw = thrown

    def release(self) -> None:
        """Let the task go on whose message has been looked at."""
        held, self.held = self.held, None
        if held is not None and not held.done():
            held.set_result(True)

    def forward(self, send: Send) -> None:
        """Give all messages to `send` from now on."""
        self.send_to = send
        self.release()
        for _, taken in self.inbox or ():
            if not taken.done():
                taken.set_result(False)  # the task sends it itself
        self.inbox = None

    def refuse_waiting(self, error: BaseException) -> None:
        """Raise an exception in the tasks that wait for their messages to be taken."""
        waiting = [taken for _, taken in self.inbox or ()]
        if self.held is not None:
            waiting.append(self.held)
        self.inbox = self.held = None
        for taken in waiting:
            if not taken.done():
                taken.set_exception(error)


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable


def _step(coroutine: Coroutine[Any, Any, None], error: BaseException | None) -> Any:
    return coroutine.send(None) if error is None else coroutine.throw(error)


def _can_enter(context: Context) -> bool:
    try:
        context.run(_nothing)
    except RuntimeError:  # it is entered already
        return False
    return True


def _nothing() -> None:
    pass


def _context_of(task: "asyncio.Task[Any] | None") -> Context | None:
    # Only from CPython 3.12 on does a task say which context it has.
    return task.get_context() if hasattr(task, "get_context") else None  # type: ignore[union-attr]
