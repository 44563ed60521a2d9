"""What the supervisor knows of one worker, and how it reaches it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Protocol

from portico.server.processes.channel import Channel
from portico.server.processes.limits import Limits

STARTING_S = 5.0  # for a worker that is still starting to give that up
STARTING, SERVING, DRAINING, GONE = "starting", "serving", "draining", "gone"


class Process(Protocol):
    """A process: a child of ours, or of the template."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, once it has ended."""

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""


class Child:
    """A worker as the supervisor sees it: `starting`, then `serving`, `draining` and `gone`.

    Args:
        number: The worker's number, from 1.
        place: Its place on the board.
        channel: The supervisor's end of it.
        dump: Descriptor of the file for its stacks.
        limits: What it may serve before it is replaced.
        changed: Called when its state has changed.
    """

    def __init__(
        self,
        number: int,
        place: int,
        channel: Channel,
        dump: int,
        limits: Limits,
        changed: Callable[["Child"], None],
    ) -> None:
        self.number = number
        self.place = place
        self.channel = channel
        self.dump = dump
        self.limits = limits
        self.process: Process | None = None
        self.state = STARTING
        self.failure: str | None = None  # what it said of itself before it ended
        self.status: int | None = None
        self.reason = ""  # why it was told to stop, or killed
        self.condemned = False  # it is about to be killed
        self.started_at = time.monotonic()
        self.ready_at = 0.0
        self.kill_at = 0.0  # when it is killed, if it is there still; 0 is never
        self.inspect_at = 0.0  # when it may be looked at again for what does not hurry
        self.settled = asyncio.Event()  # it is serving, or gone
        self.gone = asyncio.Event()
        self._changed = changed

    @property
    def pid(self) -> int:
        """The number of its process; 0 before it was started."""
        return self.process.pid if self.process is not None else 0

    def listen(self) -> None:
        """Take what the worker says."""
        for message in self.channel.take():
            if message.get("ready") and self.state == STARTING:
                self.ready_at = time.monotonic()
                self._become(SERVING)
                self.settled.set()
            elif "failed" in message:
                self.failure = str(message["failed"])

    def reap(self) -> None:
        """Look whether the process has ended."""
        if self.state == GONE or self.process is None:
            return
        status = self.process.poll()
        if status is None:
            return
        self.listen()  # its last words
        self.status = status
        self.settled.set()
        self.gone.set()
        try:
            self._become(GONE)
        finally:
            self.channel.close()
            os.close(self.dump)

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.process is not None and self.state != GONE:
            try:
                self.process.send_signal(number)
            except (ProcessLookupError, PermissionError):
                pass

    def stop(self, reason: str, within_s: float, *, replaced: bool) -> None:
        """Ask it to finish what it does and to end, and kill it after so many seconds.

        One that is `replaced` need not wait until load balancers have noticed: the server goes on.
        """
        if self.state in (STARTING, SERVING):
            self.reason = reason
            starting = self.state == STARTING  # it has nothing to finish
            self.kill_at = time.monotonic() + (STARTING_S if starting else within_s)
            # The application may have taken the signal for itself.
            if not starting:
                self.channel.say(stop=True, delay=not replaced)
            if starting or not replaced:
                self.signal(signal.SIGTERM)
            self._become(DRAINING)

    def kill(self, reason: str) -> None:
        """End it at once."""
        self.reason = self.reason or reason
        self.signal(signal.SIGKILL)

    def describe_end(self) -> str:
        """Return how it has ended, in words."""
        if self.failure is not None:
            return self.failure
        status = self.status
        if status is None:
            return "ended"
        if status < 0:
            try:
                return f"was ended by {signal.Signals(-status).name}"
            except ValueError:
                return f"was ended by signal {-status}"
        return f"ended with exit status {status}"

    def _become(self, state: str) -> None:
        self.state = state
        self._changed(self)


def reap_orphans(own: set[int]) -> None:
    """Reap what other processes have left to this one, the first of a container; who has its own waits for them."""
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
        if ended.si_pid in own:
            return  # it is asked for its status in its turn
        os.waitpid(ended.si_pid, os.WNOHANG)
