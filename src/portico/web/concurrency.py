"""Calling what blocks: one bounded pool of threads a process, which context variables pass through both ways."""

import asyncio
import functools
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from contextlib import asynccontextmanager as asynccontextmanager
from contextlib import contextmanager as contextmanager
from contextvars import Context, ContextVar, copy_context
from types import TracebackType
from typing import Any, ParamSpec, TypeGuard, TypeVar

from portico.web.exceptions import PorticoDeprecationWarning

if sys.version_info >= (3, 12):
    from inspect import iscoroutinefunction
else:
    from asyncio import iscoroutinefunction  # knows what is marked as a coroutine function, as mocks are

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_THREADS = 40
UNBOUNDED = 1_000_000
_DONE = object()
_UNSET = object()

_threads = DEFAULT_THREADS
_caller = threading.local()  # of each thread of the pool: the loop that it works for
_pools: dict[bool, ThreadPoolExecutor] = {}  # by whether they are for those who hold something
# Whether the caller holds what other calls may be waiting for in their threads, such as a connection of a small pool of
# connections to a database. Its calls then have threads of their own, as many again, or they would wait for each other.
holds: ContextVar[bool] = ContextVar("whether others may wait for what this one holds", default=False)
_exits: ThreadPoolExecutor | None = None  # it makes a thread where none is idle


def set_threads(count: int) -> None:
    """Set how many threads sync endpoints, dependencies and background tasks of this process share (40 by default).

    As many again are there for requests that have entered dependencies with `yield`, see `holds`.

    Calls that are running stay where they are; those that come later use the new pool.

    Raises:
        ValueError: If the count is not positive.
    """
    global _threads
    if count < 1:
        raise ValueError(f"the thread pool needs at least one thread, got {count!r}")
    if count == _threads:
        return
    _threads = count
    while _pools:
        _pools.popitem()[1].shutdown(wait=False)


def is_async_callable(obj: Any) -> TypeGuard[Callable[..., Awaitable[Any]]]:
    """Tell whether a call of the object gives an awaitable: an async function, a partial of one, `__call__`."""
    while isinstance(obj, functools.partial):
        obj = obj.func
    if iscoroutinefunction(obj):
        return True
    return callable(obj) and not isinstance(obj, type) and iscoroutinefunction(obj.__call__)


