"""The few threads in which files are looked at and read, apart from those that applications block."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8

_pool: "ThreadPoolExecutor | None" = None


def submit(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    """Let a thread call the function."""
    global _pool
    if _pool is None:
        from concurrent.futures import ThreadPoolExecutor

        _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="portico-files")
    return _pool.submit(func, *args, **kwargs)


async def in_thread(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the function in a thread and return its result; one that is cancelled is no longer waited for."""
    return await asyncio.wrap_future(submit(func, *args, **kwargs))
