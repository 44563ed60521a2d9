"""What the tests of metrics share: a place on a board, read by the names of what is counted there."""

import time
from collections.abc import Callable
from typing import Any

from portico.server.metrics import board
from portico.server.metrics.board import BUCKETS, CLASSES, METHODS, STATUSES, Board
from portico.server.metrics.census import Census

OFTEN = {"timeout_worker_hang": 0.2}
"""Settings with which the clock beats twenty times a second."""


class Counted:
    """A census of one worker, with what it has counted."""

    def __init__(self) -> None:
        self.board = Board.create()
        self.census = Census(self.board)
        self.place = self.census.enter(1)
        self.cells = self.board.place(self.place)

    def __getattr__(self, name: str) -> int:
        return self.cells[getattr(board, name.upper())]

    @property
    def requests(self) -> dict[str, int]:
        """The requests that were counted, by `GET 2xx` and the like."""
        found = {}
        for row, method in enumerate(METHODS):
            for column, status in enumerate(CLASSES):
                if count := self.cells[STATUSES + row * len(CLASSES) + column]:
                    found[f"{method} {status}"] = count
        return found

    @property
    def timed(self) -> int:
        """How many requests are in the histogram."""
        return sum(self.cells[BUCKETS : BUCKETS + len(board.BOUNDS) + 1])


def until(condition: Callable[[], Any]) -> Any:
    """Return what the condition says once it is true; fail where it does not become so."""
    deadline = time.monotonic() + 10
    while not (value := condition()):
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)
    return value