async def run_in_threadpool(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function in the thread pool and return its result.

    The function sees the caller's context variables, and the caller sees what the function sets. If the caller is
    cancelled while the function runs, the cancellation waits for it to end: nothing is torn down under a running call.
    Nor is its result lost, such as what a context manager has opened: the caller gets it, and is cancelled where it
    waits next.
    """
    context = copy_context()
    loop = asyncio.get_running_loop()
    work = _executor().submit(_call, loop, context, func, args, kwargs)
    try:
        return await asyncio.wrap_future(work, loop=loop)
    except asyncio.CancelledError as cancelled:
        await _ended(work, loop)
        if work.cancelled():
            raise
        if (error := work.exception()) is not None:
            raise cancelled from error
        _cancel_later()
        return work.result()
    finally:
        _carry_back(context)


def contextmanager_in_threadpool(cm: AbstractContextManager[T]) -> AbstractAsyncContextManager[T]:
    """Return the context manager as an async one that enters and exits it in threads.

    Entering takes its turn in the thread pool, exiting never waits for one; see `exit_in_thread`.
    """
    return _InThreads(cm)


class _InThreads(AbstractAsyncContextManager[T]):
    def __init__(self, cm: AbstractContextManager[T]) -> None:
        self.cm = cm

    async def __aenter__(self) -> T:
        return await run_in_threadpool(self.cm.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await exit_in_thread(self.cm, kind, error, traceback)


async def exit_in_thread(
    cm: AbstractContextManager[Any],
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool | None:
    """Exit a context manager in a thread, and tell whether it has swallowed the error.

    It gets a thread at once, however many calls the thread pool is busy with: those may be waiting for what it gives
    back, such as a connection to a database. It is exited also if the caller is cancelled, whose cancellation goes on
    after that. Context variables pass both ways as in `run_in_threadpool`.
    """
    global _exits
    if _exits is None:
        _exits = ThreadPoolExecutor(UNBOUNDED, thread_name_prefix="portico-exit")
    context = copy_context()
    loop = asyncio.get_running_loop()
    work = _exits.submit(_call, loop, context, cm.__exit__, (kind, error, traceback), {})
    ended = asyncio.Event()
    work.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    try:
        with _shielded_from_anyio():
            await ended.wait()
    except asyncio.CancelledError as cancelled:
        await _ended(work, loop)
        if (failed := work.exception()) is not None:
            raise cancelled from failed
        _cancel_later()
    finally:
        _carry_back(context)
    return work.result()


def _executor() -> ThreadPoolExecutor:
    held = holds.get()
    pool = _pools.get(held)
    if pool is None:
        # No two are made: other loops' threads get the first one.
        pool = _pools.setdefault(held, ThreadPoolExecutor(_threads, thread_name_prefix="portico-threadpool"))
    return pool


def _call(
    loop: asyncio.AbstractEventLoop,
    context: Context,
    func: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> T:
    _caller.loop = loop
    try:
        with _known_to_anyio(loop):
            return context.run(func, *args, **kwargs)
    except StopIteration as error:  # which no future can carry
        raise RuntimeError(f"{func!r} raised StopIteration") from error


def _known_to_anyio(loop: asyncio.AbstractEventLoop) -> AbstractContextManager[None]:
    """Let `anyio.from_thread` find its way from this thread to the loop, if the program has anyio.

    anyio has no public way to say it; where this one goes, its functions raise NoEventLoopError as in any other thread.
    """
    anyio: Any = sys.modules.get("anyio._core._eventloop")
    if anyio is None or not hasattr(anyio, "claim_worker_thread"):
        return nullcontext()
    claimed: AbstractContextManager[None] = anyio.claim_worker_thread(anyio.get_async_backend("asyncio"), loop)
    return claimed


def run_from_thread(func: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call an async function in the event loop that this thread works for, and wait for its result.

    Raises:
        RuntimeError: If this is no thread of `run_in_threadpool`.
    """
    loop: asyncio.AbstractEventLoop | None = getattr(_caller, "loop", None)
    if loop is None:
        raise RuntimeError("run_from_thread() is for functions that run_in_threadpool() has called, such as endpoints")
    return asyncio.run_coroutine_threadsafe(func(*args, **kwargs), loop).result()


async def _ended(work: "Future[Any]", loop: asyncio.AbstractEventLoop) -> None:
    """Wait until no thread runs the call any more, however often this is cancelled meanwhile."""
    ended = asyncio.Event()
    work.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    with _shielded_from_anyio():
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue


def _cancel_later() -> None:
    """Cancel the current task once more in place of the cancellation that has been caught."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
    task.cancel()


def _shielded_from_anyio() -> AbstractContextManager[object]:
    """Keep a cancelled scope of anyio, if the program has it, from cancelling the task in every turn of the loop."""
    anyio: Any = sys.modules.get("anyio")
    shield: AbstractContextManager[object] = nullcontext() if anyio is None else anyio.CancelScope(shield=True)
    return shield


def _carry_back(context: Context) -> None:
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)


async def iterate_in_threadpool(iterator: Iterable[T]) -> AsyncIterator[T]:
    """Yield what a sync iterable gives, each step of it in the thread pool."""
    steps = iter(iterator)
    while (item := await run_in_threadpool(_step, steps)) is not _DONE:
        yield item  # type: ignore[misc]


def _step(steps: Iterator[T]) -> T | object:
    return next(steps, _DONE)


async def run_until_first_complete(*args: tuple[Callable[..., Awaitable[Any]], dict[str, Any]]) -> None:
    """Run async functions side by side until one returns; the others are cancelled. Deprecated."""
    warnings.warn(
        "run_until_first_complete is deprecated and will be removed in a future version.",
        PorticoDeprecationWarning,
        stacklevel=2,
    )
    tasks = [asyncio.ensure_future(func(**kwargs)) for func, kwargs in args]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
