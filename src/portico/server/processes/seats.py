"""A seat is one of the workers that there have to be: whoever sits there may die or be replaced, the seat is kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from portico.asgi import PorticoError
from portico.server.logs import logger
from portico.server.processes.children import GONE, SERVING, Child

# Seconds before the next start, by how many workers in a row have not come up, or have died soon after the first that
# did. One that has served for a while is replaced at once.
DELAYS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
SOON_S = 10.0


class Seat:
    """One worker's place among the others.

    Args:
        number: From 1; its workers are called by it.
        start: Starts a worker for it.
        waits_for_change: A worker that cannot start is not tried again before `retry` is called.
        goes_on: Set once it is known that there is a point in trying again.
        died: Called when its worker has ended without having been told to.
    """

    def __init__(
        self,
        number: int,
        start: Callable[[int], Awaitable[Child]],
        *,
        waits_for_change: bool,
        goes_on: asyncio.Event,
        died: Callable[[Child], None],
    ) -> None:
        self.number = number
        self.child: Child | None = None
        self.next: Child | None = None  # started to replace it, and not serving yet
        self.tried = asyncio.Event()  # its first worker serves, or has failed
        self._start = start
        self._waits_for_change = waits_for_change
        self._goes_on = goes_on
        self._died = died
        self._failures = 0  # starts in a row
        self._soon = 0  # deaths in a row, soon after the start
        self._retry = asyncio.Event()

    async def keep(self) -> None:
        """Have a worker here until cancelled."""
        while True:
            child = self.child
            if self.next is not None and (child is None or child.state == GONE):
                await self.next.settled.wait()
                await asyncio.sleep(0)  # whoever replaces looks first
                continue
            if child is None:
                await self._fill()
                continue
            await child.gone.wait()
            if self.child is child:
                self.child = None
                self._mourn(child)

    async def replace(self, reason: str, drain_s: float) -> bool:
        """Start a worker, and once it serves tell the old one to end; where it does not come up, nothing changes."""
        fresh = self.next = await self._begin()
        if fresh is None:
            return False
        try:
            await fresh.settled.wait()
            if fresh.state != SERVING:
                logger.error("Worker %d [%s]: %s", self.number, fresh.pid, fresh.describe_end())
                return False
            old, self.child = self.child, fresh
            if old is not None:
                old.stop(reason, drain_s, replaced=True)
            self.retry()
            return True
        finally:
            self.next = None

    def retry(self) -> None:
        """Try at once what has failed."""
        self._failures = self._soon = 0
        self._retry.set()

    def children(self) -> list[Child]:
        """Return who sits here, and who is about to."""
        return [child for child in (self.child, self.next) if child is not None]

    async def _fill(self) -> None:
        await self._wait()
        self._retry.clear()
        if self.child is not None or self.next is not None:
            return  # it was replaced meanwhile
        child = await self._begin()
        if child is None:
            self._failures += 1
            self.tried.set()
            return
        if self.child is not None or self.next is not None:
            child.stop("reload", 0.0, replaced=True)
            return
        self.child = child
        await child.settled.wait()
        if child.state == SERVING:
            self._failures = 0
        elif self.child is child and child.state == GONE:
            self.child = None
            self._failures += 1
            logger.error("Worker %d [%s] has not started: %s", self.number, child.pid, child.describe_end())
        self.tried.set()

    async def _begin(self) -> Child | None:
        """Start a worker; None where that is not possible now, for whatever reason."""
        try:
            return await self._start(self.number)
        except (PorticoError, OSError) as error:
            logger.error("Worker %d cannot be started: %s", self.number, error)
        except Exception:
            logger.exception("Worker %d cannot be started", self.number)
        return None

    async def _wait(self) -> None:
        """Wait before the next start if the last ones have failed."""
        if self._failures:
            await self._goes_on.wait()
        delay = DELAYS_S[min(max(self._failures, self._soon - 1, 0), len(DELAYS_S) - 1)]
        if not delay:
            return
        mended = self._waits_for_change and self._failures > 0
        if mended:
            logger.info("Waiting for a change")
        else:
            logger.info("Worker %d is started again in %g s", self.number, delay)
        try:
            async with asyncio.timeout(None if mended else delay):
                await self._retry.wait()
        except TimeoutError:
            pass

    def _mourn(self, child: Child) -> None:
        """Its worker has ended while it served."""
        self._died(child)
        self._soon = self._soon + 1 if time.monotonic() - child.ready_at < SOON_S else 0
