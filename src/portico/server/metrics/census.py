"""The census: who has which place on the board, and the sums of all, of those who have gone too."""

import time
from collections import Counter

from portico.asgi import PorticoError
from portico.server.metrics.board import (
    CELLS,
    CLASSES,
    HEARTBEAT,
    METHODS,
    PLACES,
    RSS,
    STATUSES,
    TOTALS,
    Board,
)

STATES = ("starting", "serving", "draining")
REASONS = ("death", "hang", "lifetime", "memory", "reload", "requests")
STATUSES_END = STATUSES + len(METHODS) * len(CLASSES)


class Holder:
    """Who has a place: the number of the worker, and what it is doing."""

    __slots__ = ("number", "order", "state")

    def __init__(self, number: int, order: int) -> None:
        self.number = number
        self.order = order  # of the entries
        self.state = "starting"


class Census:
    """The places of one board. Only the supervisor has one, since it alone gives places to workers."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.started = time.time()
        self.holders: dict[int, Holder] = {}
        self.restarts = Counter(dict.fromkeys(REASONS, 0))
        self._entries = 0
        self._gone = [0] * CELLS

    def enter(self, number: int) -> int:
        """Return a free place, cleared, for the worker of this number, which is starting.

        Raises:
            PorticoError: if there is none.
        """
        place = next((place for place in range(PLACES) if place not in self.holders), None)
        if place is None:
            raise PorticoError(f"there are {PLACES} workers already, those that are being replaced among them")
        self._clear(place)
        self._entries += 1
        self.holders[place] = Holder(number, self._entries)
        return place

    def leave(self, place: int) -> None:
        """Free the place of a worker that has ended, however it did; what it has counted stays in the sums."""
        if self.holders.pop(place, None) is not None:
            for cell, number in enumerate(self.board.place(place)[TOTALS:], TOTALS):
                self._gone[cell] += number
            self._clear(place)

    def _clear(self, place: int) -> None:
        self.board.place(place)[:] = memoryview(bytes(CELLS * 8)).cast("q")

    def set_state(self, place: int, state: str) -> None:
        """Say what a worker is doing: one of `STATES`."""
        if state not in STATES:
            raise ValueError(f"a worker is {', '.join(STATES)}, not {state!r}")
        self.holders[place].state = state

    def count_restart(self, reason: str) -> None:
        """Count a worker that was replaced; the usual reasons are `REASONS`."""
        self.restarts[reason] += 1

    def heartbeat(self, place: int) -> float:
        """Return when the worker's loop was last alive, as `time.monotonic()` has it; 0 before the first time."""
        return self.board.place(place)[HEARTBEAT] / 1e9

    def rss(self, place: int) -> int:
        """Return the bytes of memory that the worker has, about a second old."""
        return self.board.place(place)[RSS]

    def requests(self, place: int) -> int:
        """Return how many requests the worker has ended."""
        return sum(self.board.place(place)[STATUSES:STATUSES_END])

    def totals(self) -> list[int]:
        """Return the sums of all cells: of what only grows, those who have gone are part."""
        sums = list(self._gone)
        for place in self.holders:
            for cell, number in enumerate(self.board.place(place)):
                sums[cell] += number
        return sums

    def count_states(self) -> dict[str, int]:
        """Return how many workers are in each state."""
        found = Counter(holder.state for holder in self.holders.values())
        return {state: found[state] for state in STATES}

    def seats(self) -> dict[int, int]:
        """Return the place that counts for each number of a worker: while one is replaced, that of who is serving."""
        chosen: dict[int, int] = {}
        for place in sorted(self.holders, key=self._weight):
            chosen[self.holders[place].number] = place
        return dict(sorted(chosen.items()))

    def _weight(self, place: int) -> tuple[bool, int]:
        holder = self.holders[place]
        return holder.state == "serving", holder.order
