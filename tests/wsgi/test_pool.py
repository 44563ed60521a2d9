"""The pool: how many threads, in which order, and when they are made."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable

from portico.wsgi import pool as pools
from portico.wsgi.pool import Pool


def run(pool: Pool, count: int, job: Callable[[int], object]) -> None:
    """Submit jobs at once and wait until all are done."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Semaphore(0)

        def working(number: int) -> None:
            job(number)
            loop.call_soon_threadsafe(done.release)

        for number in range(count):
            pool.submit(lambda number=number: working(number))  # type: ignore[misc]
        for _ in range(count):
            await done.acquire()

    asyncio.run(asyncio.wait_for(main(), 10))


def test_quick_jobs_are_done_in_order_by_few_threads() -> None:
    order: list[int] = []
    run(Pool(1), 100, order.append)
    assert order == list(range(100))


def test_there_are_never_more_threads_than_allowed() -> None:
    names: set[str] = set()
    barrier = threading.Barrier(3, timeout=10)

    def job(number: int) -> None:
        names.add(threading.current_thread().name)
        barrier.wait()

    pool = Pool(3)
    for _ in range(3):
        run(pool, 9, job)
    assert len(names) == 3


def test_a_job_that_blocks_does_not_hold_up_those_after_it() -> None:
    go = threading.Event()

    def job(number: int) -> None:
        if number == 0:
            assert go.wait(10)
        elif number == 50:
            go.set()

    run(Pool(2), 100, job)


def test_when_jobs_take_their_time_all_threads_are_woken_at_once() -> None:
    barrier = threading.Barrier(4, timeout=10)
    pool = Pool(4)
    pool._average_s = pools.QUICK_S
    run(pool, 4, lambda number: barrier.wait())


def test_several_loops_may_use_it() -> None:
    pool = Pool(2)
    for _ in range(3):
        run(pool, 3, lambda number: None)


def test_threads_end_when_the_pool_is_closed() -> None:
    pool = Pool(3)
    threads: set[threading.Thread] = set()
    barrier = threading.Barrier(3, timeout=10)

    def job(number: int) -> None:
        threads.add(threading.current_thread())
        barrier.wait()

    run(pool, 3, job)
    assert all(thread.daemon for thread in threads)
    pool.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_a_sleeping_thread_keeps_nothing_of_the_last_job() -> None:
    class Payload:
        pass

    payload = Payload()
    gone = weakref.ref(payload)
    pool = Pool(1)

    def job(number: int, payload: Payload = payload) -> None:
        assert payload

    run(pool, 1, job)
    del job, payload
    run(pool, 1, lambda number: None)
    gc.collect()
    assert gone() is None
