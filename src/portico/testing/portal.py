"""An event loop in a thread of its own, and calls into it from threads that have none."""

import asyncio
import atexit
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any, TypeVar, overload

T = TypeVar("T")

AT_EXIT_S = 2.0

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_portals: "weakref.WeakSet[Portal]" = weakref.WeakSet()


class LoopOptions:
    """How event loops are made.

    Args:
        debug: Whether the loop is in asyncio's debug mode; Python's own settings decide by default.
        loop_factory: What makes the loop; asyncio's default otherwise.
        use_uvloop: Make uvloop's.
    """

    def __init__(
        self, debug: bool | None = None, loop_factory: LoopFactory | None = None, use_uvloop: bool = False
    ) -> None:
        self.debug = debug
        self.loop_factory = loop_factory
        if use_uvloop and loop_factory is None:
            import uvloop

            self.loop_factory = uvloop.new_event_loop

    def runner(self) -> asyncio.Runner:
        return asyncio.Runner(debug=self.debug, loop_factory=self.loop_factory)


class Portal:
    """Run an event loop in a thread until `stop()`; after that the loop is closed and the thread has ended.

    Every call runs as a task with the context variables of the thread that calls.
    """

    def __init__(self, options: LoopOptions) -> None:
        self._options = options
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="portico-testclient", daemon=True)
        self._thread.start()
        self.loop = self._started.result()
        _portals.add(self)

    def _run(self) -> None:
        try:
            with self._options.runner() as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._started.set_result(asyncio.get_running_loop())
        await self._stop.wait()

    def start_task_soon(
        self, func: Callable[..., Coroutine[Any, Any, T] | T], *args: Any, name: str | None = None
    ) -> "Future[T]":
        """Call the function, async or not, in the loop; cancelling the future cancels the call."""
        outcome: Future[T] = Future()
        self.loop.call_soon_threadsafe(self._begin, outcome, func, args, name)
        return outcome

    @overload
    def call(self, func: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T: ...

    @overload
    def call(self, func: Callable[..., T], *args: Any) -> T: ...

    def call(self, func: Callable[..., Any], *args: Any) -> Any:
        """Call the function, async or not, in the loop, and wait for its result; what it raises is raised here."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the portal's own thread cannot wait for itself: await the function instead")
        outcome: Future[Any] = Future()
        try:
            self.loop.call_soon_threadsafe(self._begin, outcome, func, args, None)
            return outcome.result()
        except BaseException:
            outcome.cancel()  # of no effect unless the wait was interrupted
            raise
        finally:
            del outcome  # which the traceback of its exception would keep alive

    def _begin(self, outcome: "Future[T]", func: Callable[..., Any], args: tuple[Any, ...], name: str | None) -> None:
        self.loop.create_task(_carry(outcome, func, args), name=name)

    def stop(self, timeout_s: float | None = None) -> None:
        """End the loop and its thread; tasks that are left are cancelled."""
        if self.loop.is_closed() or sys.is_finalizing():  # a client that was never left, and is collected now
            return
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout_s)


def _stop_all() -> None:
    """End the loops of clients that the program has never left, while threads still run."""
    for portal in tuple(_portals):
        portal.stop(AT_EXIT_S)


atexit.register(_stop_all)


def run_once(options: LoopOptions, func: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Call the function in an event loop and a thread that are over when this returns; quicker than a portal."""
    outcome: Future[T] = Future()
    thread = threading.Thread(
        target=_live_once, args=(options, outcome, func, copy_context()), name="portico-testclient", daemon=True
    )
    try:
        thread.start()
        return outcome.result()
    except BaseException:
        outcome.cancel()  # of no effect unless the wait was interrupted
        raise
    finally:
        if thread.is_alive():
            thread.join()
        del outcome  # which the traceback of its exception would keep alive


def _live_once(
    options: LoopOptions, outcome: "Future[T]", func: Callable[[], Coroutine[Any, Any, T]], context: Context
) -> None:
    try:
        with options.runner() as runner:
            runner.run(_carry(outcome, func, ()), context=context)
    except BaseException as error:
        if outcome.done():
            raise
        outcome.set_exception(error)


async def _carry(outcome: "Future[T]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Put into the future what the function returns or raises; SystemExit and its like are the caller's to see, too."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def cancel(_: "Future[T]") -> None:
        if outcome.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    outcome.add_done_callback(cancel)
    try:
        result = func(*args)
        if inspect.isawaitable(result):
            result = await result
    except asyncio.CancelledError:
        outcome.cancel()
    except BaseException as error:
        if not outcome.cancelled():
            outcome.set_exception(error)
    else:
        if not outcome.cancelled():
            outcome.set_result(result)
