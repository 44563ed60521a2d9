"""What happens to an application when the test has left: it is told, has a moment to end, and is cancelled then."""

import asyncio
from collections.abc import Callable

from portico.asgi import ClientDisconnected

UNTOLD_S = 0.1  # for an application that has not looked
TOLD_S = 1.0  # for one that knows, and may be cleaning up


class Bell:
    """Wake all who wait for something to change. They look again whether it is what they wait for."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def next_ring(self) -> "asyncio.Future[None]":
        """Return what is done when the bell rings."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def ring(self) -> None:
        """Wake those who wait."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


async def ended(task: "asyncio.Task[None]", is_told: Callable[[], bool]) -> None:
    """Wait for the application to end by itself, and cancel it if it does not."""
    if not task.done():
        await asyncio.wait((task,), timeout=UNTOLD_S)
    if not task.done() and is_told():
        await asyncio.wait((task,), timeout=TOLD_S)
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=TOLD_S)


def is_from_leaving(error: BaseException) -> bool:
    """Tell whether the application failed only because it could not send to a test that had left."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, ClientDisconnected):
            return True
        if isinstance(link, BaseExceptionGroup):
            return all(is_from_leaving(part) for part in link.exceptions)
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False
