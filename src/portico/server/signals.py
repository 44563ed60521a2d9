"""Signals for the time a server runs: the first SIGINT or SIGTERM stops it gracefully, the second one at once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def caught(loop: asyncio.AbstractEventLoop, handler: Callable[[int], None]) -> Iterator[None]:
    """Have the handler called in the loop for each signal that asks to stop."""
    previous = {number: signal.getsignal(number) for number in STOPPING}

    def from_anywhere(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handler, number)

    try:
        for number in STOPPING:
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
            if before is not None:
                signal.signal(number, before)
