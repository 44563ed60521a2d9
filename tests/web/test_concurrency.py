"""The thread pool: bounded, transparent for context variables, and nothing is torn down under a running call."""

import asyncio
import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal
from unittest.mock import AsyncMock

import anyio.from_thread
import pytest

from portico.web import concurrency
from portico.web.concurrency import (
    contextmanager_in_threadpool,
    is_async_callable,
    iterate_in_threadpool,
    run_from_thread,
    run_in_threadpool,
    set_threads,
)

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.fixture(autouse=True)
def _own_pool() -> Iterator[None]:
    yield
    set_threads(concurrency.DEFAULT_THREADS)


def test_a_call_runs_in_another_thread_and_returns_its_result() -> None:
    async def main() -> None:
        assert await run_in_threadpool(threading.get_ident) != threading.get_ident()
        assert await run_in_threadpool(divmod, 7, 2) == (3, 1)

    asyncio.run(main())


def test_context_variables_pass_both_ways() -> None:
    def call() -> str:
        seen = variable.get()
        variable.set("from the thread")
        return seen

    async def main() -> None:
        variable.set("from the loop")
        assert await run_in_threadpool(call) == "from the loop"
        assert variable.get() == "from the thread"

    asyncio.run(main())


def test_what_a_failing_call_has_set_is_seen_too() -> None:
    def call() -> None:
        variable.set("before the failure")
        raise KeyError("x")

    async def main() -> None:
        with pytest.raises(KeyError):
            await run_in_threadpool(call)
        assert variable.get() == "before the failure"

    asyncio.run(main())


def test_stop_iteration_becomes_an_error_that_a_coroutine_can_raise() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await run_in_threadpool(next, iter(()))

    asyncio.run(main())


def test_no_more_calls_run_at_once_than_there_are_threads() -> None:
    set_threads(2)
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()
    two = threading.Barrier(2, timeout=5)

    def call() -> None:
        with lock:
            running.append(1)
            most.append(len(running))
        two.wait()
        with lock:
            running.pop()

    async def main() -> None:
        await asyncio.gather(*(run_in_threadpool(call) for _ in range(6)))

    asyncio.run(main())
    assert max(most) == 2


@pytest.mark.parametrize("count", [0, -1])
def test_a_pool_without_threads_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        set_threads(count)


class Slow:
    """A call that goes on until it is told to end, and what it then does."""

    def __init__(self, outcome: object) -> None:
        self.started, self.go_on = threading.Event(), threading.Event()
        self.outcome = outcome

    def __call__(self) -> object:
        self.started.set()
        assert self.go_on.wait(5)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_a_cancellation_waits_for_the_call_that_is_running_and_loses_nothing() -> None:
    slow = Slow("opened")
    seen: list[object] = []

    async def caller() -> None:
        seen.append(await run_in_threadpool(slow))
        await asyncio.sleep(0)
        seen.append("never")

    async def main() -> None:
        task = asyncio.create_task(caller())
        await asyncio.to_thread(slow.started.wait, 5)
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=0)
        assert not done
        slow.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["opened"]

    asyncio.run(main())


def test_a_timeout_around_a_call_is_a_timeout() -> None:
    slow = Slow("done")

    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            assert await run_in_threadpool(slow) == "done"
            await asyncio.sleep(5)

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.05, slow.go_on.set)
        with pytest.raises(TimeoutError):
            await impatient()

    asyncio.run(main())


def test_what_a_call_raises_after_the_cancellation_is_its_cause() -> None:
    slow = Slow(KeyError("x"))

    async def main() -> None:
        task = asyncio.create_task(run_in_threadpool(slow))
        await asyncio.to_thread(slow.started.wait, 5)
        task.cancel()
        asyncio.get_running_loop().call_soon(slow.go_on.set)
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert task.cancelled()

    asyncio.run(main())


def test_a_cancelled_scope_of_anyio_lets_the_loop_rest_while_the_call_ends() -> None:
    started, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []

    def call() -> None:
        started.set()
        assert go_on.wait(5)
        ended.append(True)

    async def main() -> None:
        async def use() -> None:
            with scope:
                await run_in_threadpool(call)

        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(use)
            await asyncio.to_thread(started.wait, 5)
            scope.cancel()
            await anyio.wait_all_tasks_blocked()  # which does not return while somebody is cancelled again and again
            assert ended == []
            go_on.set()
        assert ended == [True]

    asyncio.run(main())


def test_a_call_that_has_not_begun_is_not_waited_for() -> None:
    set_threads(1)
    go_on = threading.Event()
    called: list[bool] = []

    async def main() -> None:
        first = asyncio.create_task(run_in_threadpool(go_on.wait, 5))
        second = asyncio.create_task(run_in_threadpool(called.append, True))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        await first

    asyncio.run(main())
    assert called == []


def test_an_iterable_is_stepped_in_threads() -> None:
    threads: set[int] = set()

    def numbers() -> Iterator[int]:
        for number in range(3):
            threads.add(threading.get_ident())
            yield number

    async def main() -> None:
        assert [number async for number in iterate_in_threadpool(numbers())] == [0, 1, 2]

    asyncio.run(main())
    assert threading.get_ident() not in threads


