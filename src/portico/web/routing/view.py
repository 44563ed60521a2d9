"""The routes that a router shows: its own and those of included routers, as one flat list that may be changed.

The list is worked out when somebody looks at it after a change further down. What is done to the list itself is done
to what it was worked out of: a route that is taken out stays out, and an included router whose routes are still
together goes on to show what is added to it later.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from portico.web.routing.inclusion import IncludedRouter
from portico.web.routing.router import RouteList
from portico.web.routing.routes import BaseRoute

Entry = BaseRoute | IncludedRouter


class RouteView(RouteList):
    """The flat list of a router's routes.

    Args:
        on_change: Called after each change of this list.
    """

    __slots__ = ("entries", "on_change", "stale")

    def __init__(self, on_change: Callable[[], None]) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.on_change = on_change
        self.stale = False  # whether included routers may have changed since the list was worked out

    def append(self, route: BaseRoute) -> None:
        """Add a route at the end, without looking at what is before it."""
        self.entries.append(route)
        if self.stale:
            self.changes += 1
        else:
            super().append(route)
        self.on_change()

    def include(self, included: IncludedRouter) -> None:
        """Add a router at the end."""
        self.entries.append(included)
        self.expire()
        self.on_change()

    @property
    def included(self) -> list[IncludedRouter]:
        """The included routers."""
        return [entry for entry in self.entries if isinstance(entry, IncludedRouter)]

    def expire(self) -> bool:
        """Have the list worked out again before it is used; return False if that was known."""
        if self.stale:
            return False
        self.stale = True
        self.changes += 1
        return True

    def refresh(self) -> None:
        """Work the list out again if it is not as things are now."""
        if not self.stale:
            return
        self.stale = False
        try:
            routes: list[BaseRoute] = []
            for entry in self.entries:
                if isinstance(entry, IncludedRouter):
                    routes += entry.routes()
                else:
                    routes.append(entry)
        except BaseException:
            self.stale = True
            raise
        list.__setitem__(self, slice(None), routes)

    def follow(self) -> None:
        """Make the entries those that the list is worked out of as somebody has changed it.

        An included router whose routes are still together stays one entry, without those that were taken out. If they
        are no longer together, each becomes an entry of its own, and the router stays after the last of them for what
        is added to it later. If all were taken out, it is gone. One that showed nothing stays after the entry that
        it came after.
        """
        # By identity, since routes that are alike are equal.
        owners = {id(route): included for included in self.included for route in included.shown}
        places: dict[IncludedRouter, list[int]] = {included: [] for included in self.included}
        for place, route in enumerate(self):
            owner = owners.get(id(route))
            if owner is not None:
                places[owner].append(place)
        linked = {owner for owner in places if self._are_together(owner.shown, places[owner])}
        entries: list[Entry] = []
        for place, route in enumerate(self):
            owner = owners.get(id(route))
            if owner not in linked:
                entries.append(route)
            if owner is not None and place == places[owner][-1]:
                entries.append(owner)
        for number, entry in enumerate(self.entries):
            if isinstance(entry, IncludedRouter) and not entry.shown:
                entries.insert(_after(self.entries[:number], entries), entry)
        for included in places:
            included.keep([self[place] for place in places[included]] if included in linked else [])
        self.entries = entries

    def _are_together(self, routes: list[BaseRoute], places: list[int]) -> bool:
        """Tell whether those of the routes that are left, at these places, are side by side and in their order."""
        if not places or places[-1] - places[0] != len(places) - 1:
            return False
        order = {id(route): number for number, route in enumerate(routes)}
        return all(order[id(self[one])] < order[id(self[other])] for one, other in pairwise(places))


def _after(before: list[Entry], entries: list[Entry]) -> int:
    """Return the place after the last of some entries that is still there."""
    known = {id(entry) for entry in before}
    return max((place + 1 for place, entry in enumerate(entries) if id(entry) in known), default=0)


def _followed(name: str) -> Callable[..., Any]:
    method = getattr(RouteList, name)

    def change(self: RouteView, *args: Any, **kwargs: Any) -> Any:
        self.refresh()
        result = method(self, *args, **kwargs)
        self.follow()
        self.on_change()
        return result

    change.__name__ = name
    return change


for _name in (
    *("extend", "insert", "pop", "remove", "clear", "sort", "reverse"),
    *("__setitem__", "__delitem__", "__iadd__", "__imul__"),
):
    setattr(RouteView, _name, _followed(_name))
