"""Working for a client only as long as it is there."""

import asyncio
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any

from portico.asgi import Receive, Scope


def send_fails(scope: Scope) -> bool:
    """Tell whether the server's `send` raises an OSError once the client has gone (ASGI HTTP 2.4)."""
    asgi = scope.get("asgi")
    return asgi is not None and _is_2_4(asgi.get("spec_version", "2.0"))


@lru_cache(maxsize=32)
def _is_2_4(version: str) -> bool:
    major, _, minor = version.partition(".")
    return (int(major), int(minor or 0)) >= (2, 4)


async def while_connected(work: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Do the work, for servers whose `send` does not fail: it is cancelled when the client goes away.

    Nothing listens until the work has to wait for something, so a response that never waits costs no task.

    Returns:
        Whether the work came to its end.
    """
    task = asyncio.current_task()
    assert task is not None
    listener = Listener(task, receive)
    cancelling = task.cancelling()
    start = asyncio.get_running_loop().call_soon(listener.start)
    try:
        await work
    except asyncio.CancelledError:
        # As asyncio.timeout() does: a cancellation that is not this listener's goes on.
        if not listener.gone or task.uncancel() > cancelling:
            raise
    except BaseException:
        if listener.gone:
            task.uncancel()
        raise
    else:
        if listener.gone:  # the work has come to its end in spite of it
            task.uncancel()
    finally:
        start.cancel()
        await listener.stop()
    if listener.error is not None:
        raise listener.error
    return not listener.gone


class Listener:
    """Cancels a task when `receive` says that the client has gone, or fails."""

    __slots__ = ("error", "gone", "receive", "task", "watched")

    def __init__(self, watched: "asyncio.Task[Any]", receive: Receive) -> None:
        self.watched = watched
        self.receive = receive
        self.task: asyncio.Task[None] | None = None
        self.gone = False
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to listen."""
        self.task = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while (await self.receive())["type"] != "http.disconnect":
                pass
        except Exception as error:
            self.error = error
        self.gone = True
        self.watched.cancel()

    async def stop(self) -> None:
        """End the listening, and wait until it has ended."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait((self.task,))
