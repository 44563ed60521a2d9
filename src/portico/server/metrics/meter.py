"""The meter: what a worker counts of what it serves, in its place on the board.

Nothing here locks, allocates for long or waits: a request costs two looks at the clock and four additions.
"""

import os
import time

from portico.server.metrics.board import (
    BOUNDS,
    BUCKETS,
    CELLS,
    CLASSES,
    CONNECTIONS,
    CONNECTIONS_TOTAL,
    CUT_BY_APPLICATION,
    CUT_BY_PEER,
    DURATION,
    HEARTBEAT,
    IN_FLIGHT,
    LAG,
    METHODS,
    PID,
    RECEIVED,
    RSS,
    SENT,
    STARTED,
    STATUSES,
    WEBSOCKETS,
    WEBSOCKETS_TOTAL,
)

LAG_WINDOW_S = 10.0
RSS_INTERVAL_S = 1.0
BOUNDS_NS = tuple([int(bound * 1e9) for bound in BOUNDS])
# Where the requests of a method are counted, by class of status.
ROWS = {method: STATUSES + number * len(CLASSES) for number, method in enumerate(METHODS)}
OTHER = ROWS["OTHER"]
# Under its own name Cython would take `int` for the Python type, and refuse the C type that meter.pxd gives.
Number = int


class Meter:
    """Counts for one worker; the numbers that are so "now" are as of the last beat of its clock."""

    __slots__ = ("cells", "lag", "lag_before", "lag_until", "rss_at")

    def __init__(self, cells: memoryview | None) -> None:
        """Prepare to count; without cells, for nobody."""
        if cells is None:
            cells = memoryview(bytearray(CELLS * 8)).cast("q")
        self.cells = cells
        self.lag = self.lag_before = 0.0  # the largest of this window and of the one before
        self.lag_until = 0.0
        self.rss_at = 0.0
        cells[PID] = os.getpid()
        cells[STARTED] = time.time_ns()

    def beat(self, now: float, late: float, in_flight: Number, connections: Number) -> None:
        """Say that the loop is alive.

        Args:
            now: The time, as `time.monotonic()` has it.
            late: Seconds between the time that was asked for and now.
            in_flight: Requests whose application runs.
            connections: Open connections.
        """
        cells = self.cells
        cells[HEARTBEAT] = int(now * 1e9)
        cells[IN_FLIGHT] = in_flight
        cells[CONNECTIONS] = connections
        if now >= self.lag_until:
            self.lag_until = now + LAG_WINDOW_S
            self.lag_before = self.lag
            self.lag = 0.0
        if late > self.lag:
            self.lag = late
        cells[LAG] = int(max(self.lag, self.lag_before) * 1e9)
        if now >= self.rss_at:
            self.rss_at = now + RSS_INTERVAL_S
            cells[RSS] = resident_bytes()

    def count(self, method: str, status: Number, started: Number) -> None:
        """Count a request that the application was called for; `started` was read from `time.perf_counter_ns()`."""
        elapsed = time.perf_counter_ns() - started
        bucket = BUCKETS
        for bound in BOUNDS_NS:
            if elapsed <= bound:
                break
            bucket += 1
        self.cells[bucket] += 1
        self.cells[DURATION] += elapsed
        self.count_status(method, status)

    def count_status(self, method: str, status: Number) -> None:
        """Count a request that was answered without the application; a method that was not read is empty."""
        found = ROWS.get(method)
        cell = OTHER if found is None else found
        if 100 <= status < 600:
            cell += status // 100
        self.cells[cell] += 1

    def count_cut(self, by_application: bool) -> None:
        """Count a response that was broken off."""
        self.cells[CUT_BY_APPLICATION if by_application else CUT_BY_PEER] += 1

    def receive(self, size: Number) -> None:
        """Count bytes that have come."""
        self.cells[RECEIVED] += size

    def send(self, size: Number) -> None:
        """Count bytes that were handed over to be sent."""
        self.cells[SENT] += size

    def open_connection(self) -> None:
        """Count a connection."""
        self.cells[CONNECTIONS_TOTAL] += 1

    def open_websocket(self) -> None:
        """Count a WebSocket that was accepted."""
        self.cells[WEBSOCKETS] += 1
        self.cells[WEBSOCKETS_TOTAL] += 1

    def close_websocket(self) -> None:
        """A WebSocket that was counted has ended."""
        self.cells[WEBSOCKETS] -= 1


def resident_bytes() -> int:
    """Return the memory that this process has in use; where that cannot be asked, the most that it ever had; else 0."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if os.uname().sysname == "Darwin" else most * 1024
