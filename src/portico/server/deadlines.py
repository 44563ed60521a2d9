"""Deadlines without timers: one coarse wheel per worker, swept once a tick.

Setting a deadline is one comparison on the hot path; the sweep finds an item that was put off meanwhile and moves it.
"""

from typing import Protocol

NEVER = 1e18


class Timed(Protocol):
    """Something with a deadline; `slot` belongs to the wheel and begins at -1."""

    slot: int

    def check_deadline(self, now: float) -> float:
        """Act on a deadline that has passed; return the next one, or NEVER."""


class Deadlines:
    """A wheel of one slot per tick."""

    __slots__ = ("next_slot", "slots", "tick")

    def __init__(self, tick: float, now: float) -> None:
        self.tick = tick  # seconds
        self.slots: dict[int, set[Timed]] = {}
        self.next_slot = int(now / tick)

    def schedule(self, item: Timed, deadline: float) -> None:
        """Have the item checked at the first sweep at or after the deadline, unless it is checked before anyway."""
        slot = max(int(deadline / self.tick) + 1, self.next_slot)
        if item.slot >= 0:
            if item.slot <= slot:
                return
            self.forget(item)
        item.slot = slot
        items = self.slots.get(slot)
        if items is None:
            items = self.slots[slot] = set()
        items.add(item)

    def forget(self, item: Timed) -> None:
        """Take the item off the wheel."""
        items = self.slots.get(item.slot)
        if items is not None:
            items.discard(item)
        item.slot = -1

    def sweep(self, now: float) -> None:
        """Check every item whose slot has come."""
        last = int(now / self.tick)
        while self.next_slot <= last:
            items = self.slots.pop(self.next_slot, None)
            self.next_slot += 1
            for item in items or ():
                item.slot = -1
                deadline = item.check_deadline(now)
                if deadline < NEVER:
                    self.schedule(item, deadline)
