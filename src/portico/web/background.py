"""Background tasks: what runs after the response has been sent."""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from portico.web.concurrency import is_async_callable, run_in_threadpool

P = ParamSpec("P")


class BackgroundTask:
    """A call to make after the response; a function that is not async runs in the thread pool."""

    def __init__(self, func: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        if not callable(func):
            raise TypeError(
                f"a background task takes a function and its arguments, got {func!r}: give it the function itself, "
                "without calling it"
            )
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.is_async = is_async_callable(func)

    async def __call__(self) -> None:
        if self.is_async:
            await self.func(*self.args, **self.kwargs)
        else:
            await run_in_threadpool(self.func, *self.args, **self.kwargs)


class BackgroundTasks(BackgroundTask):
    """Calls to make after the response, one after the other; one that fails ends the rest."""

    def __init__(self, tasks: Sequence[BackgroundTask] | None = None) -> None:
        self.tasks = list(tasks) if tasks else []

    def add_task(self, func: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add a call after those that are there."""
        self.tasks.append(BackgroundTask(func, *args, **kwargs))

    async def __call__(self) -> None:
        for task in self.tasks:
            await task()
