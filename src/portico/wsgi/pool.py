"""The threads that WSGI applications run in: so many and no more, made as they are needed; work waits in order.

Waking a thread costs more than a quick request does, and those that are awake share one interpreter lock. So while jobs
are quick and one is done after the other, the thread that is awake does them all; more are woken at once where jobs
take their time, and after a moment where the one that was expected to be quick is not.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

Job = Callable[[], object]

QUICK_S = 0.001  # a job that takes less, all waiting included
WEIGHT = 1 / 16  # of the latest job in the average


class Pool:
    """A pool of daemon threads: one that an application never leaves must not keep the process from ending.

    Jobs handle their own errors. They are submitted in an event loop.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._jobs: deque[Job] = deque()
        self._idle: list[threading.Lock] = []  # each one that of a thread that sleeps until it is released
        self._started = 0
        self._average_s = 0.0  # that jobs take
        self._progress = 0.0  # when the latest job was begun
        self._closed = False
        # The loops that will look after the jobs, soon and in a moment.
        self._soon: asyncio.AbstractEventLoop | None = None
        self._later: asyncio.AbstractEventLoop | None = None

    def submit(self, job: Job) -> None:
        """Have a thread call `job`, after those that came before it."""
        self._jobs.append(job)
        loop = asyncio.get_running_loop()
        if self._soon is not loop:
            # What else has just come is submitted before that: one turn for all of it.
            self._soon = loop
            loop.call_soon(self._dispatch, loop)

    def _dispatch(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that there are threads for the jobs."""
        self._soon = None
        if self._average_s >= QUICK_S:
            self._wake(len(self._jobs))
            return
        if self._started == len(self._idle) or monotonic() - self._progress >= QUICK_S:
            self._wake(1)
        if self._later is not loop:
            self._later = loop
            loop.call_later(QUICK_S, self._look_after)

    def _look_after(self) -> None:
        """Wake threads for the jobs that nobody has taken."""
        self._later = None
        self._wake(len(self._jobs))

    def close(self) -> None:
        """Let the threads end when they have done what was submitted."""
        self._closed = True
        self._wake(len(self._idle))

    def _wake(self, count: int) -> None:
        """Wake so many threads, or make them, as far as there may be so many."""
        for _ in range(min(count, self.threads)):
            try:
                lock = self._idle.pop()
            except IndexError:
                if self._started == self.threads:
                    return
                self._started += 1
                name = f"portico-wsgi-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            else:
                lock.release()

    def _work(self) -> None:
        jobs, idle = self._jobs, self._idle
        lock = threading.Lock()
        lock.acquire()
        while True:
            try:
                job = jobs.popleft()
            except IndexError:
                if self._closed:
                    return
                idle.append(lock)
                # Either this thread sees a job that came meanwhile, or who brought it sees this thread idle.
                if jobs:
                    try:
                        idle.remove(lock)
                    except ValueError:
                        lock.acquire()
                else:
                    lock.acquire()
                continue
            began = self._progress = monotonic()
            job()
            del job  # and what it holds, while this thread waits for the next one
            self._average_s += (monotonic() - began - self._average_s) * WEIGHT
