"""The threads that WSGI applications run in: so many and no more, made as they are needed; work waits in order."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], object]


class Pool:
    """A pool of daemon threads: one that an application never leaves must not keep the process from ending.

    Jobs handle their own errors.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._left = 0  # jobs that are waiting or running

    def submit(self, job: Job) -> None:
        """Have a thread call `job`, after those that came before it."""
        with self._lock:
            self._left += 1
            grows = self._started < min(self._left, self.threads)
            if grows:
                self._started += 1
                name = f"portico-wsgi-{self._started}"
        self._jobs.put(job)
        if grows:
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def close(self) -> None:
        """Let the threads end when they have done what was submitted."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        jobs, lock = self._jobs, self._lock
        while (job := jobs.get()) is not None:
            job()
            del job  # and what it holds, while this thread waits for the next one
            with lock:
                self._left -= 1
