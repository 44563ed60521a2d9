"""The route tree: which routes a path leads to, at a cost that does not grow with their number.

Built once from the list of routes. A path that a template without parameters spells out is found in a dictionary,
which holds everything that matches it, worked out beforehand. Any other path walks a tree of segments: at each one,
the child of that very text and the child for a parameter. What comes back is in the order of the list, so that the
first route that matches wins as if the list had been tried from its beginning.

A route that decides for itself (a host, a subclass with its own `matches`) is asked each time, in its place.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from portico.asgi import Scope
from portico.web.convertors import FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor
from portico.web.routing.mounts import Mount
from portico.web.routing.paths import Param, Template
from portico.web.routing.routes import BaseRoute, Match, PathRoute, Route, WebSocketRoute

# A convertor of one whole segment: gives None where the text does not match.
Reader = Callable[[str], Any]


class Hit:
    """A route that the path leads to. Subclasses know what it takes from the path."""

    __slots__ = ("order", "params", "route")

    def __init__(self, order: int, route: Any, params: dict[str, Any]) -> None:
        self.order = order
        self.route = route
        self.params = params

    def take(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well the route fits, and what the scope is updated with if it is taken."""
        return Match.FULL, self.route.child_scope(scope, self.params.copy())


class RequestHit(Hit):
    """A route that looks at the method."""

    __slots__ = ()

    def take(self, scope: Scope) -> tuple[Match, Scope]:
        route = self.route
        methods = route.methods
        match = Match.FULL if not methods or scope["method"] in methods else Match.PARTIAL
        return match, route.child_scope(scope, self.params.copy())


class MountHit(Hit):
    """A mount, and the part of the path that is its own."""

    __slots__ = ("prefix",)

    def __init__(self, order: int, route: Any, params: dict[str, Any], prefix: str) -> None:
        super().__init__(order, route, params)
        self.prefix = prefix

    def take(self, scope: Scope) -> tuple[Match, Scope]:
        return Match.FULL, self.route.mounted_scope(scope, self.params.copy(), self.prefix)


class Question(Hit):
    """A route that decides for itself."""

    __slots__ = ()

    def take(self, scope: Scope) -> tuple[Match, Scope]:
        match: tuple[Match, Scope] = self.route.matches(scope)
        return match


class Leaf:
    """A route at its place in the tree, with what reads its parameters from the segments of a path."""

    __slots__ = ("depth", "order", "readers", "rest", "route", "verify")

    def __init__(self, order: int, route: Any, depth: int) -> None:
        self.order = order
        self.route = route
        self.depth = depth
        self.readers: list[tuple[int, str, Reader | None]] = []
        self.rest: str | None = None  # the parameter that takes all segments from `depth` on
        self.verify = False  # the pattern decides

    def hit(self, path: str, segments: list[str]) -> Hit | None:
        """Return the match of a path that has led here, None where a parameter does not fit."""
        route = self.route
        params = self._verified(path) if self.verify else self._read(segments)
        if params is None:
            return None
        if isinstance(route, Mount):
            prefix = path[: len(path) - len(params.pop("path")) - 1]
            return MountHit(self.order, route, params, prefix)
        return RequestHit(self.order, route, params) if isinstance(route, Route) else Hit(self.order, route, params)

    def _read(self, segments: list[str]) -> dict[str, Any] | None:
        params = {}
        for position, name, reader in self.readers:
            value: Any = segments[position]
            if reader is not None:
                value = reader(value)
                if value is None:
                    return None
            params[name] = value
        if self.rest is not None:
            params[self.rest] = "/".join(segments[self.depth :])
        return params

    def _verified(self, path: str) -> dict[str, Any] | None:
        match = self.route.path_regex.fullmatch(path)
        if match is None:
            return None
        convertors = self.route.param_convertors
        return {name: convertors[name].convert(text) for name, text in match.groupdict().items()}


class Node:
    """A place in the tree, reached by some segments of a path."""

    __slots__ = ("any_segment", "ends", "literals", "tails")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.any_segment: Node | None = None
        self.ends: list[Leaf] = []  # for paths that end here
        self.tails: list[Leaf] = []  # for paths that go on, however far


