"""The board: memory that the workers and their supervisor share, with a place for each worker.

Only the worker writes in its place, and whole aligned numbers, so nobody needs a lock: a reader sees each number as it
was before or after a request. The supervisor clears a place before it gives it to the next worker.
"""

import mmap
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PLACES = 1024
# The cells of a place: first the gauges. HEARTBEAT is in nanoseconds of `time.monotonic()`, which is the same clock in
# all processes, STARTED in those of `time.time()`, LAG in nanoseconds, RSS in bytes.
# ACCEPTING is the worker's connections plus one while it accepts, and 0 while it does not.
PID, STARTED, HEARTBEAT, LAG, RSS, IN_FLIGHT, CONNECTIONS, WEBSOCKETS, ACCEPTING = range(9)
# From TOTALS on the counters; DURATION is the nanoseconds of all requests together.
CONNECTIONS_TOTAL, WEBSOCKETS_TOTAL, RECEIVED, SENT, CUT_BY_PEER, CUT_BY_APPLICATION, DURATION = range(9, 16)
TOTALS = CONNECTIONS_TOTAL
BUCKETS = 16  # where the histogram of durations begins
STATUSES = 48  # where the requests by method and class of status begin
CELLS = 128
PLACE_BYTES = CELLS * 8

# The upper bounds of the histogram, in seconds; one more bucket has what took longer.
BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER")
CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")  # none: the peer had gone before there was an answer


class Board:
    """Shared memory of `PLACES` places; `fd` is what a process that is started has to inherit."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, PLACES * PLACE_BYTES)
        self._cells = memoryview(self._map).cast("q")

    @classmethod
    def create(cls) -> "Board":
        """Return a new board, all zeros, that takes memory only for the places in use."""
        fd = anonymous_file("portico-board")
        os.ftruncate(fd, PLACES * PLACE_BYTES)
        if hasattr(fcntl, "F_ADD_SEALS"):
            # A worker that made it shorter would end all the others, and the supervisor, when they look at it.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(fd)

    def place(self, number: int) -> memoryview:
        """Return the cells of a place: `CELLS` signed numbers of 64 bits."""
        return self._cells[number * CELLS : (number + 1) * CELLS]


def anonymous_file(name: str) -> int:
    """Return the descriptor of a new file without a name in any directory; on Linux it is memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