def test_async_callables_are_told_from_others() -> None:
    async def function() -> None: ...

    class AsyncCall:
        async def __call__(self) -> None: ...

    class SyncCall:
        def __call__(self) -> None: ...

    yes = (
        function,
        functools.partial(functools.partial(function)),
        AsyncCall(),
        AsyncMock(),
        functools.partial(AsyncCall()),
    )
    assert all(map(is_async_callable, yes))
    assert not any(map(is_async_callable, (print, SyncCall(), AsyncCall, functools.partial(print))))


def test_a_thread_can_call_back_into_its_loop() -> None:
    async def in_the_loop(number: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return number, threading.get_ident()

    async def main() -> None:
        assert await run_in_threadpool(run_from_thread, in_the_loop, 5) == (5, threading.get_ident())

    asyncio.run(main())


def test_a_thread_of_somebody_else_cannot() -> None:
    async def never() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="run_in_threadpool"):
        run_from_thread(never)


def test_a_thread_can_call_back_by_way_of_anyio_as_well() -> None:
    async def in_the_loop(number: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return number, threading.get_ident()

    async def main() -> None:
        here = threading.get_ident()
        assert await run_in_threadpool(anyio.from_thread.run, in_the_loop, 5) == (5, here)
        assert await run_in_threadpool(anyio.from_thread.run_sync, threading.get_ident) == here

    asyncio.run(main())


class Noted:
    """A context manager that notes what happens to it."""

    def __init__(self, exit_with: object = None) -> None:
        self.seen: list[object] = []
        self.exit_with = exit_with

    def __enter__(self) -> str:
        self.seen.append(threading.get_ident())
        return "value"

    def __exit__(self, kind: object, error: object, traceback: object) -> bool:
        self.seen += [threading.get_ident(), error]
        if isinstance(self.exit_with, BaseException):
            raise self.exit_with
        return bool(self.exit_with)


def test_a_context_manager_is_entered_and_exited_in_threads() -> None:
    noted = Noted()

    async def main() -> None:
        async with contextmanager_in_threadpool(noted) as value:
            assert value == "value"

    asyncio.run(main())
    entered, exited, error = noted.seen
    assert threading.get_ident() not in (entered, exited)
    assert error is None


def test_a_context_manager_in_threads_may_swallow_the_error_or_raise_another() -> None:
    async def fail_inside(noted: Noted) -> None:
        async with contextmanager_in_threadpool(noted):
            raise KeyError("inside")

    async def main() -> None:
        await fail_inside(Noted(exit_with=True))
        with pytest.raises(KeyError):
            await fail_inside(Noted())
        with pytest.raises(OSError, match="at the exit"):
            await fail_inside(Noted(exit_with=OSError("at the exit")))

    asyncio.run(main())


def test_an_exit_does_not_wait_for_a_thread_of_the_pool() -> None:
    set_threads(1)
    noted = Noted()
    release = threading.Event()

    async def main() -> None:
        async with contextmanager_in_threadpool(noted):
            busy = asyncio.ensure_future(run_in_threadpool(release.wait, 5))
            await asyncio.sleep(0)
        assert len(noted.seen) == 3
        release.set()
        assert await busy

    asyncio.run(main())


def test_a_context_manager_is_exited_though_its_task_is_cancelled_meanwhile() -> None:
    noted = Noted()
    leaving, go = threading.Event(), threading.Event()

    class Slow(Noted):
        def __exit__(self, kind: object, error: object, traceback: object) -> Literal[False]:
            leaving.set()
            assert go.wait(5)
            noted.seen.append("exited")
            return False

    async def use() -> None:
        async with contextmanager_in_threadpool(Slow()):
            pass
        await asyncio.sleep(0)
        noted.seen.append("not cancelled")

    async def main() -> None:
        task = asyncio.ensure_future(use())
        await run_in_threadpool(leaving.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert noted.seen == ["exited"]


def test_an_exit_that_fails_while_its_task_is_cancelled_is_the_cause_of_the_cancellation() -> None:
    leaving, go = threading.Event(), threading.Event()

    class Failing(Noted):
        def __exit__(self, kind: object, error: object, traceback: object) -> bool:
            leaving.set()
            assert go.wait(5)
            raise OSError("at the exit")

    causes = []

    async def use() -> None:
        try:
            async with contextmanager_in_threadpool(Failing()):
                pass
        except asyncio.CancelledError as cancelled:
            causes.append(cancelled.__cause__)
            raise

    async def main() -> None:
        task = asyncio.ensure_future(use())
        await run_in_threadpool(leaving.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [str(cause) for cause in causes] == ["at the exit"]


def test_context_variables_pass_through_entering_and_exiting() -> None:
    @contextmanager
    def setting() -> Iterator[None]:
        variable.set("entered")
        yield
        variable.set(variable.get() + ", exited")

    async def main() -> None:
        async with contextmanager_in_threadpool(setting()):
            assert variable.get() == "entered"
            variable.set("inside")
        assert variable.get() == "inside, exited"

    asyncio.run(main())
