"""Signals for the time that a process serves."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGINT and SIGTERM stop gracefully, and at once when they come again; SIGQUIT stops at once.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGQUIT") if hasattr(signal, name))
AT_ONCE = getattr(signal, "SIGQUIT", None)
# They come to workers too: from the terminal, or because the log files were rotated. The supervisor decides what to do.
PASSED_OVER = tuple(getattr(signal, name) for name in ("SIGINT", "SIGHUP", "SIGUSR1") if hasattr(signal, name))


def pass_over() -> set[int]:
    """Do nothing when they come, and let those come that were held; return the set of what has come.

    Ignoring them would be inherited by the programs that the application starts.
    """
    came: set[int] = set()
    for number in PASSED_OVER:
        signal.signal(number, lambda number, frame: came.add(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_OVER)
    return came


@contextmanager
def caught(
    loop: asyncio.AbstractEventLoop,
    handler: Callable[[int], None],
    numbers: Iterable[signal.Signals] = STOPPING,
    *,
    restore: bool = True,
) -> Iterator[None]:
    """Have the handler called in the loop for each of these signals.

    A process that ends with the block need not `restore` the handlers of before: those that ask to stop are ignored
    then, since it does.
    """
    numbers = tuple(numbers)
    previous = {number: signal.getsignal(number) for number in numbers}

    def from_anywhere(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handler, number)

    try:
        for number in numbers:
            try:
                loop.add_signal_handler(number, handler, number)
            except NotImplementedError:  # Windows
                signal.signal(number, from_anywhere)
        yield
    finally:
        for number, before in previous.items():
            try:
                loop.remove_signal_handler(number)
            except NotImplementedError:
                pass
            if not restore:
                signal.signal(number, signal.SIG_IGN)
            elif before is not None:
                signal.signal(number, before)