class RouteTree:
    """The routes of one router for one kind of scope.

    Args:
        routes: The routes, in the order in which they are tried.
        kind: The type of scope, `http` or `websocket`.
    """

    __slots__ = ("asked", "root", "spelt_out")

    def __init__(self, routes: Sequence[BaseRoute], kind: str) -> None:
        self.root = Node()
        self.asked: list[Hit] = []
        self.spelt_out: dict[str, list[Hit]] = {}
        own = Route if kind == "http" else WebSocketRoute
        literal = []
        for order, route in enumerate(routes):
            if not _is_readable(route):
                self.asked.append(Question(order, route, {}))
            elif isinstance(route, own | Mount):
                self._add(order, route)
                if not route.param_convertors:
                    literal.append(route.path)
        for path in literal:
            self.spelt_out[path] = self._walk(path)

    def find(self, path: str) -> list[Hit]:
        """Return what matches the path, in the order of the list."""
        known = self.spelt_out.get(path)
        return self._walk(path) if known is None else known

    def _walk(self, path: str) -> list[Hit]:
        found: list[Hit] = []
        if path[:1] == "/":
            segments = path.split("/")
            segments[:1] = ()
            for leaf in self._leaves(segments):
                hit = leaf.hit(path, segments)
                if hit is not None:
                    found.append(hit)
        found += self.asked
        if len(found) > 1:
            found.sort(key=_order)
        return found

    def _leaves(self, segments: list[str]) -> list[Leaf]:
        leaves: list[Leaf] = []
        count = len(segments)
        waiting: list[tuple[Node, int]] = []
        node: Node | None = self.root
        depth = 0
        while True:
            if node is None:
                if not waiting:
                    return leaves
                node, depth = waiting.pop()
            if depth == count:
                leaves += node.ends
                node = None
                continue
            leaves += node.tails
            segment = segments[depth]
            depth += 1
            other = node.any_segment
            node = node.literals.get(segment)
            if other is not None and segment:
                if node is None:
                    node = other
                else:
                    waiting.append((other, depth))

    def _add(self, order: int, route: Any) -> None:
        node = self.root
        path = route.path + "/{path:path}" if isinstance(route, Mount) else route.path
        pieces = list(_segments(Template(path)))
        leaf = Leaf(order, route, len(pieces))
        for depth, piece in enumerate(pieces):
            if all(isinstance(part, str) for part in piece):
                node = node.literals.setdefault("".join(piece), Node())
                continue
            whole = piece[0] if len(piece) == 1 else None
            if isinstance(whole, Param) and type(whole.convertor) is PathConvertor and depth == len(pieces) - 1:
                leaf.depth = depth
                leaf.rest = whole.name
                node.tails.append(leaf)
                return
            if any(isinstance(part, Param) and type(part.convertor) not in READERS for part in piece):
                leaf.verify = True  # may match slashes: its own segments and those after it cannot be told apart
                node.tails.append(leaf)
                return
            if isinstance(whole, Param):
                leaf.readers.append((depth, whole.name, READERS[type(whole.convertor)]))
            else:
                leaf.verify = True
            if node.any_segment is None:
                node.any_segment = Node()
            node = node.any_segment
        node.ends.append(leaf)


def _order(hit: Hit) -> int:
    return hit.order


def _is_readable(route: BaseRoute) -> bool:
    """Tell whether the route matches as its class does by its path alone, so that the tree may answer for it."""
    kind = type(route)
    if isinstance(route, PathRoute):
        own = Route if isinstance(route, Route) else WebSocketRoute if isinstance(route, WebSocketRoute) else None
        ours = own is not None and kind.matches is own.matches and kind.child_scope is PathRoute.child_scope
        path = route.path
    elif isinstance(route, Mount):
        ours = kind.matches is Mount.matches and kind.mounted_scope is Mount.mounted_scope
        path = f"{route.path}/{{path:path}}"
    else:
        return False
    if not ours or "matches" in vars(route):
        return False
    given = vars(route).get("path_regex")
    return given is None or given.pattern == Template(path).pattern()


def _segments(template: Template) -> Iterator[list[str | Param]]:
    """Yield the segments of a path template, each as its literals and parameters."""
    piece: list[str | Param] = []
    first = True
    for part in template.parts:
        if isinstance(part, Param):
            piece.append(part)
            continue
        texts = part.split("/")
        if texts[0]:
            piece.append(texts[0])
        for text in texts[1:]:
            if not first:
                yield piece
            first = False
            piece = [text] if text else []
    yield piece


def _read_int(text: str) -> int | None:
    # Longer ones CPython refuses to convert: no integer that a program counts with.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _read_float(text: str) -> float | None:
    return float(text) if FLOAT.fullmatch(text) else None


def _read_uuid(text: str) -> Any:
    return UUIDConvertor().convert(text) if UUID.fullmatch(text) else None


MAX_DIGITS = 4300
FLOAT = re.compile(FloatConvertor.regex)
UUID = re.compile(UUIDConvertor.regex)
READERS: dict[type, Reader | None] = {
    StringConvertor: None,
    IntegerConvertor: _read_int,
    FloatConvertor: _read_float,
    UUIDConvertor: _read_uuid,
}
